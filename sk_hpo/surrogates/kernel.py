"""The Matern-5/2 kernel with a length-scale per column, also where parameters do not exist.

Rasmussen, Williams: Gaussian Processes for Machine Learning, MIT Press 2006 (GPML).

A column is numeric or categorical. Two rows differ in column j by

====================  ===============  ===============
``D_j(x, x')``        numeric          categorical
====================  ===============  ===============
both present          ``(x - x')**2``  ``x != x'``
one of them NaN       ``(x - 1/2)**2 + 1/4``  1
both NaN              0                0
====================  ===============  ===============

and altogether by ``r**2 = sum_j D_j / length_scale_j**2``. NaN stands for a parameter that
does not exist. Each D_j is a squared Euclidean distance of some embedding (imputation by
1/2 with an activity indicator; the corners of a simplex), so the kernel is positive
definite, and what is written where a parameter does not exist cannot matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

__all__ = ["Columns", "Kernel", "Points", "Pull"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_ABSENT = 0.5  # imputed where a numeric column is NaN; its indicator is worth as much


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Rows, embedded. Made by `Columns.embed`.

    Parameters
    ----------
    features : ndarray of shape (m, p)
        Coordinates whose squared differences count: the numeric columns, then the
        indicators of those that may not exist.
    codes : ndarray of shape (c, m)
        The categorical columns, of which only equality counts.
    """

    features: FloatArray
    codes: FloatArray

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> Points:
        return Points(self.features[rows], self.codes[:, rows])

    def __add__(self, other: Points) -> Points:
        return Points(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.codes, other.codes], axis=1),
        )


class Columns:
    """What the d columns of a row are.

    Parameters
    ----------
    categorical : ndarray of bool, shape (d,)
        Columns of which only equality counts.
    optional : ndarray of bool, shape (d,), default=None
        Columns that may be NaN; by default all.

    Attributes
    ----------
    owners : ndarray of int, shape (p,)
        Column of each of the p features of `Points`.
    nominal : ndarray of int, shape (c,)
        Column of each of the c codes of `Points`.
    """

    def __init__(self, categorical: BoolArray, optional: BoolArray | None = None) -> None:
        self.categorical = categorical
        self._numeric = np.flatnonzero(~categorical)
        may_miss = ~categorical if optional is None else ~categorical & optional
        self._absent = np.flatnonzero(may_miss)
        self.nominal = np.flatnonzero(categorical)
        self.owners = np.concatenate([self._numeric, self._absent])

    @property
    def n_columns(self) -> int:
        """The number d of columns."""
        return len(self.categorical)

    def embed(self, x: FloatArray) -> Points:
        """Return the rows of `x` (m, d), NaN where a parameter does not exist."""
        if not self._absent.size:
            codes = x[:, self.nominal].T
            return Points(x[:, self._numeric], np.where(np.isnan(codes), -1.0, codes))
        values, codes = x[:, self._numeric], x[:, self.nominal].T
        values = np.where(np.isnan(values), _ABSENT, values)
        absent = _ABSENT * np.isnan(x[:, self._absent])
        return Points(
            np.concatenate([values, absent], axis=1), np.where(np.isnan(codes), -1.0, codes)
        )

    def spread(self, slopes: FloatArray, x: FloatArray) -> FloatArray:
        """Return slopes in the features (..., m, p) as slopes in the columns of `x` (m, d).

        They are 0 in categorical columns and where `x` is NaN.
        """
        result = np.zeros((*slopes.shape[:-1], x.shape[1]))
        result[..., self._numeric] = slopes[..., : len(self._numeric)]
        if self._absent.size:
            result[..., np.isnan(x)] = 0.0
        return result

    def differences(
        self, points: Points, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> FloatArray:
        """Return ``D_j`` for the pairs ``(rows, columns)`` of points, shape (d, pairs)."""
        result = np.zeros((self.n_columns, len(rows)))
        for feature, j in zip(points.features.T, self.owners, strict=True):
            result[j] += np.square(feature[rows] - feature[columns])
        for code, j in zip(points.codes, self.nominal, strict=True):
            result[j] = code[rows] != code[columns]
        return result


class Kernel:
    """M kernels over the same columns, each with its own hyperparameters.

    Parameters
    ----------
    columns : Columns
        What the columns are.
    precision : ndarray of shape (M, d)
        Inverse squared length-scale of each column.
    scale : ndarray of shape (M,)
        Prior variances.

    Examples
    --------
    >>> import numpy as np
    >>> columns = Columns(np.array([False, True]))
    >>> kernel = Kernel(columns, np.ones((1, 2)), np.ones(1))
    >>> a = columns.embed(np.array([[0.2, 0.0], [0.2, np.nan]]))
    >>> kernel(a, a).round(3)
    array([[[1.   , 0.524],
            [0.524, 1.   ]]])
    """

    def __init__(self, columns: Columns, precision: FloatArray, scale: FloatArray) -> None:
        self.columns = columns
        self.precision = precision
        self.scale = scale
        self._weights = precision[:, columns.owners]
        self._roots = np.sqrt(self._weights)
        self._jumps = precision[:, columns.nominal]

    def __call__(self, a: Points, b: Points) -> FloatArray:
        """Return the covariances of `a` (m points) and `b` (n points), shape (M, m, n)."""
        squares = np.empty((len(self.scale), len(a), len(b)))
        for root, out in zip(self._roots, squares, strict=True):
            cdist(a.features * root, b.features * root, "sqeuclidean", out=out)
        self._add_jumps(squares, a, b)
        return _matern(squares, self.scale)

    def with_pull(self, a: Points, b: Points) -> tuple[FloatArray, Pull]:
        """Return the covariances (M, m, n), and what their slopes in `a` are made of.

        For few points a: the differences (m, n, p) of all pairs are held.
        """
        apart = a.features[:, None, :] - b.features
        squares = (np.square(apart) @ self._weights.T).transpose(2, 0, 1)
        self._add_jumps(squares, a, b)
        root = np.sqrt(5.0 * squares)
        decay = self.scale[:, None, None] * np.exp(-root)
        steep = (-5.0 / 3.0) * (1.0 + root) * decay  # 2 dk / d r**2
        value = (1.0 + root + root * root / 3.0) * decay
        return value, Pull(steep, apart, self._weights)

    def _add_jumps(self, squares: FloatArray, a: Points, b: Points) -> None:
        for jump, p, q in zip(self._jumps.T, a.codes, b.codes, strict=True):
            squares += jump[:, None, None] * (p[:, None] != q)


@dataclass(frozen=True, slots=True, eq=False)
class Pull:
    """Slopes of covariances k (M, m, n) in the features (m, p) of the m points."""

    steep: FloatArray
    apart: FloatArray
    weights: FloatArray

    def sums(self, c: FloatArray) -> FloatArray:
        """Return ``sum_n c * d k / d a`` for `c` (M, m, n), shape (M, m, p)."""
        folded = (c * self.steep).transpose(1, 0, 2) @ self.apart
        return folded.transpose(1, 0, 2) * self.weights[:, None, :]


def _matern(squares: FloatArray, scale: FloatArray) -> FloatArray:
    """Turn ``r**2`` (M, m, n) into Matern-5/2 covariances (GPML eq. 4.17), in place."""
    squares *= 5.0
    root = np.sqrt(squares)
    squares /= 3.0
    squares += root
    squares += 1.0
    np.negative(root, out=root)
    np.exp(root, out=root)
    squares *= root
    squares *= scale[:, None, None]
    return squares
