"""Compare searches over an SVC on digits: same outer folds, same budget, honest scores.

scikit-learn's documentation compares its searches by the best score that each reports. That
score is the maximum of noisy numbers. Here each search runs on the training rows of every
outer fold, may train on as many rows as an exhaustive grid does, and is scored on the rows
that it has never seen.

Run it with ``python examples/compare_searches.py``; ``--plot FILE.png`` saves a picture.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    ParameterGrid,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.svm import SVC

from sk_hpo import (
    BayesSearchCV,
    CompareSearchesDisplay,
    HalvingHyperbandSearchCV,
    compare_searches,
)

GRID = {"C": np.logspace(0, 3, 4), "gamma": np.logspace(-5, -1.5, 8)}
SPACE = {"C": loguniform(1e0, 1e3), "gamma": loguniform(1e-5, 10**-1.5)}
INNER = 3


def searches(seed):
    svc = SVC()
    common = {"cv": StratifiedKFold(INNER), "random_state": seed}
    return {
        "GridSearchCV": GridSearchCV(svc, GRID, cv=common["cv"]),
        "RandomizedSearchCV": RandomizedSearchCV(svc, SPACE, **common),
        "HalvingRandomSearchCV": HalvingRandomSearchCV(
            svc, SPACE, min_resources="exhaust", **common
        ),
        "BayesSearchCV": BayesSearchCV(svc, SPACE, **common),
        "HalvingHyperbandSearchCV": HalvingHyperbandSearchCV(
            svc, SPACE, resource="n_samples", **common
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1797, help="rows of digits that are used")
    parser.add_argument("--folds", type=int, default=3, help="outer folds")
    parser.add_argument("--jobs", type=int, default=1, help="outer folds at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", help="file for a picture of score against time")
    args = parser.parse_args()

    X, y = load_digits(return_X_y=True)
    X, y = X[: args.rows], y[: args.rows]
    outer = StratifiedKFold(args.folds)
    n_train = max(len(train) for train, _ in outer.split(X, y))
    # Each candidate of the grid trains on (INNER - 1) / INNER of the rows, INNER times.
    budget = len(ParameterGrid(GRID)) * (INNER - 1) * n_train
    print(f"{len(X)} rows, {args.folds} outer folds; a search may train on {budget} rows")

    frame = compare_searches(
        searches(args.seed),
        X,
        y,
        outer_cv=outer,
        budget={"resource": budget},
        n_jobs=args.jobs,
    )
    shown = frame.drop(columns="resource").round(4)
    shown["params"] = [
        {name: float(f"{v:.3g}") for name, v in p.items()} for p in shown["params"]
    ]
    print("\n" + shown.to_string(index=False))
    means = frame.drop(columns=["fold", "resource", "params"]).groupby("search", sort=False)
    print("\nMeans over the outer folds:\n" + means.mean().round(4).to_string())
    if args.plot:
        CompareSearchesDisplay.from_frame(frame).figure_.savefig(args.plot)


if __name__ == "__main__":
    main()
