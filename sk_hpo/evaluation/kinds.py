"""From what the user wrote in ``resource=`` to a `Resource`."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from numbers import Integral
from typing import Any

from sklearn.pipeline import Pipeline

from sk_hpo.evaluation.partial_fit import PartialFitEpochs, check_trains_in_epochs
from sk_hpo.evaluation.pipeline import PipelineResource, last_step
from sk_hpo.evaluation.resources import Resource
from sk_hpo.evaluation.samples import Samples, check_can_be_cut
from sk_hpo.evaluation.warm_start import WarmStart, can_continue
from sk_hpo.evaluation.whole import Whole

__all__ = ["resource_for"]


def resource_for(name: str | None, estimator: Any, *, seed: int) -> Resource:
    """Return how `estimator` is trained.

    Parameters
    ----------
    name : str or None
        "epochs", "n_samples", or an integer parameter of the estimator; None for one
        plain fit.
    estimator : estimator
        As the user passed it.
    seed : int
        Of subsamples.

    Raises
    ------
    ValueError
        If `estimator` has no such resource; the message lists those it has.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> resource_for("n_estimators", RandomForestClassifier(), seed=0).continues
    True
    >>> resource_for("epochs", RandomForestClassifier(), seed=0)
    Traceback (most recent call last):
    ...
    ValueError: RandomForestClassifier cannot train in epochs: ...
    """
    if name is None:
        return Whole()
    if name == "n_samples":
        check_can_be_cut(estimator)
        return Samples(seed)
    if name == "epochs":
        try:
            return _epochs(estimator)
        except ValueError as error:
            raise ValueError(f"{error}. {_instead(estimator)}") from None
    _check_parameter(name, estimator)
    return _parameter(name, estimator)


def _epochs(estimator: Any) -> Resource:
    if isinstance(estimator, Pipeline):
        return PipelineResource(_epochs(last_step(estimator)), step=estimator.steps[-1][0])
    skorch = sys.modules.get("skorch")
    if skorch is not None and isinstance(estimator, skorch.NeuralNet):
        from sk_hpo.evaluation.skorch import SkorchEpochs

        return SkorchEpochs()
    check_trains_in_epochs(estimator)
    return PartialFitEpochs()


def _parameter(name: str, estimator: Any) -> Resource:
    """Return the resource for parameter `name`, continued where that is possible."""
    step, _, rest = name.partition("__")
    if rest and isinstance(estimator, Pipeline) and step == estimator.steps[-1][0]:
        inner = _parameter(rest, last_step(estimator))
        if inner.continues:
            return PipelineResource(inner, name)
    return WarmStart(name, continues=can_continue(name, estimator))


def _check_parameter(name: str, estimator: Any) -> None:
    params = estimator.get_params()
    kind = type(estimator).__name__
    if name not in params:
        near = get_close_matches(name, ["epochs", "n_samples", *params], n=3)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else _instead(estimator)
        raise ValueError(f"resource={name!r} is not a parameter of {kind}; {hint}")
    value = params[name]
    if value is not None and not _is_integer(value):
        raise ValueError(
            f"resource={name!r} must be an integer parameter, but {kind} has"
            f" {name}={value!r}. {_instead(estimator)}"
        )


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _instead(estimator: Any) -> str:
    """Say which resources the estimator has."""
    integers = sorted(
        name
        for name, value in estimator.get_params().items()
        if _is_integer(value) and value >= 1 and name.endswith(("n_estimators", "max_iter"))
    )
    return f"resource may be {', '.join(map(repr, ['n_samples', *integers]))}"
