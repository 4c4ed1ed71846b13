"""Make svc_cancer.npz: cross-validated errors of SVC by kernel, on a grid; takes minutes.

The breast cancer data of scikit-learn, standardised in each of 5 stratified folds. Every
kernel has its own parameters: ``linear`` has C, ``rbf`` has C and gamma, ``sigmoid`` has C,
gamma and coef0, ``poly`` has C, gamma, coef0 and degree.
"""

from __future__ import annotations

import warnings
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

# Grids, evenly spaced: C and gamma as powers of ten.
LOG_C = np.linspace(-3, 4, 15)
LOG_GAMMA = np.linspace(-6, 1, 15)
COEF0 = np.linspace(0, 1, 3)
DEGREES = (2, 3, 4)
MAX_ITER = 20_000


def folds() -> list[tuple[np.ndarray, ...]]:
    X, y = load_breast_cancer(return_X_y=True)
    splits = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        scaler = StandardScaler().fit(X[train])
        splits.append(
            (scaler.transform(X[train]), y[train], scaler.transform(X[test]), y[test])
        )
    return splits


def errors(splits: list[tuple[np.ndarray, ...]], kernel: str, **grid: object) -> np.ndarray:
    """Return the mean error over the folds on the product of the grid's axes."""
    table = []
    for values in product(*grid.values()):
        parameters = dict(zip(grid, values, strict=True))
        model = SVC(kernel=kernel, max_iter=MAX_ITER, **parameters)
        table.append(
            np.mean([np.mean(model.fit(X, y).predict(X_) != y_) for X, y, X_, y_ in splits])
        )
    return np.array(table).reshape([len(values) for values in grid.values()])


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    splits = folds()
    C, gamma = 10.0**LOG_C, 10.0**LOG_GAMMA
    tables = {
        "linear": errors(splits, "linear", C=C),
        "rbf": errors(splits, "rbf", C=C, gamma=gamma),
        "sigmoid": errors(splits, "sigmoid", C=C, gamma=gamma, coef0=COEF0),
        "poly": errors(splits, "poly", degree=DEGREES, C=C, gamma=gamma, coef0=COEF0),
    }
    for name, table in tables.items():
        print(f"{name:8} {table.size:5} points, {table.min():.4f} to {table.max():.4f}")
    np.savez_compressed(
        Path(__file__).with_name("svc_cancer.npz"),
        log_C=LOG_C,
        log_gamma=LOG_GAMMA,
        coef0=COEF0,
        **{name: table.astype(np.float32) for name, table in tables.items()},
    )


if __name__ == "__main__":
    main()
