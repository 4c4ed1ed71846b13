"""What the adapters share: ranges, lists and conditions of other libraries, in our words.

An adapter knows another library's objects by the names of their classes and attributes, and
imports nothing: whoever has such an object has imported its library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sk_hpo.space.build import nearest
from sk_hpo.space.condition import When
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.domain import make_domain
from sk_hpo.space.space import Space

__all__ = [
    "check_names",
    "evenly_weighted",
    "finished",
    "integers",
    "kinds",
    "multiples",
    "reals",
    "some_values",
    "stepped",
    "tabulated",
]

# A list of more values is hardly meant as one, and slow to search.
MOST_VALUES = 1000


def kinds(thing: object) -> frozenset[str]:
    """Return the names of an object's class and its bases."""
    return frozenset(kind.__name__ for kind in type(thing).__mro__)


def reals(low: float, high: float, log: bool = False) -> Any:
    """Return the uniform or log-uniform distribution between two numbers.

    Examples
    --------
    >>> reals(2.0, 2.0)
    [2.0]
    """
    if low == high:
        return [low]
    return stats.loguniform(low, high) if log else stats.uniform(low, high - low)


def integers(low: int, high: int, log: bool = False) -> Any:
    """Return the uniform or log-uniform distribution of integers, both ends included.

    Examples
    --------
    >>> integers(1, 8, log=True)
    lograndint(1, 9)
    """
    if low == high:
        return [low]
    return (lograndint if log else stats.randint)(low, high + 1)


def stepped(name: str, low: float, high: float, step: float) -> list[Any]:
    """Return ``low``, ``low + step``, ... up to `high`.

    Examples
    --------
    >>> stepped("dropout", 0.0, 0.5, 0.1)
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    """
    count = math.floor((high - low) / step + 1e-8) + 1
    _check_count(name, count, low, high)
    return [_tidy(low + i * step) for i in range(count)]


def multiples(name: str, low: float, high: float, step: float) -> list[Any]:
    """Return the multiples of `step` in [low, high].

    Examples
    --------
    >>> multiples("units", 10, 65, 16)
    [16, 32, 48, 64]
    """
    first, last = math.ceil(low / step - 1e-8), math.floor(high / step + 1e-8)
    if first > last:
        raise ValueError(f"Parameter {name!r}: no multiple of {step} is in [{low}, {high}].")
    return stepped(name, first * step, last * step, step)


def _check_count(name: str, count: int, low: float, high: float) -> None:
    if count > MOST_VALUES:
        instead = f"randint({low}, {high + 1})"
        if not isinstance(low, int):
            instead = f"uniform({low}, {_tidy(high - low)})"
        raise ValueError(
            f"Parameter {name!r} has {count} values, which is too long for a list (of at most"
            f" {MOST_VALUES}). Write {instead}, or larger steps."
        )


def _tidy(value: Any) -> Any:
    """Return 0.3 for 0.30000000000000004."""
    return value if isinstance(value, int) else float(f"{value:.12g}")


def tabulated(label: str, cdf: Callable[[Any], Any], edges: Any, values: Any) -> Any:
    """Return the distribution of integers that each stand for a part of a continuous one.

    Parameters
    ----------
    label : str
        What the distribution calls itself.
    cdf : callable
        Of the continuous distribution.
    edges : array of shape (n_values + 1,)
        Where the parts meet, increasing.
    values : array of shape (n_values,)
        The integers.

    Examples
    --------
    >>> coin = tabulated("coin", lambda x: x, [0.0, 0.25, 1.0], [3, 8])
    >>> [float(coin.pmf(k)) for k in (3, 4, 8)]
    [0.25, 0.0, 0.75]
    """
    weights = np.diff(np.asarray(cdf(np.asarray(edges, dtype=float)), dtype=float))
    table = (np.asarray(values), weights / weights.sum())
    return stats.rv_discrete(name=label, values=table)()


def evenly_weighted(name: str, values: Sequence[Any], weights: Any) -> list[Any]:
    """Return a list, whose values are all as probable; ValueError if weights say otherwise."""
    if weights is not None and len(set(weights)) > 1:
        raise ValueError(
            f"Parameter {name!r} has probabilities {list(weights)}, but the values of a list"
            f" are drawn evenly. Leave the probabilities out, or write a list in which the"
            f" more probable of {list(values)} occur several times."
        )
    return list(values)


def some_values(
    name: str, parent: str, distribution: Any, holds: Callable[[Any], bool]
) -> tuple[Any, ...]:
    """Return the values of `parent` for which a condition of `name` holds.

    Raises
    ------
    ValueError
        If they cannot be listed, or there are none.
    """
    inside = distribution.distribution if isinstance(distribution, When) else distribution
    domain = make_domain(inside)
    if domain.n_levels > MOST_VALUES:
        raise ValueError(
            f"Parameter {name!r} exists for some values of {parent!r}, but these are too many"
            f" to be listed. Write a list of at most {MOST_VALUES} values for {parent!r}, or"
            f" leave out the condition of {name!r}."
        )
    values = [domain.value(code) for code in domain.levels()]
    found = tuple(value for value in values if holds(value))
    if not found:
        raise ValueError(
            f"Parameter {name!r} can never exist: its condition is false for every value of"
            f" {parent!r}. Leave it out."
        )
    return found


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError for one of `names` that is not known."""
    known = list(known)
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise ValueError(f"names has {name!r}, which is not in the space{near}")


def finished(space: Mapping[str, Any], names: Mapping[str, str] | None) -> dict[str, Any]:
    """Return a space under an estimator's names.

    Parameters
    ----------
    space : mapping
        As for `Space`.
    names : mapping or None
        Other names for some of its parameters.

    Raises
    ------
    ValueError
        If `names` has one that is not there, two parameters get one name, or the space is
        not sound.

    Examples
    --------
    >>> from sk_hpo.space.condition import when
    >>> finished({"a": [1, 2], "b": when([3], a=1)}, {"a": "net__a"})
    {'net__a': [1, 2], 'b': when([3], net__a=1)}
    """
    names = dict(names or {})
    check_names(names, space)
    renamed: dict[str, Any] = {}
    for name, value in space.items():
        new = names.get(name, name)
        if new in renamed:
            raise ValueError(f"Two parameters would be called {new!r}: see names.")
        if isinstance(value, When):
            conditions = tuple((names.get(p, p), values) for p, values in value.conditions)
            value = When(value.distribution, conditions)
        renamed[new] = value
    if renamed:
        Space(renamed)
    return renamed
