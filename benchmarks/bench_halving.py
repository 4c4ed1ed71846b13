"""Survivors that go on against survivors that start again.

HalvingHyperbandSearchCV(brackets=1) against scikit-learn's
HalvingRandomSearchCV(resource="max_epochs") on the same net, ladder and number of
candidates (digits, 3 folds), in turn: seconds, epochs trained and score, medians over seeds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from statistics import median

import numpy as np
import torch
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import HalvingHyperbandSearchCV, lograndint

MAX_EPOCHS, FOLDS = 27, 3
SPACE = {
    "lr": loguniform(1e-3, 1e0),
    "batch_size": lograndint(32, 257),
    "optimizer__momentum": uniform(0.0, 0.95),
    "module__hidden": lograndint(16, 129),
}


class MLP(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, X):
        return self.layers(X)


def searches(seed: int) -> dict[str, object]:
    net = NeuralNetClassifier(
        MLP,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        max_epochs=MAX_EPOCHS,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    common = {"cv": FOLDS, "random_state": seed}
    return {
        "HalvingHyperbandSearchCV": HalvingHyperbandSearchCV(net, SPACE, brackets=1, **common),
        "HalvingRandomSearchCV": HalvingRandomSearchCV(
            net,
            SPACE,
            resource="max_epochs",
            n_candidates=MAX_EPOCHS,
            min_resources=1,
            max_resources=MAX_EPOCHS,
            **common,
        ),
    }


def epochs(search) -> int:
    """Return the epochs trained on all folds, refit not counted."""
    spent = getattr(search, "resource_spent_", None)
    return int(FOLDS * search.cv_results_["n_resources"].sum() if spent is None else spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    n_seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    rows: dict[str, list[tuple[float, int, float, float]]] = {}
    for seed in range(n_seeds):
        for name, search in searches(seed).items():
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                search.fit(X, y)
            seconds = time.perf_counter() - start
            score = search.score(X_test, y_test)
            rows.setdefault(name, []).append(
                (seconds, epochs(search), search.best_score_, score)
            )
    print(f"{'':26}{'seconds':>8}{'epochs':>8}{'CV':>8}{'test':>8}   medians of {n_seeds}")
    for name, runs in rows.items():
        seconds, trained, cv, test = (median(column) for column in zip(*runs, strict=True))
        print(f"{name:26}{seconds:8.1f}{trained:8.0f}{cv:8.3f}{test:8.3f}")
    ours, theirs = rows.values()
    ratios = sorted(b[0] / a[0] for a, b in zip(ours, theirs, strict=True))
    print(f"times faster: {median(ratios):.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
