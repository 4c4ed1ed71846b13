"""An estimator whose score on each fold is known beforehand."""

from __future__ import annotations

from collections import Counter
from typing import Any
from zlib import crc32

import numpy as np
from scipy.stats import uniform
from search.searches import Calls
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import KFold

N_SPLITS = 5
X = np.arange(40.0).reshape(-1, 1)
y = np.arange(40) % 2
CV = KFold(N_SPLITS)
SPACE = {"x": uniform(0, 1)}


class Kept(Calls):
    """The same list after pickling, as models are between rungs."""

    def __init__(self) -> None:
        super().__init__()
        _KEPT.append(self)

    def __reduce__(self) -> Any:
        return _kept, (_KEPT.index(self),)


_KEPT: list[Kept] = []


def _kept(i: int) -> Kept:
    return _KEPT[i]


class Scored(ClassifierMixin, BaseEstimator):
    """Is as good as `x` says, more or less, on each fold; notes what it is trained on.

    Parameters
    ----------
    calls : Kept
        Where that is noted.
    x : float, default=0.5
        Its worth.
    noise : float, default=0.0
        By how much folds differ.
    fails : float, default=0.0
        Above what `x` it fails, on the third fold.
    """

    def __init__(
        self, calls: Any = None, x: float = 0.5, noise: float = 0.0, fails: float = 2.0
    ) -> None:
        self.calls = calls
        self.x = x
        self.noise = noise
        self.fails = fails

    def fit(self, X: Any, y: Any) -> Scored:
        return self.partial_fit(X, y, method="fit")

    def partial_fit(self, X: Any, y: Any, classes: Any = None, method: str = "epoch") -> Scored:
        self.classes_ = np.unique(y)
        left_out = set(range(40)) - set(X[:, 0].astype(int))
        self.fold_ = min(left_out, default=40) // 8
        self.calls.note(method, self.x, self.fold_)
        if self.x > self.fails and self.fold_ == 2:
            raise RuntimeError("the third fold")
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), int)

    def score(self, X: Any, y: Any) -> float:
        return self.x + self.noise * jitter(self.x, self.fold_)


def jitter(x: float, fold: int) -> float:
    """Return a number in [-1/2, 1/2] that looks random, the same for the same arguments."""
    return crc32(f"{x:.12f}-{fold}".encode()) / 2**32 - 0.5


def splits(results: dict[str, Any]) -> np.ndarray:
    return np.column_stack([results[f"split{i}_test_score"] for i in range(N_SPLITS)])


def fitted(calls: Kept) -> Counter[tuple[float, int]]:
    """Return how often each (candidate, fold) was trained in the search."""
    return Counter((x, fold) for method, x, fold in calls.noted if fold < N_SPLITS)
