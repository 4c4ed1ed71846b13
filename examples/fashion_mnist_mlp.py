"""Tune a small neural network on Fashion-MNIST in three ways, at the same price.

Hyperband stops bad candidates early and takes good ones on where they stood; Bayesian
optimization learns where to look; scikit-learn's random search is the yardstick. All three
search the same space, choose by 3-fold cross-validation on the training rows and may spend
the same number of epochs. The test rows are looked at once, when everything is decided.

Run it with ``make demo``, or ``python examples/fashion_mnist_mlp.py --data PATH.npz``.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import loguniform, uniform
from sklearn.datasets import fetch_openml, load_digits
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, lograndint

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fashion_mnist_20k.npz"


class MLP(nn.Module):
    """A multilayer perceptron with equal hidden layers."""

    def __init__(
        self, n_inputs, n_classes, hidden=64, n_layers=1, dropout=0.0, activation=nn.ReLU
    ):
        super().__init__()
        sizes = [n_inputs] + [hidden] * n_layers
        layers = []
        for size, units in pairwise(sizes):
            layers += [nn.Linear(size, units), activation(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], n_classes))

    def forward(self, X):
        return self.layers(X)


SPACE = {
    "lr": loguniform(1e-3, 1e0),
    "batch_size": lograndint(32, 513),
    "optimizer__momentum": uniform(0.0, 0.95),
    "optimizer__weight_decay": loguniform(1e-6, 1e-2),
    "module__hidden": lograndint(32, 257),
    "module__n_layers": [1, 2, 3],
    "module__dropout": uniform(0.0, 0.5),
    "module__activation": [nn.ReLU, nn.Tanh, nn.ELU],
}


def load(path):
    """Return X in [0, 1], y, and what they are."""
    if path is None and DATA.exists():
        path = DATA
    if path is not None:
        with np.load(path) as file:
            X, y, name = file["X"], file["y"], f"Fashion-MNIST ({Path(path).name})"
    else:
        try:
            X, y = fetch_openml(
                "Fashion-MNIST", version=1, return_X_y=True, as_frame=False, n_retries=1
            )
            name = "Fashion-MNIST (OpenML)"
        except OSError as error:
            X, y = load_digits(return_X_y=True)
            name = f"scikit-learn's digits (Fashion-MNIST cannot be had here: {error})"
    X = X.reshape(len(X), -1).astype(np.float32)
    return X / X.max(), y.astype(np.int64), name


def compare(searches, X, y, X_test, y_test):
    """Fit each search and return a table of what it cost and what it found."""
    table = []
    for name, (search, epochs) in searches.items():
        start = time.perf_counter()
        search.fit(X, y)
        seconds = time.perf_counter() - start
        table.append(
            {
                "search": name,
                "seconds": round(seconds, 1),
                "candidates": len({str(p) for p in search.cv_results_["params"]}),
                "epochs": int(getattr(search, "resource_spent_", epochs)),
                "CV score": round(search.best_score_, 4),
                "test score": round(search.score(X_test, y_test), 4),
            }
        )
        print(f"{name}: {seconds:.0f} s, best {search.best_params_}", flush=True)
    return pd.DataFrame(table).set_index("search")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="file with X and y (npz)")
    parser.add_argument("--rows", type=int, default=5000, help="rows used, test rows included")
    parser.add_argument("--epochs", type=int, default=27, help="epochs of a full training")
    parser.add_argument("--jobs", type=int, default=-1, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    X, y, name = load(args.data)
    rows = min(args.rows, len(X))
    X, X_test, y, y_test = train_test_split(
        X,
        y,
        test_size=rows // 5,
        train_size=rows - rows // 5,
        stratify=y,
        random_state=args.seed,
    )
    print(f"{name}: {len(X)} rows to train and validate (3 folds), {len(X_test)} to test")

    net = NeuralNetClassifier(
        MLP,
        module__n_inputs=X.shape[1],
        module__n_classes=len(np.unique(y)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        max_epochs=args.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    common = {"cv": 3, "n_jobs": args.jobs, "random_state": args.seed}
    hyperband = HalvingHyperbandSearchCV(net, SPACE, resource="epochs", **common)
    plan = hyperband.plan(X, y)
    print(f"\nThe plan of Hyperband:\n{plan}\n")

    n_iter = max(1, round(plan.cost / (3 * args.epochs)))
    epochs = n_iter * 3 * args.epochs
    bayes = BayesSearchCV(net, SPACE, n_iter=n_iter, **common)
    sklearn = RandomizedSearchCV(net, SPACE, n_iter=n_iter, **common)
    searches = {
        "HalvingHyperbandSearchCV": (hyperband, epochs),
        "BayesSearchCV": (bayes, epochs),
        "RandomizedSearchCV (scikit-learn)": (sklearn, epochs),
    }
    print("\n" + compare(searches, X, y, X_test, y_test).to_string())

    columns = ["trial", "bracket", "iter", "n_resources", "mean_test_score", "rank_test_score"]
    print("\npd.DataFrame(hyperband.cv_results_).head():")
    print(pd.DataFrame(hyperband.cv_results_)[columns].head().to_string())


if __name__ == "__main__":
    main()
