"""Hyperparameters of Keras Tuner."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sk_hpo.space.adapters.words import (
    finished,
    integers,
    kinds,
    reals,
    some_values,
    stepped,
    tabulated,
)
from sk_hpo.space.condition import When
from sk_hpo.space.distribution import describe

__all__ = ["from_keras_tuner"]

Clauses = tuple[tuple[str, tuple[Any, ...]], ...]


def from_keras_tuner(
    hyperparameters: Any, *, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return ``param_distributions`` for the hyperparameters of Keras Tuner.

    Parameters
    ----------
    hyperparameters : keras_tuner.HyperParameters
        Those that were declared, say by ``hypermodel.build(hyperparameters)``, or
        ``tuner.oracle.get_space()``.
    names : dict, default=None
        Name of a hyperparameter, with its scope as ``scope/name``, -> the estimator's
        parameter, where they differ.

    Returns
    -------
    param_distributions : dict
        ``Int`` becomes ``randint`` or `lograndint`, ``Float`` ``uniform`` or ``loguniform``,
        either with a step a list, ``Choice`` and ``Boolean`` a list, ``Fixed`` a list of
        one. ``sampling="reverse_log"`` becomes a distribution of that shape, and what has a
        parent or is in a ``conditional_scope`` is in `when`. The distributions are those that
        Keras Tuner draws from, but that it loses the last step of a ``Float`` where rounding
        has it so: of 0 to 0.3 by 0.1, it never draws 0.3.

    Raises
    ------
    ValueError
        If a hyperparameter has several definitions, can never exist, or has more than 1000
        steps.
    TypeError
        If it is no ``HyperParameters``.

    Notes
    -----
    A ``Choice`` of numbers is ordinal if they are in increasing or decreasing order,
    whatever ``ordered`` is. Of conditions, only those are known that Keras Tuner is told of:
    ``for i in range(hp.Int("n_layers", 1, 3))`` has none.

    Examples
    --------
    >>> from sk_hpo.space.adapters.keras_tuner import reverse_loguniform
    >>> momentum = reverse_loguniform(0.01, 1.0)
    >>> [round(float(q), 2) for q in momentum.ppf([0, 0.5, 1])]
    [0.01, 0.91, 1.0]
    """
    if "HyperParameters" not in kinds(hyperparameters):
        raise TypeError(
            "from_keras_tuner takes keras_tuner.HyperParameters, got"
            f" {type(hyperparameters).__name__}. Of a tuner, tuner.oracle.get_space() has them."
        )
    by_name: dict[str, list[Any]] = {}
    for one in hyperparameters.space:
        by_name.setdefault(one.name, []).append(one)
    space: dict[str, Any] = {}
    for name, several in by_name.items():
        distribution = _one_distribution(name, several)
        conditions = tuple(
            (
                parent,
                some_values(name, parent, _parent(name, parent, space), wanted.__contains__),
            )
            for parent, wanted in _one_condition(name, several)
        )
        space[name] = When(distribution, conditions) if conditions else distribution
    return finished(space, names)


def _parent(name: str, parent: str, space: Mapping[str, Any]) -> Any:
    if parent not in space:
        raise ValueError(f"Parameter {name!r} depends on {parent!r}, which was not declared.")
    return space[parent]


# -- conditions ---------------------------------------------------------------------------


def _one_distribution(name: str, several: Sequence[Any]) -> Any:
    found = [_distribution(name, one) for one in several]
    if len({describe(distribution) for distribution in found}) > 1:
        raise ValueError(_ambiguous(name, "other values"))
    return found[0]


def _one_condition(name: str, several: Sequence[Any]) -> Clauses:
    """Return one condition for what is declared under several: the same but for one parent."""
    clauses = [_clauses(one.conditions) for one in several]
    first = clauses[0]
    parents = [parent for parent, _ in first]
    if any([parent for parent, _ in others] != parents for others in clauses):
        raise ValueError(_ambiguous(name, "other parents"))
    differing = [i for i in range(len(first)) if len({c[i] for c in clauses}) > 1]
    if len(differing) > 1:
        raise ValueError(_ambiguous(name, "other values of several parents"))
    joined = [
        (parent, tuple(dict.fromkeys(value for c in clauses for value in c[i][1])))
        for i, parent in enumerate(parents)
    ]
    return tuple(joined)


def _clauses(conditions: Sequence[Any]) -> Clauses:
    """Return each parent with the values that all of its conditions allow."""
    found: dict[str, tuple[Any, ...]] = {}
    for condition in conditions:
        values = found.get(condition.name, tuple(condition.values))
        found[condition.name] = tuple(v for v in values if v in condition.values)
    return tuple(sorted(found.items()))


def _ambiguous(name: str, what: str) -> str:
    return (
        f"Parameter {name!r} is declared several times, with {what}. Give each declaration a"
        " name of its own, or write a list of dicts, one for each."
    )


# -- values -------------------------------------------------------------------------------


def _distribution(name: str, one: Any) -> Any:
    found = kinds(one)
    if "Fixed" in found:
        return [one.value]
    if "Boolean" in found:
        return [False, True]
    if "Choice" in found:
        return list(one.values)
    if not found & {"Int", "Float"}:
        raise TypeError(
            f"Parameter {name!r}: {type(one).__name__} is not known. Write a list or a"
            " distribution for it."
        )
    whole = "Int" in found
    if one.step is not None and not (whole and one.step == 1 and one.sampling == "linear"):
        return _stepped(name, one, whole)
    low, high, log = one.min_value, one.max_value, one.sampling == "log"
    if one.sampling == "reverse_log" and low < high:
        return _reversed_integers(low, high) if whole else reverse_loguniform(low, high)
    return integers(low, high, log) if whole else reals(low, high, log)


def _stepped(name: str, one: Any, whole: bool) -> list[Any]:
    low, high = one.min_value, one.max_value
    if one.sampling == "linear":
        return stepped(name, low, high, one.step)
    count = int(math.log(high / low, one.step) + 1e-8) + 1
    values = [low * math.pow(one.step, i) for i in range(count)]
    if one.sampling == "reverse_log":
        values = [high + low - value for value in reversed(values)]
    return [int(value) for value in values] if whole else values


def _reversed_integers(low: int, high: int) -> Any:
    # Keras Tuner draws a real number from [low, high + 1) and takes its integer part.
    label = f"reverse_lograndint({low}, {high + 1})"
    edges = np.arange(low, high + 2)
    return tabulated(label, reverse_loguniform(low, high + 1).cdf, edges, edges[:-1])


class ReverseLogUniformGen(stats.rv_continuous):  # type: ignore[misc]
    """A continuous random variable x whose ``low + high - x`` is log-uniform.

    Parameters
    ----------
    low : float
        Smallest value, above 0.
    high : float
        Largest value, above `low`.
    """

    def _argcheck(self, low: Any, high: Any) -> Any:
        return (low > 0) & (high > low)

    def _get_support(self, low: Any, high: Any) -> tuple[Any, Any]:
        return low, high

    def _pdf(self, x: Any, low: Any, high: Any) -> Any:
        return 1 / ((low + high - x) * np.log(high / low))

    def _cdf(self, x: Any, low: Any, high: Any) -> Any:
        return 1 - np.log((low + high - x) / low) / np.log(high / low)

    def _ppf(self, q: Any, low: Any, high: Any) -> Any:
        return np.clip(low + high - low * (high / low) ** (1 - q), low, high)


reverse_loguniform = ReverseLogUniformGen(name="reverse_loguniform")
