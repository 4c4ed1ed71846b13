from __future__ import annotations

import warnings

import matplotlib
import pytest
from matplotlib import pyplot as plt
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import SGDClassifier
from sklearn.svm import SVC

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV, when

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _no_picture_stays():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def failing_hyperband(tmp_path_factory):
    """By the second of two metrics, on iris; some candidates cannot be trained."""
    search = HalvingHyperbandSearchCV(
        SGDClassifier(),
        {"alpha": loguniform(1e-5, 1e1), "loss": ["hinge", "log_loss", "hinges"]},
        max_resources=9,
        cv=3,
        scoring=["balanced_accuracy", "accuracy"],
        refit="accuracy",
        journal=tmp_path_factory.mktemp("displays") / "iris.journal",
        random_state=0,
    )
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        return search.fit(*load_iris(return_X_y=True))


@pytest.fixture(scope="session")
def with_conditions(tmp_path_factory):
    """A random search with a journal, a conditional parameter, choices and failures."""
    path = tmp_path_factory.mktemp("parameters") / "iris.journal"
    space = {
        "C": loguniform(1e-2, 1e2),
        "kernel": ["rbf", "poly"],
        "coef0": when(uniform(0, 2), kernel="poly"),
        "gamma": [-1.0, 0.5],
    }
    search = RandomSearchCV(SVC(), space, n_iter=12, cv=3, journal=path, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that are to fail
        return search.fit(*load_iris(return_X_y=True))
