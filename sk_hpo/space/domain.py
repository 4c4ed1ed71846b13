"""What one parameter may be: codes <-> values <-> quantiles in [0, 1].

A code is the value itself for a number that comes from a distribution, and the position in
the list for a choice. ``from_unit(to_unit(code)) == code`` for every code that `from_unit`
can return: by construction, and not because ``ppf(cdf(x)) == x``, which no floating-point
distribution keeps.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, starmap
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

from sk_hpo.space.distribution import (
    TAIL,
    Law,
    Table,
    closed_form,
    describe,
    integer_law,
    is_discrete,
)
from sk_hpo.space.equality import equal

__all__ = ["Choices", "Code", "Domain", "Integers", "Kind", "Reals", "make_domain"]

Code = float | int
C = TypeVar("C", int, float)
Kind = Literal["categorical", "ordinal", "integer", "real"]

# Two steps settle any sound distribution; the bound is for unsound ones.
_MAX_STEPS = 100

# Cells into which a continuous parameter divides [0, 1].
_CELLS = round(1 / TAIL)


class Domain(ABC):
    """Values of one parameter.

    Attributes
    ----------
    kind : {"categorical", "ordinal", "integer", "real"}
    n_levels : float
        Number of codes, `math.inf` if they are not countable.
    """

    kind: Kind
    n_levels: float

    @abstractmethod
    def to_unit(self, code: Code) -> float:
        """Return a number in [0, 1] that `from_unit` takes back to `code`."""

    @abstractmethod
    def from_unit(self, u: float) -> Code:
        """Return the code at quantile `u`, clipped to [0, 1]."""

    @abstractmethod
    def value(self, code: Code) -> Any:
        """Return what the estimator gets."""

    @abstractmethod
    def code(self, value: Any) -> Code:
        """Return the code of a value; ValueError if it has none."""

    @abstractmethod
    def levels(self) -> Iterable[int]:
        """Return all codes in order; ValueError if they are not countable."""

    @abstractmethod
    def __contains__(self, code: Code) -> bool:
        """Whether `levels` has this code."""


class Choices(Domain):
    """A list of objects.

    Parameters
    ----------
    values : sequence
        Any objects. Equal entries stay separate, as in scikit-learn.
    ordered : bool, default=False
        Whether neighbours in the list are alike.
    """

    def __init__(self, values: Sequence[Any], ordered: bool = False) -> None:
        self.values = values
        self.n_levels = len(values)
        self.kind = "ordinal" if ordered else "categorical"

    def to_unit(self, code: Code) -> float:
        """Return the middle of the code's cell."""
        return (code + 0.5) / self.n_levels

    def from_unit(self, u: float) -> int:
        """Return the code whose cell holds `u`."""
        return min(int(_clipped(u) * self.n_levels), len(self.values) - 1)

    def value(self, code: Code) -> Any:
        """Return the object itself, not a copy."""
        return self.values[int(code)]

    def code(self, value: Any) -> int:
        """Return the position of the same object, else of the first equal one."""
        for i, candidate in enumerate(self.values):
            if candidate is value:
                return i
        for i, candidate in enumerate(self.values):
            if equal(candidate, value):
                return i
        raise ValueError(f"{value!r} is not one of {list(self.values)!r}")

    def levels(self) -> range:
        """Return the positions."""
        return range(len(self.values))

    def __contains__(self, code: Code) -> bool:
        return code in self.levels()


class Reals(Domain):
    """A continuous distribution.

    Quantiles are told apart to 2**-30. The ends of the support are never returned, so
    that one that is infinite, or not a valid argument, does no harm.

    Parameters
    ----------
    distribution : frozen distribution
        With ``cdf``, ``ppf`` and ``support``.
    """

    kind: Kind = "real"
    n_levels = math.inf

    def __init__(self, distribution: Any) -> None:
        self._distribution = distribution
        self._law: Law = closed_form(distribution) or distribution
        self._margin = _computable_margin(self._law)
        self._low, self._high = (float(x) for x in distribution.support())

    def __repr__(self) -> str:
        return describe(self._distribution)

    def to_unit(self, code: Code) -> float:
        """Return ``cdf(code)`` rounded to a multiple of 2**-30."""
        return self._on_grid(float(self._law.cdf(code)))

    def from_unit(self, u: float) -> float:
        """Return the quantile."""
        return _settled(self._quantile, self.to_unit, self._on_grid(_clipped(u)))

    def _on_grid(self, q: float) -> float:
        return min(max(round(q * _CELLS), self._margin), _CELLS - self._margin) / _CELLS

    def _quantile(self, q: float) -> float:
        return min(max(float(self._law.ppf(q)), self._low), self._high)

    def value(self, code: Code) -> float:
        """Return the code."""
        return code

    def code(self, value: Any) -> float:
        """Return the value as a float if it is within the support."""
        if not (
            _is_number(value) and self._low <= value <= self._high and math.isfinite(value)
        ):
            raise ValueError(f"{value!r} is not a number in [{self._low}, {self._high}]")
        return float(value)

    def levels(self) -> Iterable[int]:
        """Raise ValueError."""
        raise ValueError("a continuous distribution has no finite list of values")

    def __contains__(self, code: Code) -> bool:
        return False


