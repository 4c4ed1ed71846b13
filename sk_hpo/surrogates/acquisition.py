"""Acquisition functions: what a predicted mean and standard deviation are worth.

All of them maximise, are elementwise, and come as ``(value, d value / d mean,
d value / d sd)``.

Ament, Daulton, Eriksson, Balandat, Bakshy: Unexpected Improvements to Expected
Improvement for Bayesian Optimization, NeurIPS 2023.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

__all__ = ["Acquired", "log_ei", "ucb"]

FloatArray = NDArray[np.float64]
Acquired = tuple[FloatArray, FloatArray, FloatArray]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_HALF_PI = math.sqrt(0.5 * math.pi)
# Below _TAIL the middle branch loses eps * z**2 and the series is good to 1e4 * z**-10:
# both are near 1e-12 here. Ament et al. switch at -1 / sqrt(eps) with one term.
_TAIL = -50.0
_LOWEST = -1e100  # its square is finite


def log_ei(mean: FloatArray, sd: FloatArray, best: float) -> Acquired:
    """Return the logarithm of the expected improvement over `best`, and its slopes.

    Exact to about 1e-12 however unlikely an improvement is, where the naive formula
    underflows to a plateau without gradient (Ament et al. 2023, eq. 9).

    Parameters
    ----------
    mean, sd : ndarray of shape (m,)
        Predictions; ``sd > 0``.
    best : float
        Value to improve on.

    Returns
    -------
    value, d_mean, d_sd : ndarray of shape (m,)
        ``log E[max(f - best, 0)]`` for ``f ~ N(mean, sd**2)``, and its partial
        derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> value, d_mean, d_sd = log_ei(np.array([0.0, -40.0]), np.ones(2), 0.0)
    >>> value.round(3)
    array([  -0.919, -808.299])
    """
    z = np.maximum((mean - best) / sd, _LOWEST)
    value, ratio, rest = _log_h(z)
    return value + np.log(sd), ratio / sd, rest / sd


def ucb(mean: FloatArray, sd: FloatArray, beta: float) -> Acquired:
    """Return the upper confidence bound ``mean + beta * sd``, and its slopes.

    Parameters
    ----------
    mean, sd : ndarray of shape (m,)
        Predictions.
    beta : float
        Weight of the exploration, in standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> ucb(np.array([1.0]), np.array([0.5]), beta=2.0)[0]
    array([2.])
    """
    return mean + beta * sd, np.ones_like(mean), np.full_like(sd, beta)


def _log_h(z: FloatArray) -> Acquired:
    """Return ``log h``, ``Phi / h`` and ``phi / h`` for ``h = phi(z) + z Phi(z)``."""
    value, cdf, pdf = np.empty_like(z), np.empty_like(z), np.empty_like(z)
    for where, branch in (
        (z > -1.0, _near),
        ((z <= -1.0) & (z > _TAIL), _middle),
        (z <= _TAIL, _tail),
    ):
        if where.any():
            value[where], cdf[where], pdf[where] = branch(z[where])
    return value, cdf, pdf


def _near(z: FloatArray) -> Acquired:
    cdf = ndtr(z)
    pdf = np.exp(-0.5 * np.square(np.minimum(z, 40.0)) - _HALF_LOG_2PI)
    h = pdf + z * cdf
    return np.log(h), cdf / h, pdf / h


def _middle(z: FloatArray) -> Acquired:
    mills = _ROOT_HALF_PI * erfcx(-z / math.sqrt(2.0))  # Phi / phi
    h = 1.0 + z * mills  # h / phi
    return np.log(h) - 0.5 * z * z - _HALF_LOG_2PI, mills / h, 1.0 / h


def _tail(z: FloatArray) -> Acquired:
    # Phi / phi = (1 - 1/z^2 + 3/z^4 - ...) / |z|, Abramowitz & Stegun 26.2.12
    s = 1.0 / (z * z)
    mills = 1.0 - s * (1.0 - 3.0 * s * (1.0 - 5.0 * s * (1.0 - 7.0 * s)))
    h = 1.0 - 3.0 * s * (1.0 - 5.0 * s * (1.0 - 7.0 * s * (1.0 - 9.0 * s)))
    value = np.log(h) - 2.0 * np.log(-z) - 0.5 * z * z - _HALF_LOG_2PI
    return value, -z * mills / h, z * z / h
