"""scikit-learn's checks of every estimator, on every search."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_hpo import (
    ASHASearchCV,
    BayesSearchCV,
    BOHBSearchCV,
    HalvingHyperbandSearchCV,
    RandomSearchCV,
)

ONCE: dict[str, Any] = {"cv": 2, "error_score": "raise", "random_state": 0}
FLAT = {**ONCE, "n_iter": 2}
RUNGS = {**ONCE, "max_resources": 3, "brackets": 1}


def instances() -> list[Any]:
    """Return searches such as scikit-learn checks its own with, and each kind of resource."""
    return [
        RandomSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, **FLAT),
        BayesSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, **FLAT),
        HalvingHyperbandSearchCV(
            Pipeline([("pca", PCA()), ("sgd", SGDClassifier(random_state=0))]),
            {"sgd__alpha": [1e-4, 1e-2]},
            **RUNGS,
        ),
        HalvingHyperbandSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, resource="n_samples", **ONCE),
        HalvingHyperbandSearchCV(
            SGDClassifier(random_state=0, tol=None),
            {"alpha": [1e-4, 1e-2]},
            resource="max_iter",
            **RUNGS,
        ),
        ASHASearchCV(
            LogisticRegression(), {"C": [0.1, 1.0]}, resource="folds", n_candidates=2, **ONCE
        ),
        BOHBSearchCV(
            SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-2]}, fold_racing=True, **RUNGS
        ),
    ]


def expected_failures(search: Any) -> dict[str, str]:
    """Return the checks that scikit-learn's own searches fail as well, and why."""
    if not isinstance(search.estimator, Ridge):
        return {}
    return {
        "check_supervised_y_2d": "Ridge takes many targets and so does not warn of a column;"
        " the tags of a search do not pass that on"
    }


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@parametrize_with_checks(instances(), expected_failed_checks=expected_failures)
def test_estimator(estimator: Any, check: Any) -> None:
    check(estimator)
