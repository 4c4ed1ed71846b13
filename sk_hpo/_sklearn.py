"""The only importer of scikit-learn's private names.

When scikit-learn moves one of them, this file is the one to mend. Written for 1.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from numbers import Integral
from traceback import format_exc
from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.callback._callback_context import CallbackContext
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._split import _yields_constant_splits as yields_constant_splits
from sklearn.model_selection._validation import (
    _insert_error_scores as insert_error_scores,
)
from sklearn.model_selection._validation import _score as score
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as warn_or_raise_about_fit_failures,
)
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseSearchCV",
    "CallbackContext",
    "HasMethods",
    "Integral",
    "Interval",
    "StrOptions",
    "callback_task",
    "check_method_params",
    "fit_context",
    "insert_error_scores",
    "is_single",
    "last_step_fit_params",
    "metric_of",
    "noting_scorer",
    "num_samples",
    "only_predicts",
    "safe_split",
    "score",
    "take_rows",
    "uses_groups",
    "warn_or_raise_about_fit_failures",
    "yields_constant_splits",
]


class _NotingMultimetricScorer(_MultimetricScorer):
    """A scorer of several metrics that tells which of them raised."""

    def __init__(self, scorer: Any, errors: dict[str, str]) -> None:
        super().__init__(scorers=scorer._scorers, raise_exc=scorer._raise_exc)
        self._errors = errors

    def __call__(self, estimator: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        scores: dict[str, Any] = super().__call__(estimator, *args, **kwargs)
        self._errors |= {name: text for name, text in scores.items() if isinstance(text, str)}
        return scores


def noting_scorer(scorer: Any, errors: dict[str, str]) -> Any:
    """Return a scorer like `scorer` that puts the traceback of what raises into `errors`.

    Parameters
    ----------
    scorer : callable
        For one metric or several.
    errors : dict of str to str
        Is filled: name of the metric ("score" for a single one) -> traceback.
    """
    if isinstance(scorer, _MultimetricScorer):
        return _NotingMultimetricScorer(scorer, errors)

    @wraps(scorer)
    def noting(*args: Any, **kwargs: Any) -> Any:
        try:
            return scorer(*args, **kwargs)
        except Exception:
            errors["score"] = format_exc()
            raise

    return noting


def metric_of(scorer: Any) -> tuple[Any, int]:
    """Return the metric of a scorer and its sign.

    "score" stands for the estimator's own. A metric of anything but the true y and what
    ``predict`` returns is None.
    """
    if isinstance(scorer, _PassthroughScorer):
        return "score", 1
    if scorer._kwargs or scorer._response_method != "predict":
        return None, 1
    return scorer._score_func, scorer._sign


def is_single(scorer: Any) -> bool:
    """Whether a scorer is scikit-learn's, of one metric."""
    return isinstance(scorer, _BaseScorer | _PassthroughScorer)


def only_predicts(scorer: Any) -> bool:
    """Whether a scorer does nothing with X but to let the estimator predict."""
    if isinstance(scorer, _MultimetricScorer):
        return all(map(only_predicts, scorer._scorers.values()))
    return is_single(scorer)


@contextmanager
def callback_task(
    context: CallbackContext | None,
    caller: Any,
    estimator: Any,
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
) -> Iterator[None]:
    """Tell the callbacks of `caller` that `estimator` is trained within this block.

    Parameters
    ----------
    context : CallbackContext or None
        Leaf task of `caller`; None if nobody listens.
    caller : estimator
        The search.
    estimator : estimator
        What is trained; gets the callbacks that propagate.
    X, y : array-like
        Its training rows.
    fit_params : dict
        Of which callbacks are told the ``sample_weight``.
    """
    if context is None:
        yield
        return
    weight = fit_params.get("sample_weight")
    metadata = None if weight is None else {"sample_weight": weight}
    told = {"estimator": caller, "X": X, "y": y, "metadata": metadata}
    try:
        with context.propagate_callback_context(estimator):
            context.call_on_fit_task_begin(**told)
            yield
    finally:
        context.call_on_fit_task_end(**told)


def last_step_fit_params(pipeline: Any, fit_params: dict[str, Any]) -> dict[str, Any]:
    """Return what ``pipeline.fit(X, y, **fit_params)`` passes to ``fit`` of its last step.

    Parameters
    ----------
    pipeline : Pipeline
        With fitted transformers, which ``transform_input`` may call.
    fit_params : dict
        With or without metadata routing.
    """
    routed = pipeline._check_method_params(method="fit", props=fit_params)
    of_step = pipeline._get_metadata_for_step(
        step_idx=len(pipeline.steps) - 1,
        step_params=routed[pipeline.steps[-1][0]],
        all_params=fit_params,
    )
    return dict(of_step["fit"])


def uses_groups(cv: Any) -> bool:
    """Whether a splitter looks at groups; one that does not say so is taken to do."""
    if not hasattr(cv, "get_metadata_routing"):
        return True
    return bool(cv.get_metadata_routing().split.requests.get("groups"))
