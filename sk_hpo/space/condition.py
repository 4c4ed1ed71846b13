"""Conditions: parameters that exist only for some values of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_hpo.space.distribution import describe
from sk_hpo.trial import Config

__all__ = ["Asked", "Clause", "Condition", "When", "when"]


class When:
    """A distribution that is drawn from only under a condition; made by `when`.

    Attributes
    ----------
    distribution : list or distribution
        What the parameter is drawn from.
    conditions : tuple of (str, tuple)
        Names of other parameters, and the values that they must have; all must hold.
    """

    def __init__(
        self, distribution: Any, conditions: tuple[tuple[str, tuple[Any, ...]], ...]
    ) -> None:
        self.distribution = distribution
        self.conditions = conditions

    def __repr__(self) -> str:
        clauses = ", ".join(
            f"{name}={values[0]!r}"
            if len(values) == 1 and not isinstance(values[0], list | tuple | set | frozenset)
            else f"{name}={list(values)!r}"
            for name, values in self.conditions
        )
        return f"when({describe(self.distribution)}, {clauses})"


def when(distribution: Any, /, **conditions: Any) -> When:
    """Draw a parameter only if other parameters have certain values.

    Parameters
    ----------
    distribution : list or distribution
        What the parameter is drawn from while it exists.
    **conditions : object, or list, tuple, set, range or 1-d array of objects
        Name of another parameter of the same dict, and the value or values it must have.
        All must hold if there are several. The other parameter may be conditional too;
        while it does not exist, neither does this one. A list, tuple or set means *any
        of*: write ``hidden=[(50,)]`` for the tuple ``(50,)``.

    Returns
    -------
    when : When
        A value for ``param_distributions``.

    Raises
    ------
    TypeError
        If no condition is given.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from sk_hpo import when
    >>> {"solver": ["sgd", "adam"], "momentum": when(uniform(0, 1), solver="sgd")}
    {'solver': ['sgd', 'adam'], 'momentum': when(uniform(0, 1), solver='sgd')}
    """
    if not conditions:
        raise TypeError("when() needs a condition, for example when(uniform(), solver='sgd')")
    clauses = tuple((name, _any_of(values)) for name, values in conditions.items())
    if isinstance(distribution, When):
        return When(distribution.distribution, distribution.conditions + clauses)
    return When(distribution, clauses)


def _any_of(values: Any) -> tuple[Any, ...]:
    if isinstance(values, set | frozenset):
        return tuple(sorted(values, key=repr))
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return tuple(values.tolist())
    return tuple(values) if isinstance(values, list | tuple | range) else (values,)


@dataclass(frozen=True, slots=True)
class Clause:
    """One dimension must have one of some codes.

    Parameters
    ----------
    dimension : int
        Position of the dimension in its space.
    codes : frozenset of int
        Codes that it must have.
    """

    dimension: int
    codes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Condition:
    """All clauses must hold.

    Parameters
    ----------
    clauses : tuple of Clause
        No two about the same dimension.
    """

    clauses: tuple[Clause, ...]

    def holds(self, codes: Sequence[float | int | None] | Config) -> bool:
        """Whether the condition is true of the codes of all dimensions.

        An inactive dimension, whose code is None, makes it false.
        """
        return all(codes[c.dimension] in c.codes for c in self.clauses)


@dataclass(frozen=True, slots=True)
class Asked(Condition):
    """The user's function asks for the parameter, which only a run of it tells."""

    clauses: tuple[Clause, ...] = ()

    def holds(self, codes: Sequence[float | int | None] | Config) -> bool:
        """Raise TypeError."""
        raise TypeError("only a run of the function tells whether it asks for a parameter")
