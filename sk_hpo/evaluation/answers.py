"""What a model has predicted, kept, so that metrics can be computed again on other rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, mean_absolute_error, mean_squared_error
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.pipeline import Pipeline

from sk_hpo import _sklearn

__all__ = ["Answers", "numbers", "plain_accuracy", "rescored", "row_scores"]

_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


class Answers:
    """An estimator as scorers see it, which remembers what it has predicted for X.

    Each method is asked once. With `rows`, it asks no more: it answers as if X were those
    rows of it.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like of shape (n_samples, ...)
        What its answers are remembered for; it must be this very object.
    known : mapping of str to array-like of shape (n_samples, ...), default={}
        Answers by method.
    rows : ndarray of int, default=None
        Which rows of the answers to give.
    """

    def __init__(
        self, estimator: Any, X: Any, known: Mapping[str, Any] = {}, rows: Any = None
    ) -> None:
        self.known = dict(known)
        self._estimator = estimator
        self._X = X
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._estimator, name)
        if name == "score":
            usual = _usual_score(self._estimator, self)
            if usual is None and self._rows is not None:
                raise AttributeError("a score of its own does not follow from predictions")
            return usual or own
        if name not in _METHODS:
            return own

        def answer(X: Any, *args: Any, **params: Any) -> Any:
            if self._rows is not None:
                return _sklearn.take_rows(self.known[name], self._rows)
            if X is not self._X or args or params:
                return own(X, *args, **params)
            if name not in self.known:
                self.known[name] = own(X)
            return self.known[name]

        answer.__name__ = name  # scorers ask for it
        return answer

    def at(self, rows: Any) -> Answers:
        """Return the answers for some rows."""
        return Answers(self._estimator, self._X, self.known, rows)


def _usual_score(estimator: Any, answers: Answers) -> Callable[..., Any] | None:
    """Return the ``score`` of scikit-learn's classifiers and regressors, by `answers`.

    None if the estimator has another.
    """
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    usual = _USUAL.get(getattr(type(last), "score", None))
    return partial(usual, answers) if usual is not None else None


def _share_of_whole_rows(answers: Answers, X: Any, y: Any) -> float:
    """Return the share of rows of which every output is right."""
    return float(np.all(y == answers.predict(X), axis=1).mean())


# ``score`` of a class -> the same without the class.
_USUAL: dict[Any, Callable[..., Any]] = {
    ClassifierMixin.score: ClassifierMixin.score,
    RegressorMixin.score: RegressorMixin.score,
    KNeighborsClassifier.score: ClassifierMixin.score,
    RadiusNeighborsClassifier.score: ClassifierMixin.score,
    MultiOutputClassifier.score: _share_of_whole_rows,
}


def rescored(
    answers: Answers, scorer: Any, X: Any, y: Any, params: dict[str, Any], rows: Any
) -> Any:
    """Return the scores of some rows by what was predicted; None if that cannot be.

    Parameters
    ----------
    answers : Answers
        Of all rows.
    scorer : callable
        Of one metric or several.
    X, y, params : array-like, array-like, dict
        All rows, and what the scorer takes besides; X may be None if it only predicts.
    rows : ndarray of int
        Which rows to score; they may occur several times.

    Returns
    -------
    scores : float, dict of str to float, or None
    """
    X_rows = rows if _sklearn.only_predicts(scorer) else _sklearn.take_rows(X, rows)
    y_rows = None if y is None else _sklearn.take_rows(y, rows)
    per_row = next(each for each in (X, y, *answers.known.values()) if each is not None)
    cut = _sklearn.check_method_params(per_row, params=params, indices=rows)
    try:
        return numbers(scorer(answers.at(rows), X_rows, y_rows, **cut))
    except Exception:  # whatever a metric raises, say for rows of one class only
        return None


def row_scores(answers: Answers, scorer: Any, y: Any) -> dict[str, Any] | None:
    """Return the scores of single rows, by metric, if each metric is a mean of such.

    The metric of a single scorer is called "score". None if one of them is not known to be a
    mean, say the area under a ROC curve.

    Returns
    -------
    scores : dict of str to ndarray of shape (n_samples,), or None
    """
    scorers = getattr(scorer, "_scorers", {"score": scorer})
    if not _sklearn.only_predicts(scorer):
        return None
    found = {}
    for name, each in scorers.items():
        metric, sign = _sklearn.metric_of(each)
        of_row = _OF_ROW.get(_usual_metric(answers) if metric == "score" else metric)
        if of_row is None or np.ndim(y) != 1:
            return None
        predicted = answers.known.get("predict")
        if predicted is None or np.shape(predicted) != np.shape(y):
            return None
        found[name] = sign * of_row(np.asarray(y), np.asarray(predicted)).astype(float)
    return found


_OF_ROW: dict[Any, Callable[[Any, Any], Any]] = {
    accuracy_score: lambda y, p: y == p,
    mean_squared_error: lambda y, p: (y - p) ** 2,
    mean_absolute_error: lambda y, p: abs(y - p),
}


def plain_accuracy(estimator: Any, X: Any, y: Any, scorer: Any) -> float | None:
    """Return what `accuracy_score` gives for classes that are small integers.

    Most of its time goes to find that they are. None if the metric is another, or if there
    is anything about the classes that scikit-learn should look at.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.metrics import get_scorer
    >>> X, y = np.zeros((9, 1)), np.array([1, 2, 2] * 3)
    >>> model = DummyClassifier().fit(X, y)
    >>> plain_accuracy(model, X, y, get_scorer("accuracy")) == model.score(X, y)
    True
    """
    metric, sign = _sklearn.metric_of(scorer) if _sklearn.is_single(scorer) else (None, 1)
    if metric == "score":
        answers = estimator if isinstance(estimator, Answers) else Answers(estimator, X)
        metric = _usual_metric(answers) if hasattr(answers, "score") else None
    if metric is not accuracy_score or sign != 1 or not _plain_classes(y):
        return None
    try:
        predicted = estimator.predict(X)
    except Exception:
        return None  # whoever asks next hears of it
    alike = _plain_classes(predicted) and len(predicted) == len(y)
    return float(np.average(y == predicted)) if alike else None


def _plain_classes(y: Any) -> bool:
    """Whether these are integers from 0, of which there may be enough for each class."""
    plain = type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iu" and len(y) > 0
    return plain and y.min() >= 0 and y.max() < len(y) // 2


def _usual_metric(answers: Answers) -> Any:
    """Return the metric that an estimator's own ``score`` is, if that is a mean over rows."""
    own = answers.score
    return accuracy_score if getattr(own, "func", None) is ClassifierMixin.score else None


def numbers(found: Any) -> Any:
    """Return scores as floats; NaN for those that scikit-learn gives a traceback for."""
    if not isinstance(found, dict):
        return float(found)
    return {k: math.nan if isinstance(v, str) else float(v) for k, v in found.items()}
