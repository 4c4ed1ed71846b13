"""What the loop costs: RandomSearchCV against RandomizedSearchCV on a fit that does nothing.

Both search 200 candidates on 3 folds, in turn; printed are milliseconds per fit and their
difference, medians over the repeats.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import RandomizedSearchCV

from sk_hpo import RandomSearchCV

N_ITER, FOLDS = 200, 3


class Nothing(ClassifierMixin, BaseEstimator):
    """Learns nothing, at once."""

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


def milliseconds_per_fit(search_class: type, X: np.ndarray, y: np.ndarray) -> float:
    search = search_class(
        Nothing(), {"x": uniform()}, n_iter=N_ITER, cv=FOLDS, random_state=0, refit=False
    )
    start = time.perf_counter()
    search.fit(X, y)
    return 1000 * (time.perf_counter() - start) / (N_ITER * FOLDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    X, y = np.zeros((300, 5)), np.arange(300) % 2
    milliseconds_per_fit(RandomSearchCV, X, y)
    milliseconds_per_fit(RandomizedSearchCV, X, y)
    runs = [
        (
            milliseconds_per_fit(RandomSearchCV, X, y),
            milliseconds_per_fit(RandomizedSearchCV, X, y),
        )
        for _ in range(repeats)
    ]
    differences = sorted(ours - theirs for ours, theirs in runs)
    print(f"RandomizedSearchCV  {median(theirs for _, theirs in runs):6.3f} ms a fit")
    print(f"RandomSearchCV      {median(ours for ours, _ in runs):6.3f} ms a fit")
    print(
        f"difference          {median(differences):6.3f} ms"
        f"  ({differences[0]:.3f} to {differences[-1]:.3f})"
    )


if __name__ == "__main__":
    main()
