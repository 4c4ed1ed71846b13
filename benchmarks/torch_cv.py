"""Cross-validation of torch nets through our searches, and as it is done without them.

Both sides of a row take turns on one core: medians of ``--repeats`` ratios of seconds,
theirs by ours, by the wall clock and by the processor's. scikit-learn's digits, skorch
nets, SGD with momentum. What the rows of ``--only`` mean:

fit       5-fold cross-validation of a net, against one stock fit of it
pairs     45 (candidate, fold) pairs, against `cross_val_score` in a loop
large     nets that do not gain from training together, against ``accelerator="loader"``
equal     whether weights equal those of ``accelerator="off"`` bit for bit
hyperband Hyperband, against a HalvingRandomSearchCV for each bracket, same candidates
ladder    Hyperband, against one HalvingRandomSearchCV with as many candidates
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    ParameterSampler,
    cross_val_score,
    train_test_split,
)
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV
from sk_hpo.rungs import hyperband_rungs

RESULTS = Path(__file__).parent / "results" / "torch_cv.json"
ROWS = ("fit", "pairs", "large", "equal", "hyperband", "ladder")
LEARNING_RATES = np.geomspace(1e-2, 1.0, 9).round(4).tolist()
NETS: dict[str, tuple[tuple[int, ...], int, type]] = {  # hidden units, batch, optimizer
    "1x32": ((32,), 32, torch.optim.SGD),
    "2x64": ((64, 64), 32, torch.optim.SGD),
    "2x128": ((128, 128), 64, torch.optim.Adam),
}
PAIRS_TARGETS = {"1x32": 18.0, "2x64": 10.0, "2x128": 4.5}
OPTIMIZERS: dict[str, tuple[type, dict[str, Any]]] = {
    "SGD": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "Nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "Adam": (torch.optim.Adam, {}),
    "AdamW": (torch.optim.AdamW, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "Adamax": (torch.optim.Adamax, {}),
    "NAdam": (torch.optim.NAdam, {}),
}
HALVING_SPACE = {
    "lr": loguniform(1e-3, 1e0),
    "optimizer__momentum": uniform(0.0, 0.95),
    "module__hidden": [hidden for hidden, *_ in NETS.values()],
}


class MLP(nn.Module):
    def __init__(self, hidden: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        sizes = [64, *hidden]
        layers: list[nn.Module] = []
        for size, units in zip(sizes, hidden, strict=False):
            layers += [nn.Linear(size, units), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 10))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.layers(X)


class Conv(nn.Module):
    """Two small convolutions for images of 28 by 28."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(400, 10)),
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.layers(X)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one side, by the wall clock and by the processor's, and what it said."""

    wall: float
    cpu: float
    said: Any


@dataclass(slots=True)
class Comparison:
    """One row of the table: both sides of each repeat."""

    name: str
    target: float
    ours: list[Spent] = field(default_factory=list)
    theirs: list[Spent] = field(default_factory=list)

    def ratios(self, clock: str = "wall") -> list[float]:
        """Return, sorted, how many times as long the other side took."""
        both = zip(self.theirs, self.ours, strict=True)
        return sorted(getattr(b, clock) / getattr(a, clock) for b, a in both)

    def line(self) -> str:
        wall, cpu = self.ratios(), self.ratios("cpu")
        verdict = "met" if median(wall) >= self.target else "MISSED"
        seconds = [median(spent.wall for spent in side) for side in (self.ours, self.theirs)]
        return (
            f"{self.name:38}{seconds[0]:9.3f}{seconds[1]:9.3f}{self.target:8.2f}{median(wall):9.2f}"
            f"{f'({wall[0]:.2f} to {wall[-1]:.2f})':>18}{median(cpu):9.2f}{verdict:>8}"
        )


HEAD = (
    f"{'':38}{'ours s':>9}{'theirs s':>9}{'target':>8}{'ratio':>9}{'(min to max)':>18}"
    f"{'of CPU':>9}"
)


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y.astype(np.int64)


