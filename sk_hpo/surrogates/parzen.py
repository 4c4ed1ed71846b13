"""Parzen estimators over a lattice: mixtures of product kernels, one for each observation.

Watanabe: Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their
Roles for Better Empirical Performance, arXiv:2304.11127 (2023). Its section in brackets.

All densities are relative to the uniform distribution over the lattice. Of a column

- that is continuous, the kernel is a normal truncated to [0, 1] [3.3.2],
- with ordered levels, the normal's mass in a level's cell [3.3.2],
- that is categorical, Aitchison and Aitken's [3.3.2],

and all are mixed with a little of the uniform. A parameter that does not exist (NaN), in the
row or in the observation, says nothing: the kernel is 1. Kernels of all columns multiply
("multivariate", [3.3.1]), and one more component is uniform, the prior [3.3.4].
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sk_hpo.surrogates.lattice import Lattice

__all__ = ["Parzen"]

FloatArray = NDArray[np.float64]

_NARROWER = 0.5  # than the distance to the neighbours
_FINEST = 100.0  # one over this is the smallest bandwidth, however many observations
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_CHUNK = 64  # columns whose kernels may be multiplied without over- or underflow


class Parzen:
    """A density over the rows of a lattice.

    Parameters
    ----------
    lattice : Lattice
        The d columns.
    x : ndarray of shape (n, d)
        Observations, NaN where a parameter does not exist.
    weights : ndarray of shape (n,)
        Of the observations, positive; their sum does not matter.
    flatten : float
        Share of the uniform in each kernel of a numeric column, in (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> lattice = Lattice((None, None), np.array([False, False]))
    >>> density = Parzen(lattice, np.array([[0.2, 0.2], [0.3, 0.2]]), np.ones(2), 0.1)
    >>> near, far = density.log_density(np.array([[0.25, 0.2], [0.9, 0.9]]))
    >>> bool(near > 0.0 > far)
    True
    """

    def __init__(
        self, lattice: Lattice, x: FloatArray, weights: FloatArray, flatten: float
    ) -> None:
        self._lattice = lattice
        self._x = x
        self._flatten = flatten
        self._bandwidths = _bandwidths(x)
        n = len(x)
        # The prior weighs as much as the average observation.
        scaled = weights * (n / weights.sum()) if n else weights
        self._weights = np.append(scaled, 1.0) / (n + 1.0)

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return the logarithm (m,) of the density at the rows of `x` (m, d)."""
        logs: FloatArray = np.zeros((len(x), len(self._x)))
        for first in range(0, x.shape[1], _CHUNK):
            product = np.ones_like(logs)
            for j in range(first, min(first + _CHUNK, x.shape[1])):
                product *= self._kernel(j, x[:, j])
            logs += np.log(product)
        top = logs.max(axis=1, initial=0.0)
        shares = np.exp(logs - top[:, None]) @ self._weights[:-1]
        return np.asarray(top + np.log(shares + self._weights[-1] * np.exp(-top)))

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw rows (n, d) of the lattice."""
        component = rng.choice(len(self._weights), size=n, p=self._weights)
        u = rng.random((n, self._x.shape[1]))
        own = component < len(self._x)
        for j in range(u.shape[1]):
            u[own, j] = self._draw(j, component[own], u[own, j], rng)
        return self._lattice.snap(u)

    def _kernel(self, j: int, x: FloatArray) -> FloatArray:
        """Return the kernels (m, n) of column j."""
        centre = self._x[:, j]
        if self._lattice.categorical[j]:
            k, mixed = self._n_levels(j), self._mixed(j)
            value = np.where(x[:, None] == centre, (1.0 - mixed) * k + mixed, mixed)
        else:
            levels = self._lattice.levels[j]
            at, mu = np.where(np.isnan(x), 0.5, x), np.where(np.isnan(centre), 0.5, centre)
            value = (
                self._normal(j, at, mu) if levels is None else self._cells(j, at, mu, levels)
            )
            value *= 1.0 - self._flatten
            value += self._flatten
        value[np.isnan(x)] = 1.0
        value[:, np.isnan(centre)] = 1.0
        return value

    def _normal(self, j: int, x: FloatArray, mu: FloatArray) -> FloatArray:
        h = self._bandwidths[:, j]
        value = (x[:, None] - mu) / h
        np.square(value, out=value)
        value *= -0.5
        np.exp(value, out=value)
        value /= h * _ROOT_2PI * (ndtr((1.0 - mu) / h) - ndtr(-mu / h))
        return value

    def _cells(self, j: int, x: FloatArray, mu: FloatArray, levels: FloatArray) -> FloatArray:
        h = self._bandwidths[:, j]
        edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2.0, [1.0]])
        cell, place = np.unique(np.searchsorted(edges[1:-1], x), return_inverse=True)
        low, high = edges[cell], edges[cell + 1]
        mass = ndtr((high[:, None] - mu) / h) - ndtr((low[:, None] - mu) / h)
        mass /= (high - low)[:, None] * (ndtr((1.0 - mu) / h) - ndtr(-mu / h))
        return np.asarray(mass[place])

    def _draw(
        self, j: int, component: NDArray[np.intp], u: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Return values of column j from kernels of it; what NaN knows is uniform."""
        centre = self._x[component, j]
        elsewhere = rng.random(len(u))
        if self._lattice.categorical[j]:
            uniform = np.isnan(centre) | (elsewhere < self._mixed(j))
            return np.where(uniform, u, centre)
        uniform = np.isnan(centre) | (elsewhere < self._flatten)
        mu, h = np.where(uniform, 0.5, centre), self._bandwidths[component, j]
        low, high = ndtr(-mu / h), ndtr((1.0 - mu) / h)
        near = np.clip(mu + h * ndtri(low + u * (high - low)), 0.0, 1.0)
        return np.where(uniform, u, near)

    def _n_levels(self, j: int) -> int:
        levels = self._lattice.levels[j]
        assert levels is not None
        return len(levels)

    def _mixed(self, j: int) -> float:
        """Return the share of the uniform in the kernel of a categorical column."""
        k = self._n_levels(j)
        return k / (k + len(self._x) + 1.0)


def _bandwidths(x: FloatArray) -> FloatArray:
    """Return bandwidths (n, d) from the distances to neighbours (hyperopt's rule, [3.3.3]).

    Half of the larger of the distances to the next observation on either side, the bounds
    counting as one except for the outermost; at least ``1 / (n + 2)`` or 0.01.
    """
    n, d = x.shape
    bandwidths = np.ones((n, d))
    for j in range(d):
        known = np.flatnonzero(~np.isnan(x[:, j]))
        order = known[np.argsort(x[known, j], kind="stable")]
        gaps = np.diff(np.concatenate([[0.0], x[order, j], [1.0]]))
        widest = np.maximum(gaps[1:], gaps[:-1])
        if len(order) > 1:
            widest[0], widest[-1] = gaps[1], gaps[-2]
        bandwidths[order, j] = _NARROWER * widest
    smallest = 1.0 / min(n + 2.0, _FINEST)
    return np.clip(bandwidths, smallest, 1.0)