class Integers(Domain):
    """A discrete distribution.

    Tails of a probability below 2**-30 are left out, and so are integers of probability
    zero. A level's place in [0, 1] is the middle of ``(cdf(k - 1), cdf(k)]``.

    Parameters
    ----------
    distribution : frozen distribution
        With ``pmf``, ``cdf``, ``ppf`` and ``support``, of integers.
    """

    kind: Kind = "integer"

    def __init__(self, distribution: Any) -> None:
        self._distribution = distribution
        self._law = law = integer_law(distribution)
        self._low: int
        self._high: int
        self._low, self._high = law.support()
        self._levels: Sequence[int] = range(self._low, self._high + 1)
        self.n_levels = self._high - self._low + 1  # len() of a range may overflow
        if isinstance(law, Table) and len(law.levels) < self.n_levels:  # there are gaps
            self._levels = law.levels.tolist()
            self.n_levels = len(self._levels)

    def __repr__(self) -> str:
        return describe(self._distribution)

    def to_unit(self, code: Code) -> float:
        """Return the middle of ``(cdf(code - 1), cdf(code)]``."""
        cdf = self._law.cdf
        below = float(cdf(code - 1)) if code > self._low else 0.0
        return (below + float(cdf(code))) / 2

    def from_unit(self, u: float) -> int:
        """Return the quantile."""
        return _settled(self._quantile, self.to_unit, _clipped(u))

    def _quantile(self, q: float) -> int:
        k: int = self._law.ppf(q)
        return min(max(k, self._low), self._high)

    def value(self, code: Code) -> int:
        """Return the code."""
        return int(code)

    def code(self, value: Any) -> int:
        """Return the value as an int if its probability is not zero."""
        if not _is_number(value) or not isinstance(value, Integral):
            raise ValueError(f"{value!r} is not an integer")
        if int(value) not in self and not self._distribution.pmf(int(value)) > 0:
            raise ValueError(f"{value!r} cannot come from {describe(self._distribution)}")
        return int(value)

    def levels(self) -> Sequence[int]:
        """Return the integers in order."""
        return self._levels

    def __contains__(self, code: Code) -> bool:
        return code in self._levels


def make_domain(value: Any) -> Domain:
    """Return the domain that a value of ``param_distributions`` describes.

    Raises
    ------
    ValueError
        If the distribution's arguments are not valid, or it cannot be inverted.
    """
    if not (hasattr(value, "cdf") or hasattr(value, "rvs")):
        return Choices(value, ordered=_is_ordered(value))
    distribution = value
    if not hasattr(value, "ppf") and hasattr(value, "icdf"):
        distribution = _Inverse(value)
    missing = [m for m in ("cdf", "ppf", "support") if not hasattr(distribution, m)]
    if missing:
        raise ValueError(f"{describe(value)} has no {' and no '.join(missing)}")
    _check_distribution(distribution)
    return Integers(distribution) if is_discrete(value) else Reals(distribution)


class _Inverse:
    """One of scipy's newer distributions, under the method names of the older."""

    def __init__(self, distribution: Any) -> None:
        self.cdf = distribution.cdf
        self.ppf = distribution.icdf
        self.pmf = distribution.pmf
        self.support = distribution.support
        self._distribution = distribution

    def __repr__(self) -> str:
        return repr(self._distribution)


def _check_distribution(distribution: Any) -> None:
    name = describe(distribution)
    try:
        low, high = (float(x) for x in distribution.support())
        median = float(distribution.ppf(0.5))
        half = float(distribution.cdf(median))
    except TypeError as error:
        raise ValueError(f"{name} needs its arguments, or one number each: {error}") from None
    if not (low <= high and math.isfinite(median) and math.isfinite(half)):
        raise ValueError(f"{name} is not a distribution: is low >= high, or an argument NaN?")
    if is_discrete(distribution) and not median.is_integer():
        raise ValueError(f"{name} is discrete, but its values are not integers; pass a list")


def _computable_margin(law: Law) -> int:
    """Return how many cells to leave out at either end: some of scipy's far tails fail."""
    for margin in (1, 2**10, 2**20):
        try:
            ends = [float(law.ppf(q)) for q in (margin / _CELLS, 1 - margin / _CELLS)]
        except Exception:
            continue
        if all(map(math.isfinite, ends)):
            return margin
    raise ValueError(f"the quantiles of {describe(law)} cannot be computed")


def _settled(quantile: Callable[[float], C], to_unit: Callable[[C], float], u: float) -> C:
    # The map code -> quantile(to_unit(code)) ends in a cycle, nearly always of length one.
    # Its least element stands for all that leads there, so that it maps to itself.
    path = [quantile(u)]
    for _ in range(_MAX_STEPS):
        before, u = u, to_unit(path[-1])
        if u == before:
            break
        after = quantile(u)
        if after in path:
            return min(path[path.index(after) :])
        path.append(after)
    return path[-1]


def _clipped(u: float) -> float:
    if math.isnan(u):
        raise ValueError("NaN is not a position in the unit cube")
    return min(max(float(u), 0.0), 1.0)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_ordered(values: Sequence[Any]) -> bool:
    if len(values) < 2 or not all(_is_number(v) for v in values):
        return False
    up, down = (all(starmap(op, pairwise(values))) for op in (operator.lt, operator.gt))
    return up or down
