"""A narrower space around a config: the second half of coarse-then-fine."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy import stats

from sk_hpo.space.build import topological_order
from sk_hpo.space.condition import When
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.distribution import LogRandIntGen, closed_form, describe, lograndint
from sk_hpo.space.domain import Code
from sk_hpo.space.space import Space

__all__ = ["Between", "IntegersBetween", "check_arguments", "narrowed"]

Codes = Sequence[int] | None


def narrowed(
    one: Mapping[str, Any], params: Mapping[str, Any], shrink: float, grid: int | None
) -> dict[str, Any]:
    """Return the part of a space that is around some of its parameters.

    Parameters
    ----------
    one : dict
        Name of a parameter -> list, distribution, or `sk_hpo.when` with one.
    params : mapping
        Every active parameter.
    shrink : float
        Width of the new interval as a fraction of the old one, in the unit cube.
    grid : int or None
        Number of values for each distribution; None leaves distributions.

    Returns
    -------
    space : dict
        `params` are in it. What can no longer exist is not in it.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> fine = narrowed({"C": loguniform(1e-3, 1e3)}, {"C": 1.0}, 1 / 3, grid=3)
    >>> [round(C, 9) for C in fine["C"]]
    [0.1, 1.0, 10.0]
    """
    space = Space(one)
    config = space.config(params)
    found: dict[str, Any] = {}
    left: dict[int, Codes] = {}
    for i in topological_order(space.dimensions):
        dimension = space.dimensions[i]
        conditions = _conditions(space, dimension, found, left)
        if conditions is None:
            continue
        value = one[dimension.name]
        inside = value.distribution if isinstance(value, When) else value
        new, left[i] = _around(dimension, inside, config[i], shrink, grid)
        found[dimension.name] = When(new, conditions) if conditions else new
    return {name: found[name] for name in one if name in found}


def _conditions(
    space: Space, dimension: Dimension, found: Mapping[str, Any], left: Mapping[int, Codes]
) -> tuple[tuple[str, tuple[Any, ...]], ...] | None:
    """Return the conditions that may still fail; None if one can no longer hold."""
    kept = []
    for clause in dimension.condition.clauses if dimension.condition else ():
        parent = space.dimensions[clause.dimension]
        codes = left.get(clause.dimension)
        still = [code for code in sorted(clause.codes) if code in (codes or ())]
        if not still:
            return None
        always = len(still) == len(codes or ()) and not isinstance(found[parent.name], When)
        if not always:
            kept.append((parent.name, tuple(parent.value(code) for code in still)))
    return tuple(kept)


def _around(
    dimension: Dimension, inside: Any, code: Code | None, shrink: float, grid: int | None
) -> tuple[Any, Codes]:
    """Return a narrower list or distribution, and its codes where there is a list of them."""
    if dimension.kind == "real":
        return _reals(dimension, inside, code, shrink, grid), None
    levels: Sequence[int] = dimension.domain.levels()  # type: ignore[assignment]
    if code is not None:
        levels = _neighbours(dimension, levels, int(code), shrink)
    if dimension.kind != "integer":
        return [dimension.value(k) for k in levels], levels
    if len(levels) == 1:
        return [int(levels[0])], levels
    if grid is not None:
        levels = _grid_of_integers(dimension, levels, code, grid)
        return [int(k) for k in levels], levels
    if code is None:
        return inside, levels
    return _integers_between(inside, int(levels[0]), int(levels[-1])), levels


# -- lists and integers -------------------------------------------------------------------


def _neighbours(
    dimension: Dimension, levels: Sequence[int], code: int, shrink: float
) -> Sequence[int]:
    """Return the levels within the interval, and at least the next on either side."""
    if dimension.kind == "categorical":
        return [code]
    here = _position(levels, code)
    u = dimension.to_unit(code)
    if dimension.kind == "ordinal":
        near = [i for i, k in enumerate(levels) if abs(dimension.to_unit(k) - u) <= shrink / 2]
        ends = near[0], near[-1]
    else:
        low, high = dimension.from_unit(u - shrink / 2), dimension.from_unit(u + shrink / 2)
        ends = _position(levels, int(low)), _position(levels, int(high))
    return levels[min(ends[0], max(here - 1, 0)) : max(ends[1], here + 1) + 1]


def _position(levels: Sequence[int], code: int) -> int:
    return min(bisect_left(levels, code), len(levels) - 1)


def _grid_of_integers(
    dimension: Dimension, levels: Sequence[int], code: Code | None, grid: int
) -> list[int]:
    ends = dimension.to_unit(levels[0]), dimension.to_unit(levels[-1])
    if code is None:
        code = dimension.from_unit(sum(ends) / 2)
    units = _evenly(*ends, dimension.to_unit(code), grid)
    return sorted({int(dimension.from_unit(u)) for u in units} | {int(code)})


def _evenly(low: float, high: float, u: float, k: int) -> list[float]:
    """Return `k` evenly spaced numbers in [low, high] of which `u` is one.

    They are the ends and what is between them, if `u` can be one of these.
    """
    u = min(max(u, low), high)
    below = round((u - low) / (high - low) * (k - 1)) if high > low else 0
    above = k - 1 - below
    steps = [(u - low) / below] if below else []
    steps += [(high - u) / above] if above else []
    return [u + j * min(steps) for j in range(-below, above + 1)]


# -- continuous distributions -------------------------------------------------------------


def _reals(
    dimension: Dimension, inside: Any, code: Code | None, shrink: float, grid: int | None
) -> Any:
    if code is None:
        if grid is None:
            return inside
        return [dimension.from_unit((i + 0.5) / grid) for i in range(grid)]
    # Not the dimension's own quantiles, which are rounded to 2**-30.
    law = closed_form(inside) or inside
    ppf = _quantile(law)
    u = min(max(float(law.cdf(code)), 0.0), 1.0)
    low, high = max(u - shrink / 2, 0.0), min(u + shrink / 2, 1.0)
    if grid is not None:
        units = _evenly(low, high, u, grid)
        return [float(code) if v == u else _value(dimension, ppf, v) for v in units]
    # An end of the old interval stays exactly where it was.
    ends = [float(end) for end in inside.support()]
    ends[0] = ends[0] if low == 0 else min(float(ppf(low)), code)
    ends[1] = ends[1] if high == 1 else max(float(ppf(high)), code)
    return _reals_between(inside, *ends)


def _value(dimension: Dimension, ppf: Callable[[float], Any], u: float) -> float:
    # The ends of the support may be infinite, or not valid: those of a dimension are sound.
    return float(ppf(u)) if 0 < u < 1 else float(dimension.from_unit(u))


def _quantile(distribution: Any) -> Callable[[Any], Any]:
    # scipy's newer distributions call it icdf.
    own: Any = distribution
    found: Callable[[Any], Any] = own.ppf if hasattr(own, "ppf") else own.icdf
    return found


def _reals_between(distribution: Any, low: float, high: float) -> Any:
    if closed_form(distribution) is not None:
        if isinstance(distribution.dist, type(stats.uniform)):
            width = high - low
            while low + width < high:  # scipy has the width for an argument, and rounds
                width = math.nextafter(width, math.inf)
            return stats.uniform(low, width)
        return stats.loguniform(low, high)
    inside = distribution.distribution if isinstance(distribution, Between) else distribution
    return Between(inside, low, high)


def _integers_between(distribution: Any, low: int, high: int) -> Any:
    if closed_form(distribution) is not None:
        log = isinstance(distribution.dist, LogRandIntGen)
        return (lograndint if log else stats.randint)(low, high + 1)
    inside = distribution.distribution if isinstance(distribution, Between) else distribution
    return IntegersBetween(inside, low, high)


@dataclass(frozen=True)
class Between:
    """A distribution, given that its value is between two others.

    Parameters
    ----------
    distribution : frozen distribution
        Any of `scipy.stats`.
    low, high : float
        Smallest and largest value.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> upper_half = Between(norm(0, 1), 0.0, float("inf"))
    >>> round(float(upper_half.ppf(0.5)), 3)
    0.674
    """

    distribution: Any
    low: float
    high: float

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe(self.distribution)}, {self.low}, {self.high})"

    def support(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return self.low, self.high

    def cdf(self, x: Any) -> Any:
        """Probability of a value not above `x`."""
        below, mass = self._below_and_mass
        return np.clip((self.distribution.cdf(x) - below) / mass, 0.0, 1.0)

    def ppf(self, q: Any) -> Any:
        """Smallest value with ``cdf(value) >= q``."""
        below, mass = self._below_and_mass
        return np.clip(
            _quantile(self.distribution)(below + np.asarray(q) * mass), self.low, self.high
        )

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Draw random values, as scipy's distributions do."""
        seeded = hasattr(random_state, "uniform")
        rng = random_state if seeded else np.random.default_rng(random_state)
        return self.ppf(rng.uniform(size=size))

    @property
    def _below_and_mass(self) -> tuple[float, float]:
        below = float(self.distribution.cdf(self._before(self.low)))
        return below, float(self.distribution.cdf(self.high)) - below

    def _before(self, low: float) -> float:
        return low


