"""Which way the accelerator trains ten differently built nets, and whether that changes them.

Each net goes through a `RandomSearchCV` over three learning rates in three folds, with
``accelerator="auto"`` and with "off", whose scores and weights are to be had bit for bit.
Then it is said what ``accelerator="require"`` does with each. The last table compares
optimizers on each path: those that nets can be trained together with and that
``torch_cv.py --only equal`` leaves out. See there for SGD with and without momentum and
Nesterov, Adam, AdamW, RMSprop, Adagrad, Adamax and NAdam, and for larger nets.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import GradientNormClipping
from skorch.helper import SliceDict
from torch import nn
from torch_cv import OPTIMIZERS, digest, digits

from sk_hpo import RandomSearchCV
from sk_hpo.evaluation.fused.optimizers import KNOWN

LEARNING_RATES = (0.02, 0.05, 0.1)
FOLDS = 3
PATHS = {"loader": "loader", "together": "require"}  # path -> accelerator that insists on it
SIDE = 8  # of an image of a digit
CLASSES = 10


# -- modules ---------------------------------------------------------------------------------


def mlp(*between: nn.Module) -> list[nn.Module]:
    """Return the layers of a small net, `between` behind the first."""
    return [nn.Linear(SIDE**2, 16), *between, nn.ReLU(), nn.Linear(16, CLASSES)]


class Plain(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(*mlp())


class BatchNorm(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(*mlp(nn.BatchNorm1d(16)))


class Conv(nn.Sequential):
    def __init__(self) -> None:
        image, pooled = (1, SIDE, SIDE), nn.MaxPool2d(2)
        layers = (nn.Unflatten(1, image), nn.Conv2d(1, 4, 3), nn.ReLU(), pooled, nn.Flatten())
        super().__init__(*layers, nn.Linear(36, CLASSES))


class LSTM(nn.Module):
    """Reads an image line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(SIDE, 12, batch_first=True)
        self.out = nn.Linear(12, CLASSES)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(X.unflatten(1, (SIDE, SIDE)))[0][:, -1])


