"""scikit-learn's checks of every estimator, on the three searches."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, RandomSearchCV

COMMON: dict[str, Any] = {"cv": 2, "error_score": "raise", "random_state": 0}


def instances() -> list[Any]:
    """Return what scikit-learn checks of `RandomizedSearchCV`, and each kind of resource."""
    tasks = [
        (Ridge(), {"alpha": [0.1, 1.0]}),
        (LogisticRegression(), {"C": [0.1, 1.0]}),
        (Pipeline([("pca", PCA()), ("ridge", Ridge())]), {"ridge__alpha": [0.1, 1.0]}),
        (Pipeline([("pca", PCA()), ("lr", LogisticRegression())]), {"lr__C": [0.1, 1.0]}),
    ]
    flat = [
        search(estimator, space, n_iter=2, **COMMON)
        for search in (RandomSearchCV, BayesSearchCV)
        for estimator, space in tasks
    ]
    sgd = [
        (SGDRegressor(random_state=0), {"alpha": [1e-4, 1e-2]}),
        (SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-2]}),
        (
            Pipeline([("pca", PCA()), ("sgd", SGDClassifier(random_state=0))]),
            {"sgd__alpha": [1e-4, 1e-2]},
        ),
    ]
    epochs = [
        HalvingHyperbandSearchCV(estimator, space, max_resources=9, **COMMON)
        for estimator, space in sgd
    ]
    trees = [
        HalvingHyperbandSearchCV(
            LogisticRegression(),
            {"C": [0.1, 1.0]},
            resource="max_iter",
            max_resources=9,
            **COMMON,
        )
    ]
    rows = [
        HalvingHyperbandSearchCV(estimator, space, resource="n_samples", **COMMON)
        for estimator, space in tasks[:2]
    ]
    return flat + epochs + trees + rows


@pytest.mark.filterwarnings("default")
@parametrize_with_checks(instances())
def test_estimator(estimator: Any, check: Any) -> None:
    check(estimator)