class IntegersBetween(Between):
    """A distribution of integers, given that its value is between two others.

    Examples
    --------
    >>> from scipy.stats import poisson
    >>> few = IntegersBetween(poisson(3), 1, 2)
    >>> [round(float(few.pmf(k)), 3) for k in range(4)]
    [0.0, 0.4, 0.6, 0.0]
    """

    def pmf(self, k: Any) -> Any:
        """Probability of each of `k`."""
        inside = (np.asarray(k) >= self.low) & (np.asarray(k) <= self.high)
        return np.where(inside, self.distribution.pmf(k) / self._below_and_mass[1], 0.0)

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Draw random integers, as scipy's distributions do."""
        drawn = np.asarray(super().rvs(size, random_state)).astype(np.int64)
        return drawn if drawn.ndim else int(drawn)

    def _before(self, low: float) -> float:
        return low - 1


def check_arguments(shrink: Any, grid: Any) -> None:
    """Raise ValueError unless `shrink` and `grid` are as `sk_hpo.refine` wants them."""
    if isinstance(shrink, bool) or not isinstance(shrink, int | float) or not 0 < shrink < 1:
        raise ValueError(f"shrink must be a fraction between 0 and 1, got {shrink!r}.")
    whole = isinstance(grid, Integral) and not isinstance(grid, bool)
    if grid is not None and not (whole and grid >= 2):
        raise ValueError(
            f"grid must be None or a number of values, 2 or more, got {grid!r}. One value is"
            " that of the best candidate: search.best_params_ has it."
        )
