"""From what the user wrote in ``resource=`` to a `Resource`."""

from __future__ import annotations

from difflib import get_close_matches
from numbers import Integral
from typing import Any

from sklearn.pipeline import Pipeline

from sk_hpo.evaluation.folds import Folds
from sk_hpo.evaluation.nets import is_net, kin_of
from sk_hpo.evaluation.partial_fit import PartialFitEpochs, check_trains_in_epochs
from sk_hpo.evaluation.pipeline import PipelineResource, last_step
from sk_hpo.evaluation.resources import Accelerator, Resource
from sk_hpo.evaluation.samples import Samples, check_can_be_cut
from sk_hpo.evaluation.warm_start import WarmStart, can_continue
from sk_hpo.evaluation.whole import Whole

__all__ = ["resource_for"]


def resource_for(
    name: str | None, estimator: Any, *, seed: int, accelerator: Accelerator = "off"
) -> Resource:
    """Return how `estimator` is trained.

    Parameters
    ----------
    name : str or None
        "epochs", "n_samples", "folds", or an integer parameter of the estimator; None for
        one plain fit.
    estimator : estimator
        As the user passed it.
    seed : int
        Of subsamples.
    accelerator : {"auto", "loader", "off", "require"}, default="off"
        How skorch nets are made faster.

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
    if accelerator == "require" and kin_of(estimator, accelerator) is None:
        raise ValueError(
            "accelerator='require' needs a skorch net, or a Pipeline that ends in one, got"
            f" {type(estimator).__name__}"
        )
    if name is None:
        return Whole(accelerator)
    if name == "folds":
        return Folds(accelerator)
    if name == "epochs":
        try:
            return _epochs(estimator, accelerator)
        except ValueError as error:
            raise ValueError(f"{error}. {_instead(estimator)}") from None
    resource = _samples(estimator, seed) if name == "n_samples" else _parameter(name, estimator)
    if accelerator == "require":
        raise ValueError(
            f"accelerator='require' cannot be had with resource={name!r}, for which nets are"
            " trained by themselves; it can with 'epochs', 'folds' or None"
        )
    return resource


def _epochs(estimator: Any, accelerator: Accelerator) -> Resource:
    if isinstance(estimator, Pipeline):
        inner = _epochs(last_step(estimator), accelerator)
        return PipelineResource(inner, step=estimator.steps[-1][0])
    if is_net(estimator):
        from sk_hpo.evaluation.skorch import SkorchEpochs

        return SkorchEpochs(accelerator=accelerator)
    check_trains_in_epochs(estimator)
    return PartialFitEpochs()


def _samples(estimator: Any, seed: int) -> Resource:
    check_can_be_cut(estimator)
    return Samples(seed)


def _parameter(name: str, estimator: Any) -> Resource:
    """Return the resource for parameter `name`, continued where that is possible."""
    _check_parameter(name, estimator)
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
        near = get_close_matches(name, ["epochs", "n_samples", "folds", *params], n=3)
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
