"""Length-scales, prior variance and noise of a Gaussian process, learned from data.

The maximum of their posterior density, and draws around it.

Rasmussen, Williams: Gaussian Processes for Machine Learning, MIT Press 2006 (GPML).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sk_hpo.surrogates.kernel import Columns
from sk_hpo.surrogates.linalg import cholesky, inverse, solve

__all__ = ["Hyperparameters", "Priors", "draw", "fit", "objective"]

FloatArray = NDArray[np.float64]

_STEP = 1e-2  # in the logarithms, for the curvature
_FLATTEST = 0.25  # curvature that a Laplace approximation has at least


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
    noise : (float, float) or None, default=(1.1, 30.0)
        Shape and rate of the gamma density of the noise variance; None if all noise is
        known, so that none is learned.
    smallest_noise : float, default=1e-6
        Bound below the noise variance.
    """

    length_penalty: float = 0.1
    scale: tuple[float, float] = (2.0, 1.0)
    noise: tuple[float, float] | None = (1.1, 30.0)
    smallest_noise: float = 1e-6

    def negative_log(self, h: Hyperparameters) -> tuple[float, FloatArray]:
        """Return the negative log density at `h` and its slope in the logarithms (d + 2,)."""
        w, c = h.precision, self.length_penalty
        value = c * float(np.sum(w + 1.0 / w))
        slope = np.empty(len(w) + 2)
        slope[:-2] = c * (w - 1.0 / w)
        # A noise that is not learned stays at its bound, whatever the slope says.
        gammas = ((h.scale, self.scale), (h.noise, self.noise or (1.0, 0.0)))
        for i, (v, (shape, rate)) in zip((-2, -1), gammas, strict=True):
            value += rate * v - (shape - 1.0) * math.log(v)
            slope[i] = rate * v - (shape - 1.0)
        return value, slope

    def bounds(self, d: int) -> list[tuple[float, float]]:
        """Return the box in which the logarithms are sought, a pair for each of (d + 2,)."""
        most = self.smallest_noise if self.noise is None else 10.0
        box = [(1e-3, 1e3)] * d + [(1e-2, 1e2), (self.smallest_noise, most)]
        return [(math.log(low), math.log(high)) for low, high in box]


def fit(
    x: FloatArray,
    y: FloatArray,
    columns: Columns,
    *,
    noise: FloatArray | None = None,
    priors: Priors | None = None,
    start: Hyperparameters | None = None,
    max_evaluations: int = 50,
) -> Hyperparameters:
    """Return the hyperparameters of highest posterior density, found by L-BFGS.

    Parameters
    ----------
    x, y, columns, noise
        As for `sk_hpo.surrogates.gp.condition`. `y` should have mean 0 and variance 1:
        the priors say so.
    priors : Priors, default=None
        Densities of the hyperparameters; by default `Priors()`.
    start : Hyperparameters, default=None
        Where L-BFGS begins; by default length-scales and prior variance 1, noise 0.01.
    max_evaluations : int, default=50
        Limit on evaluations of the likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0.0, 1.0, 9)[:, None]
    >>> y = np.sqrt(2.0) * np.sin(7.0 * x[:, 0])
    >>> columns = Columns(np.array([False]))
    >>> h = fit(x, y, columns)
    >>> bool(0.1 < 1.0 / np.sqrt(h.precision[0]) < 1.0 and h.noise < 0.01)
    True
    """
    d = x.shape[1]
    priors = Priors() if priors is None else priors
    start = Hyperparameters(np.ones(d), 1.0, 1e-2) if start is None else start
    found = minimize(
        objective(x, y, columns, noise, priors),
        start.to_log(),
        jac=True,
        method="L-BFGS-B",
        bounds=priors.bounds(d),
        options={"maxfun": max_evaluations, "ftol": 1e-6, "gtol": 1e-3},
    )
    return Hyperparameters.from_log(found.x)


def draw(
    x: FloatArray,
    y: FloatArray,
    columns: Columns,
    h: Hyperparameters,
    m: int,
    rng: np.random.Generator,
    *,
    noise: FloatArray | None = None,
    priors: Priors | None = None,
) -> list[Hyperparameters]:
    """Draw `m` hyperparameters from the Laplace approximation about their maximum `h`.

    A normal density in the logarithms (MacKay, Neural Computation 4 (1992), eq. 2.7), no
    wider than 2 in any direction, cut at the bounds of the priors. Its curvature is taken
    from differences of the slope.
    """
    priors = Priors() if priors is None else priors
    low, high = np.array(priors.bounds(x.shape[1])).T
    theta = np.clip(h.to_log(), low, high)
    f = objective(x, y, columns, noise, priors)
    slope = f(theta)[1]
    steps = np.where(theta + _STEP <= high, _STEP, -_STEP)
    hessian = [(f(theta + e)[1] - slope) / e.sum() for e in steps * np.eye(len(theta))]
    curvature, axes = np.linalg.eigh((hessian + np.transpose(hessian)) / 2.0)
    width = 1.0 / np.sqrt(np.maximum(curvature, _FLATTEST))
    z = rng.standard_normal((m, len(theta)))
    return [
        Hyperparameters.from_log(t) for t in np.clip(theta + (z * width) @ axes.T, low, high)
    ]


def objective(
    x: FloatArray,
    y: FloatArray,
    columns: Columns,
    noise: FloatArray | None,
    priors: Priors,
) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return the function that `fit` minimises.

    It takes the logarithms of the hyperparameters (d + 2,), see
    `Hyperparameters.to_log`, and returns their negative log posterior density, up to a
    constant, and its slope (d + 2,). The constant mean is profiled out.
    """
    n = len(x)
    low, high = np.tril_indices(n, -1)
    differences = columns.differences(columns.embed(x), low, high)
    below = low + n * high  # flat positions in Fortran order
    diagonal = np.arange(n) * (n + 1)
    own = np.zeros(n) if noise is None else noise
    flat = np.empty(n * n)

    def negative_log_posterior(theta: FloatArray) -> tuple[float, FloatArray]:
        h = Hyperparameters.from_log(theta)
        root = np.sqrt(5.0 * (h.precision @ differences))
        decay = h.scale * np.exp(-root)
        k = (1.0 + root + root * root / 3.0) * decay  # GPML eq. 4.17
        dk = (-5.0 / 6.0) * (1.0 + root) * decay
        flat[below] = k
        flat[diagonal] = h.scale + h.noise + own
        factor = cholesky(flat.reshape((n, n), order="F"), h.scale)
        ones = solve(factor, np.ones(n))
        residual = y - float(ones @ y) / float(ones.sum())
        weights = solve(factor, residual)
        value, slope = priors.negative_log(h)
        value += 0.5 * float(residual @ weights) + float(np.log(np.diag(factor)).sum())
        # GPML eq. 5.9; the mean is stationary, so its own change does not count.
        k_inverse = inverse(factor).ravel(order="K")
        pull = k_inverse[below] - weights[low] * weights[high]
        trace = k_inverse[diagonal] - weights**2
        slope[:-2] += h.precision * (differences @ (pull * dk))
        slope[-2] += float(pull @ k) + 0.5 * h.scale * float(trace.sum())
        slope[-1] += 0.5 * h.noise * float(trace.sum())
        return value, slope

    return negative_log_posterior
