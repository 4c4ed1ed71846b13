"""Gaussian process regression over the unit cube: arrays in, arrays out.

Constant mean, the kernel of `sk_hpo.surrogates.kernel`, and not one set of hyperparameters
but M of them, side by side.

Rasmussen, Williams: Gaussian Processes for Machine Learning, MIT Press 2006 (GPML).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sk_hpo.surrogates.hyperparameters import Hyperparameters
from sk_hpo.surrogates.kernel import Columns, Kernel, Points
from sk_hpo.surrogates.linalg import whitener

__all__ = ["Posterior", "condition"]

FloatArray = NDArray[np.float64]

_SMALLEST_VARIANCE = 1e-14


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is believed after the observations, under each of M hyperparameters.

    Made by `condition`; `observe` and `believe` add to it.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Observed rows.
    points : Points
        The same, embedded.
    means : ndarray of shape (M, n)
        Posterior means at these.
    kernel : Kernel
        Prior covariances.
    noise : ndarray of shape (M,)
        Noise variance of observations to come.
    mean : ndarray of shape (M,)
        Prior means.
    whiten : ndarray of shape (M, n, n)
        Inverses of the lower Cholesky factors of the covariances of the observations.
    weights : ndarray of shape (M, n)
        The inverses of these covariances times (targets - mean).
    """

    x: FloatArray
    points: Points
    means: FloatArray
    kernel: Kernel
    noise: FloatArray
    mean: FloatArray
    whiten: FloatArray
    weights: FloatArray

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the noiseless function.

        Parameters
        ----------
        x : ndarray of shape (m, d)
            Rows to predict.

        Returns
        -------
        mean, sd : ndarray of shape (M, m)
            GPML eq. 2.25, 2.26.
        """
        k = self.kernel(self.points, self.kernel.columns.embed(x))
        half = self.whiten @ k
        variance = self.kernel.scale[:, None] - np.einsum("knm,knm->km", half, half)
        return self.mean[:, None] + (self.weights[:, None, :] @ k)[:, 0, :], _root(variance)

    def predict_with_slopes(
        self, x: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return mean, sd (M, m), and their slopes in `x` (M, m, d).

        The slope is 0 in categorical columns and where `x` is NaN.
        """
        columns = self.kernel.columns
        k, pull = self.kernel.with_pull(columns.embed(x), self.points)
        half = k @ self.whiten.transpose(0, 2, 1)
        sd = _root(self.kernel.scale[:, None] - np.einsum("kmn,kmn->km", half, half))
        d_mean = pull.sums(self.weights[:, None, :])
        d_sd = -pull.sums(half @ self.whiten) / sd[:, :, None]
        mean = self.mean[:, None] + (k @ self.weights[:, :, None])[:, :, 0]
        return mean, sd, columns.spread(d_mean, x), columns.spread(d_sd, x)

    def first(self, m: int) -> Posterior:
        """Return the posterior under the first `m` of the hyperparameters only."""
        if m >= len(self.noise):
            return self
        kernel = Kernel(self.kernel.columns, self.kernel.precision[:m], self.kernel.scale[:m])
        return replace(
            self,
            means=self.means[:m],
            kernel=kernel,
            noise=self.noise[:m],
            mean=self.mean[:m],
            whiten=self.whiten[:m],
            weights=self.weights[:m],
        )

    def observe(
        self, x: FloatArray, y: FloatArray, noise: FloatArray | None = None
    ) -> Posterior:
        """Return the posterior after more rows, the targets of all being given anew.

        Same hyperparameters; the factors are continued, not computed again.

        Parameters
        ----------
        x : ndarray of shape (m, d)
            Further rows.
        y : ndarray of shape (n + m,)
            Targets of the n rows so far and of these.
        noise : ndarray of shape (n + m,), default=None
            Variance of each target on top of ``self.noise``; for the first n as before.
        """
        n = len(self.x)
        points = self.kernel.columns.embed(x)
        whiten = self._continue(points, None if noise is None else noise[n:])
        rows, points = np.concatenate([self.x, x]), self.points + points
        return _solve(rows, points, y, self.kernel, self.noise, noise, whiten, None)

    def believe(self, x: FloatArray) -> Posterior:
        """Return the posterior after rows `x` (m, d) were observed exactly as predicted.

        A fantasy that keeps the mean everywhere and shrinks the sd: for rows whose result
        is awaited. Ginsbourger, Le Riche, Carraro: Kriging is well-suited to parallelize
        optimization, 2010 (the kriging believer).
        """
        if not len(x):
            return self
        points = self.kernel.columns.embed(x)
        k = self.kernel(points, self.points)
        means = self.mean[:, None] + (k @ self.weights[:, :, None])[:, :, 0]
        nothing = np.zeros((len(self.noise), len(x)))
        return replace(
            self,
            x=np.concatenate([self.x, x]),
            points=self.points + points,
            means=np.concatenate([self.means, means], axis=1),
            whiten=self._continue(points, None),
            weights=np.concatenate([self.weights, nothing], axis=1),
        )

    def _continue(self, points: Points, noise: FloatArray | None) -> FloatArray:
        """Return `whiten` for what was observed and m more points (block inverse)."""
        n, m = len(self.x), len(points)
        if not m:
            return self.whiten
        off = self.whiten @ self.kernel(self.points, points)
        corner = self.kernel(points, points) - off.transpose(0, 2, 1) @ off
        new = _whiten(_with_noise(corner, self.noise, noise), self.kernel.scale)
        whiten = np.zeros((len(new), n + m, n + m))
        whiten[:, :n, :n] = self.whiten
        whiten[:, n:, :n] = -new @ (off.transpose(0, 2, 1) @ self.whiten)
        whiten[:, n:, n:] = new
        return whiten