def images(rows: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Return digits as images of 28 by 28: each pixel thrice, and a margin."""
    X, y = digits()
    large = np.kron(X[:rows].reshape(-1, 8, 8), np.ones((1, 3, 3), np.float32))
    return np.pad(large, ((0, 0), (2, 2), (2, 2)))[:, None], y[:rows]


def make_net(module: type = MLP, epochs: int = 10, **params: Any) -> Any:
    if "optimizer" not in params:
        params |= {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    return NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        **{"batch_size": 64, "lr": 0.05} | params,
    )


def search(net: Any, lrs: Sequence[float], accelerator: str, **more: Any) -> Any:
    """Return a search over learning rates on the grid, in 5 folds, without a refit."""
    return RandomSearchCV(
        net,
        {"lr": list(lrs)},
        n_iter=len(lrs),
        sampler="grid",
        cv=5,
        refit=False,
        random_state=0,
        accelerator=accelerator,
        **more,
    )


def fitted(made: Any, X: Any, y: Any) -> dict[str, Any]:
    """Return the scores of a search, and which way its nets were trained."""
    made.fit(X, y)
    ways = [f"{row['path']} {row['n_fits']}" for row in made.accelerator_report_]
    return {"scores": made.cv_results_["mean_test_score"].tolist(), "paths": ", ".join(ways)}


def timed(side: Callable[[], Any]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = side()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu, said)


def compare(
    name: str,
    target: float,
    ours: Callable[[int], Any],
    theirs: Callable[[int], Any],
    repeats: int,
) -> Comparison:
    """Let both sides take turns; each is told the number of the repeat."""
    row = Comparison(name, target)
    for i in range(repeats):
        row.ours.append(timed(lambda i=i: ours(i)))
        row.theirs.append(timed(lambda i=i: theirs(i)))
    paths = row.ours[-1].said.get("paths")
    print(row.line() + (f"  {paths}" if paths else ""), flush=True)
    return row


def one_fit(repeats: int, epochs: int) -> Iterator[Comparison]:
    X, y = digits()
    net = make_net(module__hidden=(64, 64), epochs=epochs)
    cv = search(net, [0.05], "auto")
    yield compare(
        "5-fold CV of 2x64 / one fit",
        1.0,
        lambda _: fitted(cv, X, y),
        lambda _: clone(net).fit(X, y).history[-1, "train_loss"],
        repeats,
    )


def nets_of_pairs(epochs: int) -> dict[str, NeuralNetClassifier]:
    found = {}
    for name, (hidden, batch_size, kind) in NETS.items():
        given = {"module__hidden": hidden, "batch_size": batch_size, "epochs": epochs}
        found[name] = make_net(
            **given | ({} if kind is torch.optim.SGD else {"optimizer": kind})
        )
    return found


def pairs(repeats: int, epochs: int) -> Iterator[Comparison]:
    X, y = digits()
    for name, net in nets_of_pairs(epochs).items():
        many = search(net, LEARNING_RATES, "auto")

        def in_a_loop(_: int, net: Any = net) -> list[float]:
            nets = [clone(net).set_params(lr=lr) for lr in LEARNING_RATES]
            return [float(cross_val_score(each, X, y, cv=5).mean()) for each in nets]

        yield compare(
            f"45 pairs of {name} / cross_val_score",
            PAIRS_TARGETS[name],
            lambda _, many=many: fitted(many, X, y),
            in_a_loop,
            repeats,
        )


def large_nets(epochs: int) -> dict[str, tuple[Any, tuple[np.ndarray, np.ndarray]]]:
    return {
        "3x256": (make_net(module__hidden=(256,) * 3, epochs=epochs), digits()),
        "conv 28x28": (make_net(Conv, epochs=min(epochs, 3)), images()),
    }


def large(repeats: int, epochs: int) -> Iterator[Comparison]:
    for name, (net, (X, y)) in large_nets(epochs).items():
        sides = [search(net, LEARNING_RATES[::4], kind) for kind in ("auto", "loader")]
        fits = [lambda _, side=side, X=X, y=y: fitted(side, X, y) for side in sides]
        yield compare(f"15 pairs of {name} / loader", 0.95, *fits, repeats)


def digest(net: Any, X: Any, y: Any) -> float:
    """Return a number that only a net with the same weights has; a NaN is a NaN."""
    sha = hashlib.sha256()
    for name, weights in net.module_.state_dict().items():
        values = weights.cpu().numpy().copy()
        if values.dtype.kind == "f":
            values[np.isnan(values)] = np.nan  # there are many, and no two need be the same
        sha.update(name.encode() + values.tobytes())
    return float(int.from_bytes(sha.digest()[:6], "big"))


def by_fold(net: Any, X: Any, y: Any, accelerator: str, scoring: Any) -> np.ndarray:
    made = search(net, LEARNING_RATES[::4], accelerator, scoring=scoring).fit(X, y)
    return np.array([made.cv_results_[f"split{i}_test_score"] for i in range(5)])


COLUMNS = (
    ("loader weights", "loader", digest),
    ("auto weights", "auto", digest),
    ("auto scores", "auto", None),
)


def equal(epochs: int) -> dict[str, dict[str, bool]]:
    """Compare every path with ``accelerator="off"``; print and return a table."""
    nets: dict[str, tuple[Any, tuple[np.ndarray, np.ndarray]]] = {
        name: (net, digits()) for name, net in nets_of_pairs(epochs).items()
    }
    for name, (optimizer, params) in OPTIMIZERS.items():
        given = {f"optimizer__{key}": value for key, value in params.items()}
        net = make_net(module__hidden=(32,), epochs=epochs, optimizer=optimizer, **given)
        nets[f"1x32 {name}"] = (net, digits())
    table: dict[str, dict[str, bool]] = {}
    print(f"\n{'bit-equal to accelerator=off':38}" + "".join(f"{c[0]:>15}" for c in COLUMNS))
    for name, (net, (X, y)) in (nets | large_nets(epochs)).items():
        row = {}
        for column, kind, scoring in COLUMNS:
            apart, made = (by_fold(net, X, y, each, scoring) for each in ("off", kind))
            row[column] = bool((apart == made).all())
        table[name] = row
        print(
            f"{name:38}" + "".join(f"{'yes' if value else 'NO':>15}" for value in row.values())
        )
    return table


@dataclass(frozen=True, slots=True)
class Ladder:
    """A bracket: so many candidates, the first of which get so many epochs."""

    n_candidates: int
    lowest: int
    seed: int

    def candidates(self) -> list[dict[str, Any]]:
        """Return those that HalvingRandomSearchCV draws."""
        return list(ParameterSampler(HALVING_SPACE, self.n_candidates, random_state=self.seed))


def halving_side(
    ladders: Sequence[Ladder], epochs: int, data: Sequence[np.ndarray]
) -> dict[str, float]:
    """Run a HalvingRandomSearchCV for each ladder, and refit the best of all."""
    X, X_test, y, y_test = data
    net = make_net(epochs=epochs)
    found = [
        HalvingRandomSearchCV(
            net,
            HALVING_SPACE,
            resource="max_epochs",
            n_candidates=ladder.n_candidates,
            min_resources=ladder.lowest,
            max_resources=epochs,
            factor=3,
            cv=3,
            refit=False,
            return_train_score=False,
            random_state=ladder.seed,
        ).fit(X, y)
        for ladder in ladders
    ]
    best = max(found, key=lambda each: each.best_score_)
    refitted = clone(net).set_params(**best.best_params_).fit(X, y)
    trained = sum(3 * int(each.cv_results_["n_resources"].sum()) for each in found)
    return _found(best.best_score_, refitted.score(X_test, y_test), trained)


def hyperband_side(
    ladders: Sequence[Ladder], epochs: int, data: Sequence[np.ndarray]
) -> dict[str, float]:
    X, X_test, y, y_test = data
    made = HalvingHyperbandSearchCV(
        make_net(epochs=epochs),
        HALVING_SPACE,
        points_to_evaluate=[each for ladder in ladders for each in ladder.candidates()],
        cv=3,
        random_state=ladders[0].seed,
    )
    fitted = made.fit(X, y)
    return _found(fitted.best_score_, fitted.score(X_test, y_test), fitted.resource_spent_)


def _found(cv: float, test: float, epochs: float) -> dict[str, float]:
    return {"cv": float(cv), "test": float(test), "epochs": float(epochs)}


def whole_searches(kind: str, repeats: int, epochs: int) -> Iterator[Comparison]:
    X, y = digits()
    data = train_test_split(X, y, stratify=y, test_size=0.25, random_state=0)
    firsts = [rung for rung in hyperband_rungs(1, epochs, 3) if rung.rung == 0]
    n = sum(rung.n_trials for rung in firsts)

    def ladders(seed: int) -> list[Ladder]:
        return [Ladder(r.n_trials, r.resource, 100 * seed + r.bracket) for r in firsts]

    def theirs(seed: int) -> dict[str, float]:
        one = [Ladder(n, 1, 100 * seed)]
        return halving_side(one if kind == "ladder" else ladders(seed), epochs, data)

    row = compare(
        f"{kind}, {n} candidates / sklearn",
        6.0,
        lambda seed: hyperband_side(ladders(seed), epochs, data),
        theirs,
        repeats,
    )
    for name, side in (("ours", row.ours), ("theirs", row.theirs)):
        medians = {key: median(spent.said[key] for spent in side) for key in side[0].said}
        print(f"    {name:8}" + "  ".join(f"{key} {x:.4g}" for key, x in medians.items()))
    both = zip(row.ours, row.theirs, strict=True)
    better = median(a.said["test"] - b.said["test"] for a, b in both)
    print(f"    test score, ours minus theirs: {better:+.4f} (goal: 0 or more)")
    yield row


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=10, help="of the nets; default: 10")
    parser.add_argument("--max-epochs", type=int, default=27, help="of Hyperband; default: 27")
    parser.add_argument("--only", default=",".join(ROWS), help="default: %(default)s")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    only = options.only.split(",")
    if unknown := set(only) - set(ROWS):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    X, y = digits()
    timed(lambda: search(make_net(epochs=1), LEARNING_RATES[:2], "auto").fit(X, y))  # warm-up
    print(f"medians of {options.repeats}\n{HEAD}")
    rows: list[Comparison] = []
    for name, make in {"fit": one_fit, "pairs": pairs, "large": large}.items():
        if name in only:
            rows += make(options.repeats, options.epochs)
    for kind in ("hyperband", "ladder"):
        if kind in only:
            rows += whole_searches(kind, options.repeats, options.max_epochs)
    report: dict[str, Any] = {"machine": platform.platform(), "torch": torch.__version__}
    report["rows"] = [asdict(row) | {"ratio": median(row.ratios())} for row in rows]
    if "equal" in only:
        report["equal"] = equal(min(options.epochs, 3))
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
