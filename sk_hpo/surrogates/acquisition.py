"""Acquisition functions: what a predicted mean and standard deviation are worth.

All of them maximise, are elementwise, and come as ``(value, d value / d mean,
d value / d sd)``. Where M models predict, `mean_of_exp` and `mean_of` average what they say.

Ament, Daulton, Eriksson, Balandat, Bakshy: Unexpected Improvements to Expected
Improvement for Bayesian Optimization, NeurIPS 2023.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

__all__ = ["Acquired", "log_ei", "mean_of", "mean_of_exp", "ucb"]

FloatArray = NDArray[np.float64]
Acquired = tuple[FloatArray, FloatArray, FloatArray]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_HALF_PI = math.sqrt(0.5 * math.pi)
# Below _TAIL the middle branch loses eps * z**2 and the series is good to 1e4 * z**-10:
# both are near 1e-12 here. Ament et al. switch at -1 / sqrt(eps) with one term.
_TAIL = -50.0
_LOWEST = -1e100  # its square is finite


def log_ei(mean: FloatArray, sd: FloatArray, best: float | FloatArray) -> Acquired:
    """Return the logarithm of the expected improvement over `best`, and its slopes.

    Exact to about 1e-12 however unlikely an improvement is, where the naive formula
    underflows to a plateau without gradient (Ament et al. 2023, eq. 9).

    Parameters
    ----------
    mean, sd : ndarray of shape (..., m)
        Predictions; ``sd > 0``.
    best : float or ndarray
        Value to improve on; broadcast.

    Returns
    -------
    value, d_mean, d_sd : ndarray of shape (..., m)
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


def mean_of_exp(acquired: Acquired) -> Acquired:
    """Average over models on the scale of the exponential: of log EI, the mean EI.

    Snoek, Larochelle, Adams: Practical Bayesian Optimization of Machine Learning
    Algorithms, NeurIPS 2012, section 3.2 (integrated acquisition).

    Parameters
    ----------
    acquired : tuple of ndarray of shape (M, m)
        Values and slopes by model.

    Returns
    -------
    value : ndarray of shape (m,)
        ``log(mean(exp(values)))``.
    d_mean, d_sd : ndarray of shape (M, m)
        Its slopes in the predictions of each model.

    Examples
    --------
    >>> import numpy as np
    >>> value, ones = np.log([[1.0], [3.0]]), np.ones((2, 1))
    >>> np.exp(mean_of_exp((value, ones, ones))[0]).round(6)
    array([2.])
    """
    values, d_mean, d_sd = acquired
    top = values.max(axis=0)
    share = np.exp(values - top)
    total = share.sum(axis=0)
    share /= total
    return top + np.log(total / len(values)), share * d_mean, share * d_sd


def mean_of(acquired: Acquired) -> Acquired:
    """Average over models; shapes as in `mean_of_exp`.

    Examples
    --------
    >>> import numpy as np
    >>> mean_of((np.array([[1.0], [3.0]]), np.ones((2, 1)), np.ones((2, 1))))[0]
    array([2.])
    """
    values, d_mean, d_sd = acquired
    n = len(values)
    return values.mean(axis=0), d_mean / n, d_sd / n


def _log_h(z: FloatArray) -> Acquired:
    """Return ``log h``, ``Phi / h`` and ``phi / h`` for ``h = phi(z) + z Phi(z)``."""
    low, high = z.min(initial=np.inf), z.max(initial=-np.inf)
    if low > -1.0:
        return _near(z)
    if low > _TAIL and high <= -1.0:
        return _middle(z)
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
