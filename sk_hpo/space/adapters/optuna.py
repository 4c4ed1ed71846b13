"""Distributions of Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sk_hpo.space.adapters.words import finished, integers, kinds, reals, stepped

__all__ = ["from_optuna"]


def from_optuna(
    distributions: Mapping[str, Any], *, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return ``param_distributions`` for distributions of Optuna.

    Parameters
    ----------
    distributions : dict
        Name -> distribution, as ``OptunaSearchCV`` takes them. An objective that suggests
        its parameters has them in ``study.best_trial.distributions``: those that this trial
        met, without the conditions under which it did.
    names : dict, default=None
        Name of a distribution -> the estimator's parameter, where they differ.

    Returns
    -------
    param_distributions : dict
        ``FloatDistribution`` becomes ``uniform`` or ``loguniform``, ``IntDistribution``
        ``randint`` or `lograndint`, either with a step a list of numbers, and
        ``CategoricalDistribution`` a list.

    Raises
    ------
    ValueError
        If there are more than 1000 steps.
    TypeError
        If something is not of Optuna.

    Notes
    -----
    Of a logarithmic ``IntDistribution``, Optuna draws the nearest integer and `lograndint`
    the integer part: both are log-uniform, but the first integers differ in probability.

    Examples
    --------
    What a trial of a study suggested, for a search::

        space = from_optuna(study.best_trial.distributions, names={"lr": "optimizer__lr"})
        search = BayesSearchCV(estimator, space, sampler="tpe")
    """
    if not isinstance(distributions, Mapping):
        raise TypeError(
            "from_optuna takes a dict of name -> distribution, such as"
            f" study.best_trial.distributions; got {type(distributions).__name__}."
        )
    return finished({n: _distribution(n, d) for n, d in distributions.items()}, names)


def _distribution(name: str, distribution: Any) -> Any:
    found = kinds(distribution)
    if "CategoricalDistribution" in found:
        return list(distribution.choices)
    if not found & {"FloatDistribution", "IntDistribution"}:
        raise TypeError(
            f"Parameter {name!r}: {distribution!r} is no distribution of Optuna. What is not"
            " of Optuna can be added to the dict that from_optuna returns."
        )
    low, high, step = distribution.low, distribution.high, distribution.step
    if "FloatDistribution" in found:
        if step is not None:
            return stepped(name, low, high, step)
        return reals(low, high, distribution.log)
    if step != 1:
        return stepped(name, low, high, step)
    return integers(low, high, distribution.log)
