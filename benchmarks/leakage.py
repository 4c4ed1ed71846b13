"""What the leakage check costs: CPU seconds of it all against those of a cheap search.

70,000 rows of 784 columns (as many as MNIST has), random pixels of which most are 0, as uint8
and as float32, in 5 folds; with and without copied rows, of which the check has to compare
each. The search is a RandomSearchCV of its default size (10 candidates and a refit) over
SGDClassifier, one pass over the rows for each model. CPU seconds are of this process, which
runs both: other programs do not count.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from scipy.stats import loguniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold

from sk_hpo import RandomSearchCV
from sk_hpo.validation.leakage import fingerprint, fit_alarms

FOLDS, CANDIDATES = 5, 10


def pixels(n_rows: int, n_copies: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (n_rows, 784)).astype(np.uint8)
    X[X < 200] = 0
    y = rng.integers(0, 10, n_rows)
    X[:n_copies], y[:n_copies] = X[n_rows - n_copies :], y[n_rows - n_copies :]
    return X.astype(dtype), y


def seconds_of_check(X: np.ndarray, y: np.ndarray, splits: list, repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        fit_alarms(fingerprint(X), X, y, splits)
        taken.append(time.process_time() - start)
    return median(taken)


def seconds_of_search(X: np.ndarray, y: np.ndarray) -> float:
    search = RandomSearchCV(
        SGDClassifier(max_iter=1, tol=None, random_state=0),
        {"alpha": loguniform(1e-6, 1e-2)},
        n_iter=CANDIDATES,
        cv=FOLDS,
        random_state=0,
    )
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    table = []
    for dtype in ("uint8", "float32"):
        searched = None
        for n_copies in (0, arguments.rows // 10):
            X, y = pixels(arguments.rows, n_copies, dtype)
            splits = list(StratifiedKFold(FOLDS).split(X, y))
            checked = seconds_of_check(X, y, splits, arguments.repeats)
            searched = searched or seconds_of_search(X, y)
            table.append({"dtype": dtype, "n_copies": n_copies, "check": checked})
            table[-1] |= {"search": searched, "ratio": checked / searched}
    print(f"{arguments.rows} x 784, {FOLDS} folds, {CANDIDATES} candidates of SGDClassifier")
    print("dtype    copied rows  check (CPU s)  search (CPU s)  check / search")
    for row in table:
        print(
            f"{row['dtype']:8s} {row['n_copies']:11d} {row['check']:14.3f}"
            f" {row['search']:15.1f} {row['ratio']:15.2%}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
