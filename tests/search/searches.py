"""The searches under test, one per way of spending: every test may ask for each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV

from sk_hpo import (
    ASHASearchCV,
    BayesSearchCV,
    BOHBSearchCV,
    HalvingHyperbandSearchCV,
    RandomSearchCV,
)

FLAT = ["random", "sobol", "grid", "bayes"]
HALVING = ["epochs", "samples", "max_iter", "asha", "bohb"]
ALL = FLAT + HALVING
BRACKETS = [kind for kind in HALVING if kind != "asha"]
# Those whose own sampler has a model.
LEARNING = ["bayes", "bohb"]
# One of each class: for what cannot depend on the sampler or the resource.
CLASSES = ["random", "bayes", "epochs", "asha", "bohb"]

# Those whose results do not depend on who finishes first.
SYNCHRONOUS = [kind for kind in CLASSES if kind != "asha"]

DEFAULTS: dict[str, dict[str, Any]] = {
    "random": {"n_iter": 5},
    "sobol": {"n_iter": 5, "sampler": "sobol"},
    "grid": {"n_iter": 5, "sampler": "grid"},
    "bayes": {"n_iter": 5, "n_initial_points": 3},
    "epochs": {"max_resources": 9, "brackets": 1},
    "samples": {"resource": "n_samples", "min_resources": 12},
    "max_iter": {"resource": "max_iter", "max_resources": 9, "brackets": 1},
    "asha": {"max_resources": 9, "n_candidates": 5},
    "bohb": {"max_resources": 9, "brackets": 1},
}

SPACE = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], "penalty": ["l1", "l2"]}
WIDE = {"alpha": loguniform(1e-5, 1e-1), "penalty": ["l1", "l2"]}


def data(n_samples: int = 90, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return a small problem on which candidates differ."""
    return make_classification(
        n_samples,
        8,
        n_informative=5,
        n_classes=n_classes,
        flip_y=0.2,
        random_state=0,
    )


def sgd(**params: Any) -> SGDClassifier:
    """Return an estimator that every kind of resource can train, always the same way."""
    return SGDClassifier(**{"random_state": 0, "tol": None, "max_iter": 9, **params})


def make(kind: str, estimator: Any = None, space: Any = None, **params: Any) -> Any:
    """Return a search of that kind, seeded, with three folds."""
    cls = {
        "random": RandomSearchCV,
        "sobol": RandomSearchCV,
        "grid": RandomSearchCV,
        "bayes": BayesSearchCV,
        "asha": ASHASearchCV,
        "bohb": BOHBSearchCV,
    }.get(kind, HalvingHyperbandSearchCV)
    return cls(
        sgd() if estimator is None else estimator,
        SPACE if space is None else space,
        **{"cv": 3, "random_state": 0, **DEFAULTS[kind], **params},
    )


def exhaustive(search: Any, candidates: list[dict[str, Any]], **params: Any) -> GridSearchCV:
    """Return scikit-learn's search over exactly those candidates, otherwise as `search`."""
    shared = ("estimator", "cv", "scoring", "error_score", "return_train_score", "refit")
    return GridSearchCV(
        param_grid=[{name: [value] for name, value in each.items()} for each in candidates],
        **{**{name: getattr(search, name) for name in shared}, **params},
    )


class Recorder(ClassifierMixin, BaseEstimator):
    """Counts its trainings, over all clones; predicts the first class.

    Parameters
    ----------
    calls : list
        Where they are noted: shared by clones, for it is not copied.
    """

    def __init__(
        self, calls: Any = None, x: float = 0.0, size: int = 1, warm_start: bool = False
    ):
        self.calls = calls
        self.x = x
        self.size = size
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Recorder:
        self.calls.note("fit", len(X), sample_weight)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        self.calls.note("score", len(X), sample_weight)
        return -abs(self.x)


class EpochRecorder(Recorder):
    """The same, with epochs."""

    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> EpochRecorder:
        self.calls.note("partial_fit", len(X), sample_weight)
        self.classes_ = np.unique(y) if classes is None else classes
        return self


class Calls:
    """A list of (method, rows, weights) that survives `clone`."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, int, Any]] = []

    def note(self, *call: Any) -> None:
        self.noted.append(call)

    def __deepcopy__(self, memo: Any) -> Calls:
        return self

    def __sklearn_clone__(self) -> Calls:
        return self

    @property
    def trainings(self) -> int:
        return sum(method != "score" for method, *_ in self.noted)
