"""Spaces of ConfigSpace, as SMAC, BOHB and NePS use them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import stats

from sk_hpo.space.adapters.configspace_forbidden import constraint_of
from sk_hpo.space.adapters.words import (
    evenly_weighted,
    finished,
    integers,
    kinds,
    reals,
    some_values,
    tabulated,
)
from sk_hpo.space.condition import When

__all__ = ["from_configspace"]

Test = Callable[[Any], bool]

# Integers with more levels than this are not tabulated.
_MOST_LEVELS = 10**6

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EqualsCondition": operator.eq,
    "NotEqualsCondition": operator.ne,
    "LessThanCondition": operator.lt,
    "GreaterThanCondition": operator.gt,
}


def from_configspace(
    space: Any, *, names: Mapping[str, str] | None = None, return_constraint: bool = False
) -> Any:
    """Return ``param_distributions`` for a space of ConfigSpace.

    Parameters
    ----------
    space : ConfigSpace.ConfigurationSpace
        With whatever hyperparameters, conditions and forbidden clauses.
    names : dict, default=None
        Name of a hyperparameter -> the estimator's parameter, where they differ.
    return_constraint : bool, default=False
        Whether to return a function for the search's ``constraint`` too: what the forbidden
        clauses say.

    Returns
    -------
    param_distributions : dict
        ``UniformFloat`` becomes ``uniform`` or ``loguniform``, ``UniformInteger``
        ``randint`` or `lograndint`, ``NormalFloat`` ``truncnorm``, ``BetaFloat`` ``beta``,
        normal and beta integers a distribution of these shapes; ``Categorical``,
        ``Ordinal`` and ``Constant`` become a list. Conditions are in `when`.
    constraint : callable or None
        ``constraint(params) -> bool``; None if nothing is forbidden. Only with
        ``return_constraint=True``.

    Raises
    ------
    ValueError
        If something is forbidden and `return_constraint` is False; for a normal or beta
        distribution on a logarithmic scale, uneven weights, a condition on a continuous
        parameter, or an alternative (Or) of conditions on several parameters. The message
        says what to write.
    TypeError
        If it is no ``ConfigurationSpace``.

    Notes
    -----
    The probabilities of a logarithmic ``UniformInteger`` are nearly those of `lograndint`.
    An ``Ordinal`` of anything but numbers in increasing or decreasing order is categorical
    here. Defaults are no part of a space here:
    ``points_to_evaluate=[dict(space.get_default_configuration())]`` tries them first.

    Examples
    --------
    A search over a space with forbidden clauses::

        space, constraint = from_configspace(configspace, return_constraint=True)
        search = BayesSearchCV(estimator, space, constraint=constraint)
    """
    if "ConfigurationSpace" not in kinds(space):
        raise TypeError(
            f"from_configspace takes a ConfigurationSpace, got {type(space).__name__}."
        )
    constraint = constraint_of(list(space.forbidden_clauses), names)
    if constraint is not None and not return_constraint:
        raise ValueError(
            f"The space forbids {len(space.forbidden_clauses)} things, which a dict cannot"
            " tell. Write space, constraint = from_configspace(..., return_constraint=True),"
            " and give the search constraint=constraint."
        )
    free = {name: _distribution(name, space[name]) for name in space}
    tests: dict[str, dict[str, list[Test]]] = {}
    for condition in space.conditions:
        _gather(condition, tests.setdefault(condition.child.name, {}))
    found = {name: _conditional(name, free, tests.get(name, {})) for name in free}
    result = finished(found, names)
    return (result, constraint) if return_constraint else result


# -- conditions ---------------------------------------------------------------------------


def _conditional(name: str, free: Mapping[str, Any], tests: Mapping[str, list[Test]]) -> Any:
    conditions = []
    for parent, several in tests.items():

        def holds(value: Any, several: list[Test] = several) -> bool:
            return all(test(value) for test in several)

        conditions.append((parent, some_values(name, parent, free[parent], holds)))
    return When(free[name], tuple(conditions)) if conditions else free[name]


def _gather(condition: Any, tests: dict[str, list[Test]]) -> None:
    """Add what a condition asks of each parent, all of which must hold."""
    found = kinds(condition)
    if "AndConjunction" in found:
        for component in condition.components:
            _gather(component, tests)
        return
    if "OrConjunction" in found:
        parent, test = _either(condition)
    else:
        parent, test = condition.parent.name, _test(condition)
    tests.setdefault(parent, []).append(test)


def _either(condition: Any) -> tuple[str, Test]:
    """Return the one parent of an alternative, and the test of it."""
    child = condition.child.name
    alternatives: list[list[Test]] = []
    parents: set[str] = set()
    for component in condition.components:
        inside: dict[str, list[Test]] = {}
        _gather(component, inside)
        parents |= set(inside)
        alternatives += inside.values()
    if len(parents) > 1:
        raise ValueError(
            f"Parameter {child!r} exists under one condition or another, on"
            f" {sorted(parents)}. when() joins conditions on several parameters by 'and'"
            " alone: write a list of dicts, one for each alternative."
        )
    return parents.pop(), lambda value: any(all(t(value) for t in a) for a in alternatives)


def _test(condition: Any) -> Test:
    found = kinds(condition)
    key = _order(condition.parent)
    if "InCondition" in found:
        values = list(condition.values)
        return lambda value: value in values
    for name, compare in _COMPARISONS.items():
        if name in found:
            other = key(condition.value)
            return lambda value: bool(compare(key(value), other))
    raise TypeError(
        f"Parameter {condition.child.name!r}: {type(condition).__name__} is not known."
    )


def _order(parent: Any) -> Callable[[Any], Any]:
    """Return what values of a parameter are compared by: of an ordinal, their position."""
    if "OrdinalHyperparameter" in kinds(parent):
        return list(parent.sequence).index
    return lambda value: value


# -- values -------------------------------------------------------------------------------


def _distribution(name: str, one: Any) -> Any:
    found = kinds(one)
    if "Constant" in found:
        return [one.value]
    if "OrdinalHyperparameter" in found:
        return list(one.sequence)
    if "CategoricalHyperparameter" in found:
        return evenly_weighted(name, one.choices, one.weights)
    if "UniformFloatHyperparameter" in found:
        return reals(one.lower, one.upper, one.log)
    if "UniformIntegerHyperparameter" in found:
        return integers(one.lower, one.upper, one.log)
    for shape, unit in (("Normal", _normal), ("Beta", _beta)):
        for kind, whole in (("Float", False), ("Integer", True)):
            if f"{shape}{kind}Hyperparameter" in found:
                if one.log:
                    raise ValueError(_on_log_scale(name, one, shape.lower()))
                return _integers(name, one, unit) if whole else unit(one, one.lower, one.upper)
    raise TypeError(f"Parameter {name!r}: {type(one).__name__} is not known.")


def _normal(one: Any, low: float, high: float) -> Any:
    """Return the normal distribution of `one`, cut off at its ends and put on [low, high]."""
    scale = (high - low) / (one.upper - one.lower)
    mean, sd = low + (one.mu - one.lower) * scale, one.sigma * scale
    return stats.truncnorm((low - mean) / sd, (high - mean) / sd, loc=mean, scale=sd)


def _beta(one: Any, low: float, high: float) -> Any:
    return stats.beta(one.alpha, one.beta, loc=low, scale=high - low)


def _integers(name: str, one: Any, unit: Callable[..., Any]) -> Any:
    # As ConfigSpace does: [0, 1] is cut into as many parts as there are integers.
    count = one.upper - one.lower + 1
    if count > _MOST_LEVELS:
        raise ValueError(
            f"Parameter {name!r} has {count} integers, too many for a table. Write"
            f" randint({one.lower}, {one.upper + 1})."
        )
    label = f"{type(one).__name__.removesuffix('Hyperparameter')}({one.lower}, {one.upper})"
    values = np.arange(one.lower, one.upper + 1)
    return tabulated(label, unit(one, 0.0, 1.0).cdf, np.linspace(0, 1, count + 1), values)


def _on_log_scale(name: str, one: Any, shape: str) -> str:
    instead = f"loguniform({one.lower}, {one.upper})"
    if shape == "normal":
        instead = f"{instead} or scipy.stats.lognorm(s, scale={one.mu})"
    return (
        f"Parameter {name!r} has a {shape} distribution on a logarithmic scale. Write"
        f" {instead}."
    )
