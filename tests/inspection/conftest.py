from __future__ import annotations

import matplotlib
import pytest
from matplotlib import pyplot as plt
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import SGDClassifier

from sk_hpo import HalvingHyperbandSearchCV

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