class Transformer(nn.Module):
    """Lets the lines of an image attend to one another."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            SIDE, nhead=2, dim_feedforward=16, dropout=0.0, batch_first=True
        )
        self.out = nn.Linear(SIDE**2, CLASSES)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.out(self.layer(X.unflatten(1, (SIDE, SIDE))).flatten(1))


class TwoInputs(nn.Module):
    """Looks at the upper and the lower half of an image with weights of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.upper, self.lower = (nn.Linear(SIDE**2 // 2, 8) for _ in range(2))
        self.out = nn.Linear(16, CLASSES)

    def forward(self, upper: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
        seen = torch.cat([self.upper(upper), self.lower(lower)], dim=1)
        return self.out(seen.relu())


class TwoOutputs(nn.Module):
    """Says which digit it is, and whether it is odd."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(SIDE**2, 16)
        self.digit, self.odd = nn.Linear(16, CLASSES), nn.Linear(16, 2)

    def forward(self, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = self.hidden(X).relu()
        return self.digit(seen), self.odd(seen)


class OfBoth(nn.Module):
    """The sum of the losses of two outputs."""

    def forward(self, y_pred: Sequence[torch.Tensor], y: torch.Tensor) -> torch.Tensor:
        losses = (nn.functional.cross_entropy(p, y[:, i]) for i, p in enumerate(y_pred))
        return sum(losses, torch.zeros(()))


class TiedWeights(nn.Sequential):
    def __init__(self) -> None:
        one, other = nn.Linear(16, 16), nn.Linear(16, 16)
        other.weight = one.weight
        super().__init__(*mlp(nn.ReLU(), one, nn.ReLU(), other))


class NoisyTraining(NeuralNetClassifier):
    """Trains with a little noise on the inputs, by a `train_step` of its own."""

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        X, y = batch
        return super().train_step((X + 0.01 * torch.randn_like(X), y), **fit_params)


# -- cases -----------------------------------------------------------------------------------


def accuracy(net: Any, X: Any, y: np.ndarray) -> float:
    """Return how often the first output, if there are several, names the digit."""
    named = net.predict_proba(X).argmax(axis=1)
    return float((named == y.reshape(len(y), -1)[:, 0]).mean())


METRICS = {"scores": accuracy, "weights": digest}


@dataclass(frozen=True, slots=True)
class Case:
    """A net, and the data to train it with."""

    name: str
    net: NeuralNet
    X: Any
    y: np.ndarray


def make_net(
    module: type[nn.Module],
    epochs: int,
    kind: type[NeuralNet] = NeuralNetClassifier,
    **params: Any,
) -> NeuralNet:
    return kind(
        module,
        max_epochs=epochs,
        batch_size=32,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        **{"criterion": nn.CrossEntropyLoss, "optimizer": torch.optim.SGD} | params,
    )


def cases(rows: int, epochs: int) -> list[Case]:
    """Return the ten nets, each with the first rows of scikit-learn's digits."""
    X, y = (part[:rows] for part in digits())
    halves = SliceDict(upper=X[:, : SIDE**2 // 2], lower=X[:, SIDE**2 // 2 :])
    weights = torch.linspace(0.5, 1.5, CLASSES)
    clipping = [("clipping", GradientNormClipping(1.0))]

    def case(name: str, module: type[nn.Module], X: Any = X, y: Any = y, **more: Any) -> Case:
        return Case(name, make_net(module, epochs, **more), X, y)

    both = np.stack([y, y % 2], axis=1)
    return [
        case("BatchNorm", BatchNorm),
        case("LSTM", LSTM),
        case("conv", Conv),
        case("custom train_step", Plain, kind=NoisyTraining),
        case("two inputs", TwoInputs, halves),
        case("multi-output", TwoOutputs, y=both, kind=NeuralNet, criterion=OfBoth),
        case("class weights", Plain, criterion__weight=weights),
        case("gradient clipping", Plain, callbacks=clipping),
        case("transformer layer", Transformer),
        case("tied weights", TiedWeights),
    ]


def cases_of_optimizers(rows: int, epochs: int) -> list[Case]:
    """Return a small net for each optimizer that `torch_cv.equal` leaves out."""
    X, y = (part[:rows] for part in digits())
    there = {kind for kind, _ in OPTIMIZERS.values()}
    return [
        Case(kind.__name__, make_net(Plain, epochs, optimizer=kind), X, y)
        for kind in KNOWN
        if kind not in there
    ]


# -- comparison ------------------------------------------------------------------------------


def search(case: Case, accelerator: str) -> Any:
    """Return a fitted search over learning rates."""
    made = RandomSearchCV(
        case.net,
        {"lr": list(LEARNING_RATES)},
        n_iter=len(LEARNING_RATES),
        sampler="grid",
        cv=FOLDS,
        scoring=METRICS,
        refit=False,
        error_score="raise",
        random_state=0,
        accelerator=accelerator,
    )
    return made.fit(case.X, case.y)


def by_fold(fitted: Any, metric: str) -> list[list[float]]:
    return [fitted.cv_results_[f"split{i}_test_{metric}"].tolist() for i in range(FOLDS)]


def same(fitted: Any, apart: Any) -> dict[str, bool]:
    """Return whether two searches agree bit for bit, in each metric."""
    return {metric: by_fold(fitted, metric) == by_fold(apart, metric) for metric in METRICS}


def insist(case: Case) -> str:
    """Return what ``accelerator="require"`` says."""
    try:
        search(case, "require")
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "trained"


# -- tables ----------------------------------------------------------------------------------


def words(agreed: dict[str, bool]) -> str:
    return "".join(f"{'yes' if each else 'NO':>9}" for each in agreed.values())


def print_nets(nets: Iterable[Case]) -> None:
    """Print how nets are trained, and whether that changes them."""
    heads = "".join(f"{metric:>9}" for metric in METRICS)
    print(f"{'accelerator=auto':20}{'path':10}{'fits':>4}{heads}  reason")
    for case in nets:
        fitted = search(case, "auto")
        agreed = words(same(fitted, search(case, "off")))
        for way in fitted.accelerator_report_:
            line = f"{case.name:20}{way['path']:10}{way['n_fits']:4}{agreed}  {way['reason']}"
            print(line.rstrip(), flush=True)


def print_insisting(nets: Iterable[Case]) -> None:
    """Print what ``accelerator="require"`` says of nets."""
    print("\naccelerator=require")
    for case in nets:
        print(f"{case.name:20}{insist(case)}", flush=True)


def print_optimizers(nets: Iterable[Case]) -> None:
    """Print whether optimizers do the same on each path."""
    print(f"\n{'optimizer':20}" + "".join(f"{path:>18}" for path in PATHS))
    print(f"{'':20}" + "".join(f"{metric:>9}" for metric in METRICS) * len(PATHS))
    for case in nets:
        apart = search(case, "off")
        row = [words(same(search(case, kind), apart)) for kind in PATHS.values()]
        print(f"{case.name:20}" + "".join(row), flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=400, help="of the digits; default: 400")
    parser.add_argument("--epochs", type=int, default=3, help="default: 3")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows, epochs = options.rows, options.epochs
    print(
        f"{len(LEARNING_RATES)} learning rates, {FOLDS} folds of {rows} rows, {epochs} epochs;"
    )
    print("scores, weights: whether they equal those of accelerator=off bit for bit\n")
    print_nets(cases(rows, epochs))
    print_insisting(cases(rows, epochs))
    print_optimizers(cases_of_optimizers(rows, epochs))


if __name__ == "__main__":
    main()
