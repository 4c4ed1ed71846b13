"""The points of the unit cube that are configs: levels, and parameters that may not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dependency", "Lattice"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Absent = Callable[[FloatArray], BoolArray]


@dataclass(frozen=True, slots=True, eq=False)
class Dependency:
    """A column that exists only while another column has one of some values.

    Parameters
    ----------
    column, parent : int
        The two columns.
    values : ndarray of shape (k,)
        Values of `parent`, each one of its levels.
    """

    column: int
    parent: int
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """What a row of the unit cube may be.

    Parameters
    ----------
    levels : tuple of (ndarray or None)
        For each of the d columns its increasing values, or None if it is continuous.
    categorical : ndarray of bool, shape (d,)
        Columns whose levels have no order.
    dependencies : tuple of Dependency, default=()
        Those of a parent come before those of its children. A column exists if all of
        its dependencies hold and their parents exist.
    absent : callable or None, default=None
        Tells of rows (m, d) without NaN what does not exist, where dependencies cannot.

    Examples
    --------
    >>> import numpy as np
    >>> lattice = Lattice(
    ...     levels=(np.array([0.25, 0.75]), None),
    ...     categorical=np.array([True, False]),
    ...     dependencies=(Dependency(column=1, parent=0, values=np.array([0.75])),),
    ... )
    >>> lattice.snap(np.array([[0.9, 0.3], [0.1, 0.3]]))
    array([[0.75, 0.3 ],
           [0.25,  nan]])
    """

    levels: tuple[FloatArray | None, ...]
    categorical: BoolArray
    dependencies: tuple[Dependency, ...] = ()
    absent: Absent | None = None

    def snap(self, u: FloatArray) -> FloatArray:
        """Return the nearest rows of the lattice to `u` (m, d), NaN where nothing exists."""
        x = u.copy()
        for j, levels in enumerate(self.levels):
            if levels is not None:
                middles = (levels[1:] + levels[:-1]) / 2.0
                x[:, j] = levels[np.searchsorted(middles, u[:, j])]
        for d in self.dependencies:
            x[~np.isin(x[:, d.parent], d.values), d.column] = np.nan
        if self.absent is not None:
            x[self.absent(x)] = np.nan
        return x

    def relaxed(self, most_levels: int) -> BoolArray:
        """Return the columns (d,) that are continuous, or ordered with more levels."""
        many = [levels is None or len(levels) > most_levels for levels in self.levels]
        return np.array(many, dtype=bool) & ~self.categorical

    def neighbours(self, u: FloatArray, most_levels: int) -> FloatArray:
        """Return the rows that differ from one row `u` (d,) in one column with levels.

        Of a categorical column all other levels are tried, of an ordered one the nearest
        `most_levels`.
        """
        rows = []
        for j, levels in enumerate(self.levels):
            if levels is None:
                continue
            others = levels
            if not self.categorical[j] and len(levels) > most_levels:
                first = int(np.searchsorted(levels, u[j])) - most_levels // 2
                first = min(max(first, 0), len(levels) - most_levels)
                others = levels[first : first + most_levels]
            block = np.repeat(u[None], len(others), axis=0)
            block[:, j] = others
            rows.append(block)
        return np.concatenate(rows) if rows else np.empty((0, len(u)))
