"""Five searches compared on an SVM and on gradient boosting.

`GridSearchCV`, `RandomizedSearchCV` and successive halving of scikit-learn, beside Bayesian
optimization and Hyperband: each runs on the training rows of every outer fold, may spend as
much as the grid does, and is scored on rows that it has never seen. The score that a search
reports itself is the highest of many noisy numbers, and no basis for a comparison.
"""

import os

import numpy as np
from matplotlib import pyplot as plt
from scipy.stats import loguniform, randint
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import GradientBoostingClassifier
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

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"
# Shuffled: the rows of digits are sorted by who wrote them.
INNER = StratifiedKFold(3, shuffle=True, random_state=0)
OUTER = StratifiedKFold(2 if SMALL else 4, shuffle=True, random_state=1)


def searches(estimator, grid, space, resource, **ladder):
    """Return the five searches over one space; halving and Hyperband give out a resource."""
    common = {"cv": INNER, "random_state": 0}
    return {
        "grid": GridSearchCV(estimator, grid, cv=INNER),
        "random": RandomizedSearchCV(estimator, space, **common),
        "halving": HalvingRandomSearchCV(
            estimator, space, resource=resource, **ladder, **common
        ),
        "Bayes": BayesSearchCV(estimator, space, **common),
        "Hyperband": HalvingHyperbandSearchCV(
            estimator, space, resource=resource, **ladder, **common
        ),
    }


# %%
# ## The same budget for all
#
# `compare_searches` sets `n_iter`, `n_candidates` or `hyperband_iterations` to the largest
# number that costs no more than the grid: training rows of the SVM, trees of the boosting.


def compare(X, y, estimator, grid, space, resource, cost, **ladder):
    """Return a frame with a row for each search and outer fold."""
    budget = {"resource": len(ParameterGrid(grid)) * cost}
    of_all = searches(estimator, grid, space, resource, **ladder)
    return compare_searches(of_all, X, y, outer_cv=OUTER, budget=budget)


def means(frame):
    """Return the means over the outer folds, as text."""
    columns = ["n_fits", "resource_spent", "inner_score", "outer_score", "optimism"]
    return frame.groupby("search", sort=False)[columns].mean().round(3).to_string()


X, y = load_digits(return_X_y=True)
n_rows, n_gammas, n_depths = (160, 2, 2) if SMALL else (1200, 6, 4)
X, y = X[:n_rows], y[:n_rows]
# A candidate trains on two thirds of the rows of an outer fold, three times.
rows_per_candidate = 2 * max(len(train) for train, _ in OUTER.split(X, y))
on_svm = compare(
    X,
    y,
    SVC(),
    {"C": np.logspace(0, 3, 4), "gamma": np.logspace(-5, -1.5, n_gammas)},
    {"C": loguniform(1e0, 1e3), "gamma": loguniform(1e-5, 10**-1.5)},
    "n_samples",
    rows_per_candidate,
)
print("SVC on digits\n" + means(on_svm))

# %%
# Trees are added to where the model stood (`warm_start`), so that Hyperband can afford more
# candidates; scikit-learn's halving trains each rung from scratch.

X, y = load_breast_cancer(return_X_y=True)
n_trees, least = (3, 1) if SMALL else (54, 2)
on_boosting = compare(
    X,
    y,
    GradientBoostingClassifier(n_estimators=n_trees, subsample=0.5, random_state=0),
    {"learning_rate": np.logspace(-2, 0, 4), "max_depth": range(1, n_depths + 1)},
    {"learning_rate": loguniform(1e-2, 1e0), "max_depth": randint(1, n_depths + 1)},
    "n_estimators",
    3 * n_trees,
    min_resources=least,
    max_resources=n_trees,
)
print("gradient boosting on breast cancer\n" + means(on_boosting))

# %%
# ## What came out
#
# A small point is an outer fold, a large one a mean, bars are standard errors. Searches whose
# bars overlap cannot be told apart by so few folds. The
# seconds were taken on a machine that did other things too, and are no more than rough.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
titles = ("SVC on digits", "gradient boosting on breast cancer")
for ax, frame, title in zip(axes, (on_svm, on_boosting), titles, strict=True):
    CompareSearchesDisplay.from_frame(frame, ax=ax)
    ax.set_title(title)
    handles, labels = ax.get_legend_handles_labels()
    ax.get_legend().remove()
    ax.spines[["top", "right"]].set_visible(False)
figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)

# %%
# What each search reports itself, less the score on the outer rows: the optimism. On digits the
# final model is better than what was reported, since it is trained on half as many rows again.

figure, axes = plt.subplots(
    1, 2, figsize=(10, 3.2), layout="constrained", sharex=True, sharey=True
)
for ax, frame, title in zip(axes, (on_svm, on_boosting), titles, strict=True):
    by_name = dict(list(frame.groupby("search", sort=False)["optimism"]))
    for row, optimism in enumerate(by_name.values()):
        ax.plot(optimism, [row] * len(optimism), "o", color="#0072B2", alpha=0.5)
        ax.plot(optimism.mean(), row, "D", color="#D55E00", markersize=8)
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(by_name)), list(by_name))
    ax.set(xlabel="inner minus outer score", title=title)
    ax.spines[["top", "right", "left"]].set_visible(False)
axes[0].invert_yaxis()
