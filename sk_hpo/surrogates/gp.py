"""Gaussian process regression over the unit cube: arrays in, arrays out.

Matern-5/2 kernel with a length-scale per column (ARD), constant mean, hyperparameters at
the maximum of their posterior density.

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

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

__all__ = ["Hyperparameters", "Kernel", "Posterior", "Priors", "condition", "fit"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_ABSENT = 0.5  # imputed where a numeric column is NaN; its indicator is worth as much
_SMALLEST_VARIANCE = 1e-14
_MANY = 128  # rows above which `fit` starts from a fit to a part of them
_REFINEMENTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Matern-5/2 with a length-scale per column.

    Parameters
    ----------
    precision : ndarray of shape (d,)
        Inverse squared length-scale of each column.
    categorical : ndarray of bool, shape (d,)
        Columns of which only equality counts.
    scale : float, default=1.0
        Prior variance.

    Examples
    --------
    >>> import numpy as np
    >>> kernel = Kernel(np.ones(2), np.array([False, True]))
    >>> a = np.array([[0.2, 0.0], [0.2, np.nan]])
    >>> kernel(a, a).round(3)
    array([[1.   , 0.524],
           [0.524, 1.   ]])
    """

    precision: FloatArray
    categorical: BoolArray
    scale: float = 1.0

    def __call__(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return the covariance of the rows of `a` (m, d) and `b` (n, d), shape (m, n)."""
        return self.scale * _matern(self.squared_distance(a, b))[0]

    def squared_distance(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return ``r**2`` between the rows of `a` (m, d) and `b` (n, d), shape (m, n)."""
        no_a, no_b = np.isnan(a), np.isnan(b)
        total: FloatArray = np.zeros((len(a), len(b)))
        numeric = ~self.categorical
        if numeric.any():
            root = np.sqrt(self.precision[numeric])
            at, bt = np.where(no_a, _ABSENT, a), np.where(no_b, _ABSENT, b)
            total += cdist(at[:, numeric] * root, bt[:, numeric] * root, "sqeuclidean")
        absent = numeric & (no_a.any(axis=0) | no_b.any(axis=0))
        if absent.any():
            root = _ABSENT * np.sqrt(self.precision[absent])
            total += cdist(no_a[:, absent] * root, no_b[:, absent] * root, "sqeuclidean")
        for j in np.flatnonzero(self.categorical):
            at, bt = np.where(no_a[:, j], -1.0, a[:, j]), np.where(no_b[:, j], -1.0, b[:, j])
            total += self.precision[j] * (at[:, None] != bt)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Hyperparameters:
    """What `fit` learns: inverse squared length-scales (d,), prior variance, noise variance."""

    precision: FloatArray
    scale: float = 1.0
    noise: float = 1e-4

    @classmethod
    def from_log(cls, theta: FloatArray) -> Hyperparameters:
        """Read them from their logarithms, shape (d + 2,)."""
        values = np.exp(theta)
        return cls(values[:-2], float(values[-2]), float(values[-1]))

    def to_log(self) -> FloatArray:
        """Return their logarithms, shape (d + 2,)."""
        theta: FloatArray = np.log(np.append(self.precision, (self.scale, self.noise)))
        return theta


@dataclass(frozen=True, slots=True)
class Priors:
    """Prior densities of the hyperparameters, for targets of unit variance.

    Parameters
    ----------
    length_penalty : float, default=0.1
        Weight of ``l**2 + l**-2`` in the negative log density of a length-scale l.
    scale : (float, float), default=(2.0, 1.0)
        Shape and rate of the gamma density of the prior variance.
    noise : (float, float), default=(1.1, 30.0)
        Shape and rate of the gamma density of the noise variance.
    smallest_noise : float, default=1e-6
        Bound below the noise variance.
    """

    length_penalty: float = 0.1
    scale: tuple[float, float] = (2.0, 1.0)
    noise: tuple[float, float] = (1.1, 30.0)
    smallest_noise: float = 1e-6

    def negative_log(self, h: Hyperparameters) -> tuple[float, FloatArray]:
        """Return the negative log density at `h` and its slope in the logarithms (d + 2,)."""
        w, c = h.precision, self.length_penalty
        value = c * float(np.sum(w + 1.0 / w))
        slope = np.empty(len(w) + 2)
        slope[:-2] = c * (w - 1.0 / w)
        gammas = ((h.scale, self.scale), (h.noise, self.noise))
        for i, (v, (shape, rate)) in zip((-2, -1), gammas, strict=True):
            value += rate * v - (shape - 1.0) * math.log(v)
            slope[i] = rate * v - (shape - 1.0)
        return value, slope

    def bounds(self, d: int) -> list[tuple[float, float]]:
        """Return the box in which the logarithms are sought, a pair for each of (d + 2,)."""
        box = [(1e-3, 1e3)] * d + [(1e-2, 1e2), (self.smallest_noise, 10.0)]
        return [(math.log(low), math.log(high)) for low, high in box]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is believed after the observations. Made by `condition` and `fit`.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Observed rows.
    kernel : Kernel
        Prior covariance.
    noise : float
        Noise variance of observations to come.
    mean : float
        Prior mean.
    cholesky : ndarray of shape (n, n)
        Lower factor of the covariance of the observations.
    weights : ndarray of shape (n,)
        That covariance's inverse times (targets - mean).
    """

    x: FloatArray
    kernel: Kernel
    noise: float
    mean: float
    cholesky: FloatArray
    weights: FloatArray

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the noiseless function.

        Parameters
        ----------
        x : ndarray of shape (m, d)
            Rows to predict.

        Returns
        -------
        mean, sd : ndarray of shape (m,)
            GPML eq. 2.25, 2.26.
        """
        k = self.kernel(x, self.x)
        half = _solve_lower(self.cholesky, k.T)
        variance = self.kernel.scale - np.einsum("nm,nm->m", half, half)
        return self.mean + k @ self.weights, _root(variance)

    def predict_mean(self, x: FloatArray) -> FloatArray:
        """Return the mean (m,) at the rows of `x` (m, d)."""
        return self.mean + self.kernel(x, self.x) @ self.weights

    def predict_with_slopes(
        self, x: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return mean, sd (m,), and their slopes in `x` (m, d).

        The slope is 0 in categorical columns and where `x` is NaN.
        """
        k, dk = _matern(self.kernel.squared_distance(x, self.x))
        k, dk = self.kernel.scale * k, self.kernel.scale * dk
        half = _solve_lower(self.cholesky, k.T)
        solved = _solve_lower(self.cholesky, half, transposed=True).T
        sd = _root(self.kernel.scale - np.einsum("nm,nm->m", half, half))
        d_mean = self._slope(x, dk * self.weights)
        d_sd = -self._slope(x, dk * solved) / sd[:, None]
        return self.mean + k @ self.weights, sd, d_mean, d_sd

    def _slope(self, x: FloatArray, c: FloatArray) -> FloatArray:
        """Return ``sum_n c[m, n] * d r**2(x[m], self.x[n]) / d x[m]``, shape (m, d)."""
        at = np.where(np.isnan(self.x), _ABSENT, self.x)
        slope = 2.0 * self.kernel.precision * (x * c.sum(axis=1)[:, None] - c @ at)
        return np.where(np.isnan(x) | self.kernel.categorical, 0.0, slope)

    def believe(self, x: FloatArray) -> Posterior:
        """Return the posterior after rows `x` (m, d) were observed exactly as predicted.

        A fantasy that keeps the mean everywhere and shrinks the sd: for rows whose result
        is awaited. Ginsbourger, Le Riche, Carraro: Kriging is well-suited to parallelize
        optimization, 2010 (the kriging believer).
        """
        n, m = len(self.x), len(x)
        if m == 0:
            return self
        off = _solve_lower(self.cholesky, self.kernel(self.x, x))
        corner = self.kernel(x, x) + self.noise * np.eye(m) - off.T @ off
        cholesky = np.zeros((n + m, n + m), order="F")
        cholesky[:n, :n] = self.cholesky
        cholesky[n:, :n] = off.T
        cholesky[n:, n:] = _cholesky(corner, self.kernel.scale)
        weights = np.concatenate([self.weights, np.zeros(m)])
        return replace(self, x=np.concatenate([self.x, x]), cholesky=cholesky, weights=weights)


def condition(
    x: FloatArray,
    y: FloatArray,
    categorical: BoolArray,
    h: Hyperparameters,
    *,
    noise: FloatArray | None = None,
    mean: float | None = None,
) -> Posterior:
    """Return the posterior under given hyperparameters.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Observed rows, NaN where a parameter does not exist; ``n >= 1``.
    y : ndarray of shape (n,)
        Targets.
    categorical : ndarray of bool, shape (d,)
        Columns of which only equality counts.
    h : Hyperparameters
        Length-scales, prior variance and noise.
    noise : ndarray of shape (n,), default=None
        Variance of each target, on top of ``h.noise``.
    mean : float, default=None
        Prior mean; by default the generalised least squares estimate (GPML eq. 2.41 with
        one constant basis function and a flat prior).

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0]]), np.array([0.0, 1.0])
    >>> h = Hyperparameters(precision=np.array([4.0]), noise=1e-6)
    >>> posterior = condition(x, y, np.array([False]), h)
    >>> posterior.predict(np.array([[0.5]]))[0]
    array([0.5])
    """
    kernel = Kernel(h.precision, categorical, h.scale)
    covariance = kernel(x, x)
    covariance.flat[:: len(x) + 1] += h.noise if noise is None else h.noise + noise
    cholesky = _cholesky(covariance, h.scale)
    mean = _gls_mean(cholesky, y) if mean is None else mean
    weights = _solve(cholesky, y - mean)
    return Posterior(x, kernel, h.noise, mean, cholesky, weights)


def fit(
    x: FloatArray,
    y: FloatArray,
    categorical: BoolArray,
    *,
    noise: FloatArray | None = None,
    priors: Priors | None = None,
    start: Hyperparameters | None = None,
    max_evaluations: int = 50,
) -> Posterior:
    """Return the posterior under the hyperparameters of highest posterior density.

    Parameters
    ----------
    x, y, categorical, noise
        See `condition`. `y` should have mean 0 and variance 1: the priors say so.
    priors : Priors, default=None
        Densities of the hyperparameters; by default `Priors()`.
    start : Hyperparameters, default=None
        Where L-BFGS begins; by default length-scales and prior variance 1, noise 0.01. For
        more than 128 rows these are first fitted to an evenly spaced part of them, and
        refined in at most 8 evaluations.
    max_evaluations : int, default=50
        Limit on evaluations of the likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0.0, 1.0, 9)[:, None]
    >>> y = np.sqrt(2.0) * np.sin(7.0 * x[:, 0])
    >>> mean, sd = fit(x, y, np.array([False])).predict(np.array([[0.55]]))
    >>> bool(abs(mean[0] - np.sqrt(2.0) * np.sin(7.0 * 0.55)) < 0.05)
    True
    """
    d, n = x.shape[1], len(x)
    priors = Priors() if priors is None else priors
    if start is None:
        start = Hyperparameters(np.ones(d), 1.0, 1e-2)
        if n > _MANY:
            some = slice(None, None, -(-n // _MANY))
            few = None if noise is None else noise[some]
            rough = fit(x[some], y[some], categorical, noise=few, priors=priors)
            start = Hyperparameters(rough.kernel.precision, rough.kernel.scale, rough.noise)
            max_evaluations = min(max_evaluations, _REFINEMENTS)
    found = minimize(
        objective(x, y, categorical, noise, priors),
        start.to_log(),
        jac=True,
        method="L-BFGS-B",
        bounds=priors.bounds(d),
        options={"maxfun": max_evaluations, "ftol": 1e-6, "gtol": 1e-3},
    )
    return condition(x, y, categorical, Hyperparameters.from_log(found.x), noise=noise)


def objective(
    x: FloatArray,
    y: FloatArray,
    categorical: BoolArray,
    noise: FloatArray | None,
    priors: Priors,
) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return the function that `fit` minimises.

    It takes the logarithms of the hyperparameters (d + 2,), see
    `Hyperparameters.to_log`, and returns their negative log posterior density, up to a
    constant, and its slope (d + 2,). The constant mean is profiled out.
    """
    n = len(x)
    rows, columns = np.tril_indices(n, -1)
    differences = _differences(x, categorical, rows, columns)
    below = rows + n * columns  # flat positions in Fortran order
    diagonal = np.arange(n) * (n + 1)
    own = np.zeros(n) if noise is None else noise

    def negative_log_posterior(theta: FloatArray) -> tuple[float, FloatArray]:
        h = Hyperparameters.from_log(theta)
        k, dk = _matern(h.precision @ differences)
        flat = np.empty(n * n)
        flat[below] = h.scale * k
        flat[diagonal] = h.scale + h.noise + own
        cholesky = _cholesky(flat.reshape((n, n), order="F"), h.scale)
        residual = y - _gls_mean(cholesky, y)
        weights = _solve(cholesky, residual)
        value, slope = priors.negative_log(h)
        value += 0.5 * float(residual @ weights) + float(np.log(np.diag(cholesky)).sum())
        # GPML eq. 5.9; the mean is stationary, so its own change does not count.
        inverse = lapack.dpotri(cholesky, lower=1)[0].ravel(order="K")
        pull = inverse[below] - weights[rows] * weights[columns]
        trace = inverse[diagonal] - weights**2
        slope[:-2] += h.scale * h.precision * (differences @ (pull * dk))
        slope[-2] += h.scale * (float(pull @ k) + 0.5 * float(trace.sum()))
        slope[-1] += 0.5 * h.noise * float(trace.sum())
        return value, slope

    return negative_log_posterior


