"""A Gaussian process from the textbook, one pair of rows at a time."""

from __future__ import annotations

import numpy as np

from sk_hpo.surrogates.hyperparameters import Hyperparameters
from sk_hpo.surrogates.kernel import Columns

MIXED = np.array([False, True, False, False])
COLUMNS = Columns(MIXED)


def mixed_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Rows with a category in column 1, and column 3 present for category 0 only."""
    x = rng.random((n, 4))
    x[:, 1] = rng.integers(3, size=n) / 2.0
    x[x[:, 1] > 0, 3] = np.nan
    return x


def some_hyperparameters(rng: np.random.Generator, d: int) -> Hyperparameters:
    return Hyperparameters(
        rng.uniform(0.2, 9.0, d), rng.uniform(0.3, 3.0), rng.uniform(0.01, 0.1)
    )


def textbook_kernel(a: np.ndarray, b: np.ndarray, h: Hyperparameters) -> float:
    """The table of `sk_hpo.surrogates.kernel`."""
    squares = 0.0
    for j, (p, q) in enumerate(zip(a, b, strict=True)):
        if np.isnan(p) and np.isnan(q):
            continue
        if MIXED[j]:
            difference = float(p != q)
        elif np.isnan(p) or np.isnan(q):
            difference = ((q if np.isnan(p) else p) - 0.5) ** 2 + 0.25
        else:
            difference = (p - q) ** 2
        squares += difference * h.precision[j]
    r = np.sqrt(squares)
    return h.scale * (1 + np.sqrt(5) * r + 5 / 3 * r**2) * np.exp(-np.sqrt(5) * r)


def matrix(a: np.ndarray, b: np.ndarray, h: Hyperparameters) -> np.ndarray:
    return np.array([[textbook_kernel(p, q, h) for q in b] for p in a])
