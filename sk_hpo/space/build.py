"""From ``param_distributions`` to dimensions: every mistake is reported here, by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from sk_hpo.space.condition import Clause, Condition, When
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.domain import Choices, make_domain

__all__ = ["HIDDEN", "build_dimensions", "free_dimension", "nearest", "topological_order"]

# Name of the dimension that chooses among several dicts; no parameter can have it.
HIDDEN = "<dict>"


def build_dimensions(param_distributions: Any) -> tuple[Dimension, ...]:
    """Return the dimensions of a dict or a list of dicts.

    Raises
    ------
    TypeError, ValueError
        As `sk_hpo.space.space.Space` says.
    """
    dicts = _as_dicts(param_distributions)
    if len(dicts) == 1:
        return tuple(_build_dict(dicts[0], offset=0, chosen=()))
    dimensions = [Dimension(HIDDEN, Choices(range(len(dicts))))]
    for i, one in enumerate(dicts):
        chosen = (Clause(0, frozenset({i})),)
        dimensions += _build_dict(one, offset=len(dimensions), chosen=chosen)
    return tuple(dimensions)


def _as_dicts(param_distributions: Any) -> list[Mapping[str, Any]]:
    # Types and wording of scikit-learn's ParameterSampler and ParameterGrid.
    if isinstance(param_distributions, Mapping):
        return [param_distributions]
    if not isinstance(param_distributions, Iterable):
        raise TypeError(
            f"Parameter distribution is not a dict or a list, got: {param_distributions!r} of"
            f" type {type(param_distributions).__name__}"
        )
    dicts = list(param_distributions)
    for one in dicts:
        if not isinstance(one, Mapping):
            raise TypeError(f"Parameter distribution is not a dict ({one!r})")
    if not dicts:
        raise ValueError("Parameter distribution is an empty list: there is nothing to try")
    return dicts


def _build_dict(
    one: Mapping[str, Any], offset: int, chosen: tuple[Clause, ...]
) -> Iterator[Dimension]:
    for name in one:
        if not isinstance(name, str):
            raise TypeError(f"Parameter name {name!r} is not a str")
    names = sorted(one)
    values = {n: one[n].distribution if isinstance(one[n], When) else one[n] for n in names}
    free = {n: free_dimension(n, values[n]) for n in names}
    position = {n: offset + i for i, n in enumerate(names)}
    for name in names:
        clauses = chosen
        if isinstance(one[name], When):
            clauses += _build_clauses(name, one[name], free, position)
        yield Dimension(name, free[name].domain, Condition(clauses) if clauses else None)


def free_dimension(name: str, value: Any) -> Dimension:
    """Return the dimension that a list or distribution describes, without a condition.

    Raises
    ------
    TypeError, ValueError
        If it is neither, or wrong; names the parameter.
    """
    if not (hasattr(value, "rvs") or hasattr(value, "cdf")):
        _check_list(name, value)
    try:
        return Dimension(name, make_domain(value))
    except ValueError as error:
        raise ValueError(f"Parameter {name!r}: {error}") from error


def _check_list(name: str, value: Any) -> None:
    if not isinstance(value, Iterable):
        raise TypeError(
            f"Parameter grid for parameter {name!r} is not iterable or a distribution"
            f" (value={value})"
        )
    if isinstance(value, np.ndarray) and value.ndim > 1:
        raise ValueError(
            f"Parameter array for {name!r} should be one-dimensional, got: {value!r} with"
            f" shape {value.shape}"
        )
    if isinstance(value, str) or not isinstance(value, np.ndarray | Sequence):
        raise TypeError(
            f"Parameter grid for parameter {name!r} needs to be a list or a numpy array, but"
            f" got {value!r} (of type {type(value).__name__}) instead. Single values need to"
            " be wrapped in a list with one element."
        )
    if len(value) == 0:
        raise ValueError(
            f"Parameter grid for parameter {name!r} need to be a non-empty sequence, got:"
            f" {value!r}"
        )


def _build_clauses(
    name: str, when: When, free: Mapping[str, Dimension], position: Mapping[str, int]
) -> tuple[Clause, ...]:
    codes: dict[str, frozenset[int]] = {}
    for parent, values in when.conditions:
        if parent not in free:
            raise ValueError(
                f"Parameter {name!r} depends on {parent!r}, which is not in the same"
                f" dict{nearest(parent, free)}"
            )
        allowed = frozenset(_reachable(name, free[parent], v) for v in values)
        codes[parent] = codes.get(parent, allowed) & allowed
        if not codes[parent]:
            raise ValueError(f"Parameter {name!r}: {when!r} has no value of {parent!r} left")
    return tuple(Clause(position[parent], allowed) for parent, allowed in codes.items())


def _reachable(name: str, parent: Dimension, value: Any) -> int:
    problem = f"Parameter {name!r} exists only when {parent.name!r} is {value!r}, but"
    if math.isinf(parent.n_levels):
        raise ValueError(f"{problem} {parent.name!r} is continuous")
    try:
        code = parent.code(value)
    except ValueError as error:
        raise ValueError(f"{problem} {error}") from None
    if code not in parent.domain:
        raise ValueError(f"{problem} the probability of that is nearly zero")
    return int(code)


def topological_order(dimensions: Sequence[Dimension]) -> tuple[int, ...]:
    """Return positions with parents before children, otherwise as they stand.

    Raises
    ------
    ValueError
        If conditions go in a circle, or one can never hold.
    """
    parents = [_codes(d) for d in dimensions]
    needs: dict[int, dict[int, frozenset[int]]] = {}
    while len(needs) < len(dimensions):
        waiting = [i for i in range(len(dimensions)) if i not in needs]
        i = next((i for i in waiting if parents[i].keys() <= needs.keys()), None)
        if i is None:
            raise ValueError(_circle(dimensions, parents, needs.keys()))
        needs[i] = dict(parents[i])
        for parent in parents[i]:
            for ancestor, codes in needs[parent].items():
                needs[i][ancestor] = needs[i].get(ancestor, codes) & codes
        for ancestor, codes in needs[i].items():
            if not codes:
                raise ValueError(
                    f"Parameter {dimensions[i].name!r} can never exist: its conditions, one"
                    f" by one, want different values of {dimensions[ancestor].name!r}"
                )
    return tuple(needs)


def _codes(dimension: Dimension) -> dict[int, frozenset[int]]:
    clauses = dimension.condition.clauses if dimension.condition else ()
    return {c.dimension: c.codes for c in clauses}


def _circle(
    dimensions: Sequence[Dimension], parents: Sequence[Iterable[int]], placed: Iterable[int]
) -> str:
    placed = set(placed)
    path = [next(i for i in range(len(dimensions)) if i not in placed)]
    while (parent := next(p for p in parents[path[-1]] if p not in placed)) not in path:
        path.append(parent)
    circle = [*path[path.index(parent) :], parent]
    names = " -> ".join(repr(dimensions[i].name) for i in circle)
    return f"The conditions of parameters go in a circle: {names}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'a' or 'b'?"``, or nothing if no name is near."""
    close = get_close_matches(name, list(names), n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