def _differences(
    x: FloatArray, categorical: BoolArray, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> FloatArray:
    """Return ``D_j`` for the pairs ``(rows, columns)`` of rows of `x`, shape (d, pairs)."""
    result = np.empty((x.shape[1], len(rows)))
    for j, (column, is_categorical) in enumerate(zip(x.T, categorical, strict=True)):
        no = np.isnan(column)
        if is_categorical:
            filled = np.where(no, -1.0, column)
            result[j] = filled[rows] != filled[columns]
        else:
            filled = np.where(no, _ABSENT, column)
            result[j] = np.square(filled[rows] - filled[columns])
            if no.any():
                result[j] += _ABSENT**2 * (no[rows] != no[columns])
    return result


def _matern(squares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the Matern-5/2 correlation at ``r**2`` and its slope in ``r**2``."""
    root = np.sqrt(5.0 * squares)
    decay = np.exp(-root)
    return (1.0 + root + root * root / 3.0) * decay, (-5.0 / 6.0) * (1.0 + root) * decay


def _cholesky(a: FloatArray, scale: float) -> FloatArray:
    """Return the lower factor of `a`, of which only the lower triangle is read.

    Where rounding has made `a` indefinite, its diagonal is raised by a jitter that grows
    from 1e-10 of `scale` until the factor exists.
    """
    factor, failed = lapack.dpotrf(a, lower=1, clean=1)
    jitter = 1e-10 * scale
    while failed and jitter <= 1e-1 * scale:
        factor, failed = lapack.dpotrf(a + jitter * np.eye(len(a)), lower=1, clean=1)
        jitter *= 10.0
    if failed:
        raise np.linalg.LinAlgError("the covariance matrix is not positive definite")
    return np.asarray(factor)


def _solve(cholesky: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(lapack.dpotrs(cholesky, b, lower=1)[0])


def _solve_lower(cholesky: FloatArray, b: FloatArray, transposed: bool = False) -> FloatArray:
    return np.asarray(lapack.dtrtrs(cholesky, b, lower=1, trans=int(transposed))[0])


def _gls_mean(cholesky: FloatArray, y: FloatArray) -> float:
    ones = _solve(cholesky, np.ones(len(y)))
    return float(ones @ y) / float(ones.sum())


def _root(variance: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(variance, _SMALLEST_VARIANCE))
