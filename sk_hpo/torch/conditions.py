"""Conditional spaces: the same under other names, and as scikit-learn understands them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sk_hpo.space.condition import When
from sk_hpo.space.space import Space

__all__ = ["prefixed", "without_conditions"]


def prefixed(prefix: str, space: Mapping[str, Any]) -> dict[str, Any]:
    """Return `space` with a prefix before every name, those in conditions too.

    Examples
    --------
    >>> from sk_hpo.space.condition import when
    >>> prefixed("net__", {"a": [1, 2], "b": when([3, 4], a=2)})
    {'net__a': [1, 2], 'net__b': when([3, 4], net__a=2)}
    """
    return {prefix + name: _prefixed(prefix, value) for name, value in space.items()}


def _prefixed(prefix: str, value: Any) -> Any:
    if not isinstance(value, When):
        return value
    conditions = tuple((prefix + name, values) for name, values in value.conditions)
    return When(value.distribution, conditions)


def without_conditions(space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a conditional space as a list of dicts, each without conditions.

    It is for searches that do not know `sk_hpo.when`: scikit-learn's
    ``RandomizedSearchCV``, and, if there are only lists in `space`, ``GridSearchCV``.

    Parameters
    ----------
    space : dict
        Name of a parameter -> list, distribution, or `sk_hpo.when` with one.

    Returns
    -------
    dicts : list of dict
        One for every combination of values that conditions ask for. A search that
        chooses among the dicts with equal probability draws from the same distribution,
        if what conditions ask for are lists (and not, say, conditional themselves).

    Examples
    --------
    >>> from sk_hpo import when
    >>> without_conditions({"a": [1, 2], "b": when([3, 4], a=2), "c": [5]})
    [{'a': [1], 'c': [5]}, {'a': [2], 'b': [3, 4], 'c': [5]}]
    """
    conditional = {name: value for name, value in space.items() if isinstance(value, When)}
    asked = {parent for value in conditional.values() for parent, _ in value.conditions}
    if not asked:
        return [dict(space)]
    parents = Space({name: space[name] for name in asked})
    return [_given(space, parents.params(config)) for config in parents.enumerate()]


def _given(space: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `space` that exists once its conditions' parameters are chosen."""
    found: dict[str, Any] = {}
    for name, value in space.items():
        conditions = value.conditions if isinstance(value, When) else ()
        if name in chosen:
            found[name] = [chosen[name]]
        elif all(p in chosen and chosen[p] in values for p, values in conditions):
            found[name] = value.distribution if conditions else value
    return found
