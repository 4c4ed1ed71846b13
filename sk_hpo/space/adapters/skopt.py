"""Spaces of scikit-optimize."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from sk_hpo.space.adapters.words import (
    check_names,
    evenly_weighted,
    finished,
    integers,
    kinds,
    reals,
)

__all__ = ["from_skopt"]

_PRIORS = ("uniform", "log-uniform")


def from_skopt(space: Any, *, names: Mapping[str, str] | None = None) -> Any:
    """Return ``param_distributions`` for a space of scikit-optimize.

    Parameters
    ----------
    space : dict, list of dicts, or list of dimensions
        As ``search_spaces`` of its ``BayesSearchCV``; or dimensions that have names, as for
        ``gp_minimize``; or a ``skopt.space.Space`` of these.
    names : dict, default=None
        Name of a dimension -> the estimator's parameter, where they differ.

    Returns
    -------
    param_distributions : dict, or list of dicts
        ``Real`` becomes ``uniform`` or ``loguniform``, ``Integer`` becomes ``randint`` or
        `lograndint`, ``Categorical`` a list. Tuples and lists are what scikit-optimize takes
        them for: ``(1, 8)`` and ``[1, 8]`` are the integers from 1 to 8.

    Raises
    ------
    ValueError
        If a dimension has no name, or ``Categorical`` has uneven prior probabilities; or a
        space has a constraint, or its number of iterations with it.
    TypeError
        If something is not of scikit-optimize.

    Notes
    -----
    Of a log-uniform ``Integer``, scikit-optimize draws the nearest integer and `lograndint`
    the integer part: both are log-uniform, but the first integers differ in probability.
    Numbers in increasing or decreasing order are ordinal here.

    Examples
    --------
    >>> space = from_skopt({"degree": (1, 8), "kernel": ["linear", "poly", "rbf"]})
    >>> space["degree"].args, space["kernel"]
    ((1, 9), ['linear', 'poly', 'rbf'])
    """
    if isinstance(space, Mapping):
        return finished({n: _dimension(str(n), v) for n, v in space.items()}, names)
    if "Space" in kinds(space):
        if getattr(space, "constraint", None) is not None:
            raise ValueError(
                "The space has a constraint on a list of values. Give from_skopt its"
                " dimensions, and the search constraint=, a function of a dict."
            )
        space = space.dimensions
    if isinstance(space, str) or not isinstance(space, Iterable):
        raise TypeError(f"from_skopt takes a dict or a list of dimensions, got {space!r}.")
    parts = list(space)
    if any(isinstance(part, Mapping) for part in parts):
        dicts = [from_skopt(part) for part in parts]
        check_names(names or {}, [name for one in dicts for name in one])
        return [
            finished(d, {n: names[n] for n in d if n in names} if names else None)
            for d in dicts
        ]
    return finished(dict(_named(i, part) for i, part in enumerate(parts)), names)


def _named(i: int, part: Any) -> tuple[str, Any]:
    if isinstance(part, tuple) and part and isinstance(part[0], Mapping):
        raise ValueError(
            f"Space {i} comes with its number of iterations, {part[1:]}. Give from_skopt the"
            " dicts alone, and the search n_iter, which is for all of them together."
        )
    name = getattr(part, "name", None)
    if name is None:
        raise ValueError(
            f"Dimension {i}, {part!r}, has no name: give it one, such as Real(0.1, 1,"
            " name='alpha'), or use a dict of name -> dimension."
        )
    return name, _dimension(name, part)


def _dimension(name: str, value: Any) -> Any:
    found = kinds(value)
    if "Real" in found or "Integer" in found:
        return _range(name, value.low, value.high, value.prior, "Integer" in found)
    if "Categorical" in found:
        return evenly_weighted(name, value.categories, value.prior)
    if isinstance(value, (list, tuple, np.ndarray)):
        return _inferred(name, list(value))
    raise TypeError(
        f"Parameter {name!r}: {value!r} is no dimension of scikit-optimize, no list and no"
        " tuple."
    )


def _inferred(name: str, values: Sequence[Any]) -> Any:
    """Return what scikit-optimize's `check_dimension` takes a list or tuple for."""
    ends, rest = values[:2], list(values[2:])
    prior = rest[0] if rest else "uniform"
    known = isinstance(prior, str) and prior in _PRIORS
    base = len(rest) < 2 or (len(rest) == 2 and prior == "log-uniform")
    texts = any(isinstance(end, (str, bool, np.bool_)) for end in ends)
    if len(ends) < 2 or not (known and base) or texts:
        return list(values)
    if not all(isinstance(end, Real) for end in ends):
        return list(values)
    whole = all(isinstance(end, Integral) for end in ends)
    return _range(name, ends[0], ends[1], prior, whole)


def _range(name: str, low: Any, high: Any, prior: str, whole: bool) -> Any:
    if prior not in _PRIORS:
        raise ValueError(f"Parameter {name!r} has the prior {prior!r}, not one of {_PRIORS}.")
    log = prior == "log-uniform"
    if whole:
        return integers(int(low), int(high), log)
    return reals(float(low), float(high), log)