def condition(
    x: FloatArray,
    y: FloatArray,
    columns: Columns,
    h: Sequence[Hyperparameters],
    *,
    noise: FloatArray | None = None,
    mean: float | None = None,
) -> Posterior:
    """Return the posterior under each of some hyperparameters.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Observed rows, NaN where a parameter does not exist; ``n >= 1``.
    y : ndarray of shape (n,)
        Targets.
    columns : Columns
        What the columns are.
    h : sequence of Hyperparameters
        Length-scales, prior variance and noise; M of them.
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
    >>> posterior = condition(x, y, Columns(np.array([False])), [h])
    >>> posterior.predict(np.array([[0.5]]))[0]
    array([[0.5]])
    """
    precision = np.array([each.precision for each in h])
    scale, own = np.array([(each.scale, each.noise) for each in h]).T
    kernel, points = Kernel(columns, precision, scale), columns.embed(x)
    whiten = _whiten(_with_noise(kernel(points, points), own, noise), scale)
    return _solve(x, points, y, kernel, own, noise, whiten, mean)


def _solve(
    x: FloatArray,
    points: Points,
    y: FloatArray,
    kernel: Kernel,
    own: FloatArray,
    noise: FloatArray | None,
    whiten: FloatArray,
    mean: float | None,
) -> Posterior:
    ones = whiten.sum(axis=2)
    prior = (
        np.einsum("kn,kn->k", ones, whiten @ y) / np.einsum("kn,kn->k", ones, ones)
        if mean is None
        else np.full(len(own), mean)
    )
    residual = (whiten @ (y - prior[:, None])[:, :, None])[:, :, 0]
    weights = (residual[:, None, :] @ whiten)[:, 0, :]
    # K w = y - mean - noise w
    means = y - weights * (own[:, None] + (0.0 if noise is None else noise))
    return Posterior(x, points, means, kernel, own, prior, whiten, weights)


def _with_noise(a: FloatArray, own: FloatArray, noise: FloatArray | None) -> FloatArray:
    """Add variances to the diagonals of `a` (M, n, n), in place."""
    n = a.shape[1]
    a.reshape(len(a), -1)[:, :: n + 1] += own[:, None] + (0.0 if noise is None else noise)
    return a


def _whiten(a: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the inverses of the lower Cholesky factors of `a` (M, n, n)."""
    return np.array([whitener(k, s) for k, s in zip(a, scale, strict=True)])


def _root(variance: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(variance, _SMALLEST_VARIANCE))
