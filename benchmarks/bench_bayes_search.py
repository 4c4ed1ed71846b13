"""A whole BayesSearchCV against that of scikit-optimize: SVC on the digits, 3 folds.

Same space, folds, number of candidates and seeds, one core, in turn: seconds of the search,
of which those that are not fitting and scoring (what suggesting and bookkeeping cost), and
the best cross-validated accuracy. Without scikit-optimize there is nothing to compare with.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median

import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from sk_hpo import BayesSearchCV

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
C, GAMMA, KERNELS = (1e-3, 1e4), (1e-6, 1e1), ["rbf", "poly", "sigmoid"]


@dataclass(frozen=True)
class Cost:
    """Seconds of a search and of what is not cross-validation, and its best accuracy."""

    seconds: float
    overhead: float
    accuracy: float


def ours(n_iter: int, seed: int) -> object:
    space = {"C": loguniform(*C), "gamma": loguniform(*GAMMA), "kernel": KERNELS}
    return BayesSearchCV(SVC(), space, n_iter=n_iter, cv=FOLDS, refit=False, random_state=seed)


def theirs(n_iter: int, seed: int) -> object:
    import skopt
    from skopt.space import Categorical, Real

    space = {
        "C": Real(*C, prior="log-uniform"),
        "gamma": Real(*GAMMA, prior="log-uniform"),
        "kernel": Categorical(KERNELS),
    }
    return skopt.BayesSearchCV(
        SVC(), space, n_iter=n_iter, cv=FOLDS, refit=False, random_state=seed
    )


def cost(search, X: np.ndarray, y: np.ndarray) -> Cost:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    seconds = time.perf_counter() - start
    results = search.cv_results_
    per_fold = np.add(results["mean_fit_time"], results["mean_score_time"])
    return Cost(seconds, seconds - float(per_fold.sum()) * FOLDS.n_splits, search.best_score_)


def spread(values: list[float], form: str) -> str:
    """Return the median and the range."""
    low, high = min(values), max(values)
    return f"{median(values):{form}} ({low:{form}} to {high:{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-iter", type=int, default=64)
    options = parser.parse_args()
    if find_spec("skopt") is None:
        print("skipped: scikit-optimize is not installed")
        return
    X, y = load_digits(return_X_y=True)
    X = X / 16
    makers = {"sk_hpo": ours, "scikit-optimize": theirs}
    costs: dict[str, list[Cost]] = {name: [] for name in makers}
    for seed in range(options.seeds):
        # Each goes first in every other round.
        for name in list(makers)[:: -1 if seed % 2 else 1]:
            costs[name].append(cost(makers[name](options.n_iter, seed), X, y))
    print(f"BayesSearchCV(SVC(), n_iter={options.n_iter}), medians of {options.seeds} seeds")
    for name, of_name in costs.items():
        print(
            f"{name:16} {spread([c.seconds for c in of_name], '.1f')} s,"
            f" {spread([c.overhead for c in of_name], '.2f')} s of it not cross-validation,"
            f" accuracy {spread([c.accuracy for c in of_name], '.4f')}"
        )
    pairs = list(zip(*costs.values(), strict=True))
    whole = [b.seconds / a.seconds for a, b in pairs]
    overhead = [b.overhead / a.overhead for a, b in pairs]
    print(
        f"times faster: {spread(whole, '.1f')}; without cross-validation:"
        f" {spread(overhead, '.0f')}"
    )
    print(
        f"accuracy, difference: {spread([a.accuracy - b.accuracy for a, b in pairs], '+.4f')}"
    )


if __name__ == "__main__":
    main()
