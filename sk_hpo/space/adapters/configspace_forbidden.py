"""What a space of ConfigSpace forbids, as a function that a search takes as ``constraint``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sk_hpo.space.adapters.words import kinds

__all__ = ["Allowed", "constraint_of"]

# The longer names first: a relation "or equal" is derived from the one without.
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "Equals": operator.eq,
}


@dataclass(frozen=True)
class _OfValue:
    """A parameter compared with a value; False where there is no such parameter."""

    name: str
    compare: Callable[[Any, Any], bool]
    value: Any
    order: tuple[Any, ...] | None = None

    def holds(self, params: Mapping[str, Any]) -> bool:
        if self.name not in params:
            return False
        pair = params[self.name], self.value
        if self.order is not None:
            return self.compare(*map(self.order.index, pair))
        return self.compare(*pair)


@dataclass(frozen=True)
class _OfTwo:
    """Two parameters compared; False where one of them is not there."""

    left: str
    compare: Callable[[Any, Any], bool]
    right: str

    def holds(self, params: Mapping[str, Any]) -> bool:
        if self.left not in params or self.right not in params:
            return False
        return self.compare(params[self.left], params[self.right])


@dataclass(frozen=True)
class _In:
    name: str
    values: tuple[Any, ...]

    def holds(self, params: Mapping[str, Any]) -> bool:
        return self.name in params and params[self.name] in self.values


@dataclass(frozen=True)
class _Several:
    join: Callable[[Any], bool]
    parts: tuple[Any, ...]

    def holds(self, params: Mapping[str, Any]) -> bool:
        return self.join(part.holds(params) for part in self.parts)


@dataclass(frozen=True)
class Allowed:
    """Whether none of some clauses forbids the parameters; can be pickled.

    Parameters
    ----------
    clauses : tuple
        Made by `constraint_of`.
    """

    clauses: tuple[Any, ...]

    def __call__(self, params: Mapping[str, Any]) -> bool:
        """Return False for what is forbidden."""
        return not any(clause.holds(params) for clause in self.clauses)


def constraint_of(clauses: Sequence[Any], names: Mapping[str, str] | None) -> Allowed | None:
    """Return what the forbidden clauses of ConfigSpace allow; None if there are none.

    Parameters
    ----------
    clauses : sequence
        ``ConfigurationSpace.forbidden_clauses``.
    names : mapping or None
        Other names for some of the parameters.

    Raises
    ------
    TypeError
        For a clause that is not known.
    """
    renamed = dict(names or {})
    return Allowed(tuple(_clause(one, renamed) for one in clauses)) if clauses else None


def _clause(one: Any, names: Mapping[str, str]) -> Any:
    found = kinds(one)
    for join, name in ((all, "ForbiddenAndConjunction"), (any, "ForbiddenOrConjunction")):
        if name in found:
            return _Several(join, tuple(_clause(part, names) for part in one.components))
    if "ForbiddenInClause" in found:
        return _In(_name(one.hyperparameter, names), tuple(one.values))
    for name, compare in _COMPARISONS.items():
        if f"Forbidden{name}Relation" in found:
            return _OfTwo(_name(one.left, names), compare, _name(one.right, names))
        if f"Forbidden{name}Clause" in found:
            parameter = one.hyperparameter
            ordinal = "OrdinalHyperparameter" in kinds(parameter)
            order = tuple(parameter.sequence) if ordinal else None
            return _OfValue(_name(parameter, names), compare, one.value, order)
    raise TypeError(
        f"The forbidden clause {one!r} is not known: write a function constraint(params) that"
        " is False for what it forbids."
    )


def _name(parameter: Any, names: Mapping[str, str]) -> str:
    name: str = parameter.name
    return names.get(name, name)
