"""The distribution of momentum: what matters is the logarithm of one minus it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

__all__ = ["one_minus_loguniform"]


class OneMinusLogUniformGen(stats.rv_continuous):
    """A continuous random variable x whose ``1 - x`` is log-uniform.

    A moving average with momentum x remembers some ``1 / (1 - x)`` steps, so that 0.9 and
    0.99 are as far apart as 0 and 0.9.

    Parameters
    ----------
    low : float
        Smallest value.
    high : float
        Largest value, above `low` and below 1.

    Examples
    --------
    >>> momentum = one_minus_loguniform(0.0, 0.99)
    >>> [round(float(x), 3) for x in momentum.ppf([0.0, 0.5, 1.0])]
    [0.0, 0.9, 0.99]
    """

    def _argcheck(self, low: Any, high: Any) -> Any:
        return (low < high) & (high < 1)

    def _get_support(self, low: Any, high: Any) -> tuple[Any, Any]:
        return low, high

    def _pdf(self, x: Any, low: Any, high: Any) -> Any:
        return 1 / ((1 - x) * np.log((1 - low) / (1 - high)))

    def _cdf(self, x: Any, low: Any, high: Any) -> Any:
        return np.log((1 - low) / (1 - x)) / np.log((1 - low) / (1 - high))

    def _ppf(self, q: Any, low: Any, high: Any) -> Any:
        return np.clip(1 - (1 - low) * ((1 - high) / (1 - low)) ** q, low, high)


one_minus_loguniform = OneMinusLogUniformGen(name="one_minus_loguniform")
