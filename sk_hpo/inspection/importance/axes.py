"""A space as a sum over cells needs it: where a parameter's levels stand, and when it exists.

The measure is that of the space: a config is made from a point of the unit cube, every
coordinate uniform and independent of the others, and the coordinate of a parameter that does
not exist is not looked at. So a score is a function on the whole cube, whatever conditions
there are, and its functional ANOVA is well defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["ABSENT", "Axis", "Encoding", "whole_conditions"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Where a tree sees an ordered parameter that does not exist: apart from all that do.
ABSENT = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One coordinate of the unit cube.

    Parameters
    ----------
    name : str
        The parameter.
    edges : ndarray of shape (n_levels + 1,) or None, default=None
        Ends of the levels' cells, from 0 to 1; None for a continuous parameter.
    categorical : bool, default=False
        Whether neighbours have nothing in common.
    exists : mapping of int to ndarray of bool, default={}
        Position of another axis, which has levels -> which of its levels it must have; all
        must hold. Conditions of these other axes are repeated here, see `whole_conditions`.

    Examples
    --------
    >>> from sk_hpo.inspection.importance.axes import Axis
    >>> Axis.of_levels("solver", 4, categorical=True).weights
    array([0.25, 0.25, 0.25, 0.25])
    """

    name: str
    edges: FloatArray | None = None
    categorical: bool = False
    exists: Mapping[int, BoolArray] = field(default_factory=dict)

    @classmethod
    def of_levels(
        cls,
        name: str,
        n_levels: int,
        categorical: bool = False,
        exists: Mapping[int, BoolArray] | None = None,
    ) -> Axis:
        """Return an axis of `n_levels` levels of equal probability."""
        return cls(name, np.linspace(0.0, 1.0, n_levels + 1), categorical, exists or {})

    @property
    def weights(self) -> FloatArray:
        """Probabilities of the levels, shape (n_levels,); (1,) if continuous."""
        return np.ones(1) if self.edges is None else np.diff(self.edges)

    @property
    def one_hot(self) -> bool:
        """Whether each level has a column; two levels need but one."""
        return self.categorical and self.edges is not None and len(self.edges) > 3

    def levels(self, u: FloatArray) -> NDArray[np.intp]:
        """Return the level at places in [0, 1], shape (m,); anything where `u` is NaN."""
        inner = self.edges[1:-1] if self.edges is not None else np.empty(0)
        return np.searchsorted(inner, u, side="right")


def whole_conditions(
    conditions: Sequence[Mapping[int, BoolArray]],
) -> list[dict[int, BoolArray]]:
    """Return each axis's condition joined with those of the axes that it names.

    Parameters
    ----------
    conditions : sequence of mapping of int to ndarray of bool
        Of each axis: position of another -> the levels that it must have.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.inspection.importance.axes import whole_conditions
    >>> first = np.array([True, False])
    >>> sorted(whole_conditions([{}, {0: first}, {1: first}])[2])
    [0, 1]
    """

    def whole(j: int) -> dict[int, BoolArray]:
        found = dict(conditions[j])
        for parent in conditions[j]:
            for ancestor, levels in whole(parent).items():
                found[ancestor] = found.get(ancestor, levels) & levels
        return found

    return [whole(j) for j in range(len(conditions))]


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Points of the unit cube <-> the columns that a tree splits.

    An ordered parameter is a column, with -1 where it does not exist. A categorical one of
    more than two levels has a column of zeros and ones for each, all zero where it does not
    exist.

    Parameters
    ----------
    axes : sequence of Axis
        The coordinates, a parameter after those that it depends on or before, as it comes.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.inspection.importance.axes import Axis, Encoding
    >>> encoding = Encoding([Axis("C"), Axis.of_levels("kernel", 3, categorical=True)])
    >>> encoding.columns(np.array([[0.2, 0.5], [np.nan, 0.9]]))
    array([[ 0.2,  0. ,  1. ,  0. ],
           [-1. ,  0. ,  0. ,  1. ]], dtype=float32)
    """

    axes: Sequence[Axis]

    @property
    def slices(self) -> list[slice]:
        """The columns of each axis."""
        widths = [len(a.weights) if a.one_hot else 1 for a in self.axes]
        ends = np.cumsum(widths).tolist()
        return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]

    def columns(self, points: FloatArray) -> NDArray[np.float32]:
        """Return what trees are grown on, shape (m, n_columns).

        Parameters
        ----------
        points : ndarray of shape (m, n_axes)
            In [0, 1], NaN where a parameter does not exist.
        """
        blocks = []
        for axis, u in zip(self.axes, np.asarray(points, dtype=float).T, strict=True):
            if axis.one_hot:
                hit = axis.levels(u)[:, None] == np.arange(len(axis.weights))
                blocks.append(hit & ~np.isnan(u)[:, None])
            else:
                blocks.append(np.where(np.isnan(u), ABSENT, u)[:, None])
        return np.concatenate(blocks, axis=1, dtype=np.float32)

    def existing(self, points: FloatArray) -> FloatArray:
        """Return points with NaN where, by the conditions, there is no parameter.

        Parameters
        ----------
        points : ndarray of shape (m, n_axes)
            Without NaN where an axis is that another depends on.
        """
        found = np.array(points, dtype=float)
        for j, axis in enumerate(self.axes):
            for parent, allowed in axis.exists.items():
                met = allowed[self.axes[parent].levels(points[:, parent])]
                found[~met, j] = np.nan
        return found
