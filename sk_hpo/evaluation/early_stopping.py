"""Who stops early by rows of its own, how it is handed other ones, and where it stopped.

An estimator that stops early holds rows back from training and watches them. Some carve these
rows themselves and will not be told which (SGD, multilayer perceptrons, gradient boosting);
others can be handed them (skorch nets, histogram gradient boosting, boosters with an
``eval_set``). Boosters are known by the signature of their ``fit``, so none is imported.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sk_hpo import _sklearn
from sk_hpo.evaluation.nets import is_net
from sk_hpo.evaluation.resources import Carve, TrainingData

__all__ = [
    "WATCHED_BY_USER",
    "Stopper",
    "handed_over",
    "last_of",
    "settled_on",
    "stopper_of",
]

_SHARE = 0.2  # of the training rows, where the estimator does not say


class Stopper(ABC):
    """How estimators of one kind stop early.

    Attributes
    ----------
    takes_rows : bool
        Whether they can be handed the rows to watch.
    carves : bool
        Whether they find rows to watch where they are handed none.
    switches : tuple of str
        Ends of the names of parameters that may make a candidate stop early.
    """

    takes_rows = False
    carves = True
    switches: tuple[str, ...] = ("early_stopping",)

    @abstractmethod
    def watches(self, estimator: Any, n_rows: int) -> bool:
        """Whether it holds rows back, with its parameters, from that many."""

    @abstractmethod
    def settled(self, fitted: Any) -> int | None:
        """Return what the model that is left was trained for; None if it watched no rows.

        In epochs, iterations or trees.
        """

    @abstractmethod
    def fix(self, estimator: Any, n_epochs: int) -> None:
        """Have an unfitted estimator train for `n_epochs`, and not stop early; in place."""

    def own_split(self, estimator: Any) -> Any:
        """Return the share or number of rows that it would hold back, or a splitter."""
        share = getattr(estimator, "validation_fraction", None)
        return _SHARE if share is None else share

    def handing(self, estimator: Any, carve: Carve) -> AbstractContextManager[None]:
        """Let ``fit`` of `estimator` watch the rows of `carve`, for the time of the block."""
        raise NotImplementedError


def last_of(estimator: Any) -> Any:
    """Return the estimator that is trained: of a `Pipeline`, its last step.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> last_of(make_pipeline("passthrough", SVC()))
    SVC()
    """
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def stopper_of(estimator: Any) -> Stopper | None:
    """Return how an estimator, no `Pipeline`, stops early; None if it never watches rows.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression, SGDClassifier
    >>> stopper_of(LogisticRegression()) is None
    True
    >>> stopper_of(SGDClassifier()).watches(SGDClassifier(early_stopping=True), 100)
    True
    """
    if is_net(estimator):
        from sk_hpo.evaluation.net_stopping import NetStopper

        return NetStopper()
    if not hasattr(estimator, "get_params") or not hasattr(estimator, "fit"):
        return None
    # Not by its parameters: a subclass may have fewer.
    if hasattr(estimator, "early_stopping") and hasattr(estimator, "max_iter"):
        return _HistogramBoosting() if _takes(estimator, "X_val") else _Iterating()
    if hasattr(estimator, "n_iter_no_change") and hasattr(estimator, "n_estimators"):
        return _GradientBoosting()
    return _EvalSetBooster() if _takes(estimator, "eval_set") else None


def handed_over(estimator: Any, data: TrainingData) -> AbstractContextManager[None]:
    """Let ``fit`` of `estimator` on `data` watch the rows that are carved, if there are any.

    Of a `Pipeline`, the last step watches them as the steps before, fitted on all rows of
    `data`, have transformed them: as it would see rows that it carves itself.
    """
    last = last_of(estimator)
    stopper = None if data.carve is None else stopper_of(last)
    if stopper is None or not stopper.takes_rows:
        return nullcontext()
    if not stopper.watches(last, _sklearn.num_samples(data.X)):
        return nullcontext()
    assert data.carve is not None
    return stopper.handing(last, data.carve)


def settled_on(fitted: Any) -> int | None:
    """Return what a fitted model was trained for if it stops early by rows that it watches.

    Returns
    -------
    n_epochs : int or None
        Epochs, iterations or trees of the model as it is: those of the best epoch where it
        goes back to that.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import SGDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SGDClassifier(early_stopping=True, random_state=0).fit(X, y)
    >>> settled_on(model) == model.n_iter_
    True
    >>> settled_on(SGDClassifier(random_state=0).fit(X, y)) is None
    True
    """
    last = last_of(fitted)
    stopper = stopper_of(last)
    return None if stopper is None else stopper.settled(last)


def _set(estimator: Any, **values: Any) -> None:
    """Set parameters, and what a subclass has made of them that are not its own."""
    own = estimator.get_params(deep=False)
    estimator.set_params(**{name: value for name, value in values.items() if name in own})
    vars(estimator).update({name: value for name, value in values.items() if name not in own})


def _takes(estimator: Any, argument: str) -> bool:
    return argument in inspect.signature(type(estimator).fit).parameters


# --- estimators of scikit-learn


class _Iterating(Stopper):
    """SGD, perceptrons and multilayer perceptrons."""

    def watches(self, estimator: Any, n_rows: int) -> bool:
        solver = getattr(estimator, "solver", None)  # of a multilayer perceptron
        return estimator.early_stopping is True and solver != "lbfgs"

    def settled(self, fitted: Any) -> int | None:
        # An adaptive rate follows the rows that are watched: no number of epochs is enough
        # to repeat that without them. Adam has none.
        adaptive = getattr(fitted, "learning_rate", None) == "adaptive"
        if not self.watches(fitted, 0) or (
            adaptive and getattr(fitted, "solver", "") != "adam"
        ):
            return None
        # A multilayer perceptron goes back to its best epoch, the others keep the last one.
        scores = getattr(fitted, "validation_scores_", ())
        return int(np.argmax(scores)) + 1 if len(scores) else int(fitted.n_iter_)

    def fix(self, estimator: Any, n_epochs: int) -> None:
        # Nor must they stop by the loss on the rows that they train on.
        perceptron = hasattr(estimator, "hidden_layer_sizes")
        patient = {"n_iter_no_change": n_epochs} if perceptron else {"tol": None}
        _set(estimator, early_stopping=False, max_iter=n_epochs, **patient)


class _GradientBoosting(Stopper):
    switches = ("n_iter_no_change",)

    def watches(self, estimator: Any, n_rows: int) -> bool:
        return estimator.n_iter_no_change is not None

    def settled(self, fitted: Any) -> int | None:
        return int(fitted.n_estimators_) if self.watches(fitted, 0) else None

    def fix(self, estimator: Any, n_epochs: int) -> None:
        _set(estimator, n_iter_no_change=None, n_estimators=n_epochs)


# Arguments of `fit` by which a user may say which rows to watch.
WATCHED_BY_USER = ("eval_set", "eval_X", "X_val")


class _TakingRows(Stopper):
    """Those that are handed rows by arguments of ``fit``."""

    takes_rows = True

    @abstractmethod
    def arguments(self, estimator: Any, X: Any, y: Any, weight: Any) -> dict[str, Any]:
        """Return the arguments that say which rows to watch, and their weights."""

    @contextmanager
    def handing(self, estimator: Any, carve: Carve) -> Iterator[None]:
        # Only here, behind the other steps of a Pipeline, are the rows as they are trained on.
        def fit(X: Any, y: Any, **params: Any) -> Any:
            del vars(estimator)["fit"]
            rows = carve.trains if self._none_given(params) else range(_sklearn.num_samples(X))
            own = _sklearn.check_method_params(X, params, rows)
            if self._none_given(params):
                watched = _sklearn.check_method_params(X, params, carve.watches)
                X_watched, y_watched = (_sklearn.take_rows(a, carve.watches) for a in (X, y))
                weight = watched.get("sample_weight")
                own |= self.arguments(estimator, X_watched, y_watched, weight)
                X, y = (_sklearn.take_rows(a, rows) for a in (X, y))
            return type(estimator).fit(estimator, X, y, **own)

        vars(estimator)["fit"] = fit
        try:
            yield
        finally:
            vars(estimator).pop("fit", None)

    def _none_given(self, params: dict[str, Any]) -> bool:
        """Whether the user has not passed rows to watch."""
        return all(params.get(name) is None for name in WATCHED_BY_USER)


class _HistogramBoosting(_TakingRows):
    def watches(self, estimator: Any, n_rows: int) -> bool:
        wants = estimator.early_stopping
        stops = n_rows > 10_000 if wants == "auto" else bool(wants)  # as it decides itself
        return stops and estimator.validation_fraction is not None

    def settled(self, fitted: Any) -> int | None:
        watched = fitted.do_early_stopping_ and fitted.validation_fraction is not None
        return int(fitted.n_iter_) if watched else None

    def fix(self, estimator: Any, n_epochs: int) -> None:
        _set(estimator, early_stopping=False, max_iter=n_epochs)

    def arguments(self, estimator: Any, X: Any, y: Any, weight: Any) -> dict[str, Any]:
        return {"X_val": X, "y_val": y, "sample_weight_val": weight}


# --- boosters of other libraries, by the interface that they share

_ROUNDS = ("n_estimators", "iterations", "num_boost_round", "num_trees", "num_iterations")
_PATIENCE = ("early_stopping_rounds", "early_stopping_round")


class _EvalSetBooster(_TakingRows):
    carves = False
    switches = _PATIENCE

    def watches(self, estimator: Any, n_rows: int) -> bool:
        params = estimator.get_params(deep=False)
        patience = [params.get(name) for name in _PATIENCE]
        return any(isinstance(n, int | float) and n > 0 for n in patience)

    def settled(self, fitted: Any) -> int | None:
        if not self.watches(fitted, 0):
            return None
        for name, last in (("best_iteration", -1), ("best_iteration_", 0)):
            best = _known(fitted, name)  # XGBoost counts from 0, LightGBM from 1
            if best is not None and best > last:
                return int(best) - last
        best = fitted.get_best_iteration() if hasattr(fitted, "get_best_iteration") else None
        return None if best is None else int(best) + 1  # CatBoost counts from 0

    def fix(self, estimator: Any, n_epochs: int) -> None:
        own = estimator.get_params(deep=False)
        # CatBoost, which needs no rows to watch, cannot be cloned with a None.
        off = n_epochs if hasattr(estimator, "get_best_iteration") else None
        estimator.set_params(**{name: off for name in _PATIENCE if name in own})
        said = [name for name in _ROUNDS if own.get(name) is not None]
        estimator.set_params(**{(said or _first_of(estimator, _ROUNDS))[0]: n_epochs})

    def arguments(self, estimator: Any, X: Any, y: Any, weight: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"eval_set": [(X, y)]}
        if _takes(estimator, "eval_X"):  # LightGBM from 4.7 on
            found = {"eval_X": X, "eval_y": y}
        for name in ("sample_weight_eval_set", "eval_sample_weight"):
            if weight is not None and _takes(estimator, name):
                found[name] = [weight]
        return found


def _known(fitted: Any, name: str) -> Any:
    try:
        return getattr(fitted, name, None)
    except Exception:  # XGBoost's property raises where nothing stopped early
        return None


def _first_of(estimator: Any, names: Sequence[str]) -> list[str]:
    """Return those of `names` that the constructor takes, n_estimators if it does not say."""
    taken = inspect.signature(type(estimator)).parameters
    return [name for name in names if name in taken] or [names[0]]
