"""An integer parameter of the estimator as the resource, continued by ``warm_start``."""

from __future__ import annotations

import sys
import threading
import warnings
from contextlib import nullcontext
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sk_hpo.evaluation.partial_fit import integer_limit, shuffling_anew
from sk_hpo.evaluation.pickled import PickledResource, borrow
from sk_hpo.evaluation.resources import Model, TrainingData
from sk_hpo.evaluation.whole import fit

__all__ = ["QUIET", "WarmStart", "can_continue"]

_BAGGING = ("BaggingClassifier", "BaggingRegressor")
_HIST = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def can_continue(name: str, estimator: Any) -> bool:
    """Whether ``warm_start`` takes `estimator` from one value of `name` to a higher one.

    Examples
    --------
    >>> from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
    >>> can_continue("n_estimators", RandomForestClassifier())
    True
    >>> can_continue("max_depth", RandomForestClassifier())
    False
    >>> can_continue("n_estimators", AdaBoostClassifier())
    False
    """
    params = estimator.get_params(deep=False)
    if name not in params or "warm_start" not in params:
        return False
    if name == "n_estimators":
        # Gradient boosting forgets how long it has not improved; bagging refuses.
        return params.get("n_iter_no_change") is None and not (
            _is_ensemble(estimator, _BAGGING) and params["oob_score"]
        )
    if name == "max_iter":
        # liblinear ignores warm_start; a second call would draw other validation rows.
        return _is_ensemble(estimator, _HIST) or not (
            params.get("solver") == "liblinear" or params.get("early_stopping")
        )
    return False


class WarmStart(PickledResource):
    """Resource is the value of one integer parameter of the estimator.

    Where `can_continue` says so, a model goes on from where it stood:

    - the number of trees or boosting rounds (``n_estimators``; ``max_iter`` of
      histogram gradient boosting) is raised, which gives exactly the ensemble that
      would have been trained at once;
    - ``max_iter`` of an iterative solver (`LogisticRegression`, `SGDClassifier`, ...) is
      set to the iterations that are missing. Coefficients are kept, but the state of
      the solver (step sizes, momentum, curvature) starts anew at each rung. A solver
      that converged before its last iteration has stopped.

    Everything else is trained from scratch at each rung.

    Parameters
    ----------
    name : str
        The parameter, such as "n_estimators" or "regressor__n_estimators".
    continues : bool, default=True
        Whether models continue where they can.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> data = TrainingData([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> resource = WarmStart("n_estimators")
    >>> model = resource.begin(RandomForestRegressor(), data, 9)
    >>> for rung in (1, 3, 9):
    ...     resource.advance(model, data, rung)
    >>> resource.finish(model)
    RandomForestRegressor(n_estimators=9)
    """

    def __init__(self, name: str, *, continues: bool = True) -> None:
        self.name = self.parameter = name
        self.continues = continues

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return the parameter's value.

        Raises
        ------
        ValueError
            If it is not a positive integer.
        """
        return integer_limit(estimator, self.name)

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return an untrained model."""
        model = Model(estimator, extra={"top": max_resources, "asked": 0})
        model.continues = self.continues and can_continue(self.name, estimator)
        if model.continues:
            cumulative = model.extra["cumulative"] = self._cumulative(estimator)
            streams = _one_seed(estimator) if cumulative else shuffling_anew(estimator)
            borrow(model, warm_start=True, **streams)
        return model

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Train to `to`, quietly unless that is the top."""
        if to <= model.extra["asked"]:
            return
        model.extra["asked"] = to
        if model.stopped:
            return
        cumulative = model.extra.get("cumulative")
        if cumulative is None and model.resource:
            model.estimator = clone(model.estimator)
        step = to if cumulative in (None, True) else to - model.resource
        model.estimator.set_params(**{self.name: step})
        with QUIET if to < model.extra["top"] or _is_preset(model) else nullcontext():
            fit(model.estimator, data)
        if cumulative is None:
            model.resource = to
        else:
            self._count(model, step, to)

    def finish(self, model: Model) -> Any:
        """Return the estimator, its parameter being the resource it was asked for."""
        estimator = super().finish(model)
        return estimator.set_params(**{self.name: model.extra["asked"]})

    def _cumulative(self, estimator: Any) -> bool:
        return self.name == "n_estimators" or _is_ensemble(estimator, _HIST)

    def _count(self, model: Model, step: int, to: int) -> None:
        """Note how far the training came, and whether it ended before `to`."""
        done = _iterations(model.estimator, step)
        if not model.extra["cumulative"]:
            done += model.resource
        model.stopped = done < to or bool(getattr(model.estimator, "converged_", False))
        model.resource = max(done, model.resource, 1)


def _is_ensemble(estimator: Any, names: tuple[str, ...]) -> bool:
    # Importing scikit-learn's ensembles takes longer than the rest of this package.
    ensemble = sys.modules.get("sklearn.ensemble")
    return ensemble is not None and isinstance(
        estimator, tuple(getattr(ensemble, name) for name in names)
    )


def _is_preset(model: Model) -> bool:
    """Whether a forest would warn that its class weights may change between rungs."""
    weight = model.estimator.get_params(deep=False).get("class_weight")
    return "cumulative" in model.extra and isinstance(weight, str)


def _iterations(estimator: Any, step: int) -> int:
    """Return how many of `step` iterations were run, as far as the estimator says."""
    n_iter = getattr(estimator, "n_iter_", None)
    return step if n_iter is None else min(step, int(np.max(n_iter)))


def _one_seed(estimator: Any) -> dict[str, int]:
    """Return an integer for a ``random_state`` that is not one.

    Ensembles draw the seeds of all trees at each call and skip those they have.
    """
    state = estimator.get_params(deep=False).get("random_state", 0)
    if isinstance(state, Integral):
        return {}
    return {"random_state": int(check_random_state(state).randint(np.iinfo(np.int32).max))}


class _Quiet:
    """Hides the warnings that training in steps provokes; threads may overlap.

    `warnings.catch_warnings` alone would not do: of two threads, the first to enter is
    not the last to leave, and the filters would stay for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore", ConvergenceWarning)
                # Of forests; the data of the next rung are the same.
                warnings.filterwarnings("ignore", message="class_weight presets")

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._caught.__exit__(None, None, None)


QUIET = _Quiet()
