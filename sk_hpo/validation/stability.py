"""How far the outer folds agree about a parameter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_hpo.space.dimension import Dimension
from sk_hpo.space.space import Space

__all__ = ["Stability", "stability_of"]


@dataclass(frozen=True)
class Stability:
    """How far the outer folds agree about one parameter.

    Attributes
    ----------
    mode : object
        The value that was selected most often, the first of several. None where the
        parameter did not exist.
    agreement : float
        Share of the outer folds that selected `mode`: 1 if all agree.
    spread : float
        For a number: standard deviation over the folds (with n - 1) of its place between
        0 and 1 on the scale that it is sampled on, which is its quantile for a distribution
        (so that decades count alike for ``loguniform``) and its position for an ordered
        list. 0 if all agree; numbers drawn blindly give 0.29 (the root of 1/12). NaN for
        what has no order, and for fewer than two folds.
    """

    mode: Any
    agreement: float
    spread: float

    def __str__(self) -> str:
        spread = "" if np.isnan(self.spread) else f", spread {self.spread:.2f}"
        return f"{self.mode!r} in {self.agreement:.0%} of the folds{spread}"


def stability_of(search: Any, selected: Sequence[Mapping[str, Any]]) -> dict[str, Stability]:
    """Return the stability of each searched parameter.

    Parameters
    ----------
    search : estimator
        Of which ``param_distributions`` or ``param_grid`` gives the scale. A parameter
        that is not in it, or is in several of its dicts, is compared by value only; so is
        any where ``param_distributions`` is a function.
    selected : sequence of dict
        ``best_params_`` of the outer folds that did not fail.

    Returns
    -------
    stability : dict of str to Stability
        Sorted by name.
    """
    names = sorted({name for params in selected for name in params})
    dimensions = _dimensions(search)
    return {
        name: _stability([params.get(name) for params in selected], dimensions.get(name))
        for name in names
    }


def _dimensions(search: Any) -> dict[str, Dimension]:
    """Return the dimension of each parameter that has exactly one."""
    spec = getattr(search, "param_distributions", getattr(search, "param_grid", None))
    if callable(spec):  # what it asks for has its own names
        return {}
    try:
        dimensions = Space(spec or []).dimensions
    except (TypeError, ValueError):  # another library's space, or objects with rvs alone
        return {}
    counts = Counter(dimension.name for dimension in dimensions)
    return {d.name: d for d in dimensions if counts[d.name] == 1}


def _stability(values: Sequence[Any], dimension: Dimension | None) -> Stability:
    known = [value for value in values if value is not None]
    keys = [repr(value) for value in values]
    most_common, count = Counter(keys).most_common(1)[0]
    spread = np.nan
    if dimension is not None and dimension.kind != "categorical" and len(known) > 1:
        places = [dimension.to_unit(dimension.code(value)) for value in known]
        spread = float(np.std(places, ddof=1))
    return Stability(values[keys.index(most_common)], count / len(values), spread)
