"""Maximise an acquisition function over a lattice: sweep, climb, exchange.

The recipe of Optuna's and BoTorch's optimisers: a quasi-random sweep and a cloud around
the best observations; L-BFGS from the best of both in the continuous columns; exchange of
one level at a time in the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import qmc

from sk_hpo.surrogates.lattice import Lattice

__all__ = ["Budget", "Objective", "maximize"]

FloatArray = NDArray[np.float64]
Allowed = Callable[[FloatArray], bool]

_MOVED = 20.0  # columns, on average, that differ between an anchor and a point of its cloud


class Objective(Protocol):
    """A function of rows of the unit cube, NaN where a parameter does not exist."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the values (m,) at `x` (m, d)."""

    def with_slopes(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the values (m,) and their slopes (m, d)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How hard to look.

    Parameters
    ----------
    sweep, cloud : int, default=256
        Quasi-random rows over the whole cube, and rows near the anchors.
    starts : int, default=4
        Rows that are improved on.
    iterations : int, default=8
        Of L-BFGS, for all starts together.
    rounds : int, default=2
        Of one-exchange.
    levels : int, default=16
        An ordered column with more levels is climbed as if it were continuous, and
        exchanges only as many of its nearest ones.
    checks : int, default=512
        Rows that are asked whether they are allowed before the search gives up.
    """

    sweep: int = 256
    cloud: int = 256
    starts: int = 4
    iterations: int = 8
    rounds: int = 2
    levels: int = 16
    checks: int = 512


def maximize(
    objective: Objective,
    lattice: Lattice,
    anchors: FloatArray,
    allowed: Allowed,
    rng: np.random.Generator,
    budget: Budget | None = None,
) -> FloatArray | None:
    """Return the allowed row of the lattice with the largest value that was found.

    Parameters
    ----------
    objective : Objective
        To be maximised.
    lattice : Lattice
        The d columns.
    anchors : ndarray of shape (k, d)
        Rows worth looking around; NaN where a parameter does not exist.
    allowed : callable
        Whether a row (d,) of the lattice may be returned. Asked of few.
    rng : Generator
        Shifts the sweep and draws the cloud.
    budget : Budget, default=None
        By default `Budget()`.

    Returns
    -------
    x : ndarray of shape (d,) or None
        None if none of the best `budget.checks` rows is allowed.
    """
    budget = Budget() if budget is None else budget
    d = len(lattice.levels)
    u = np.concatenate([
        _sweep(d, budget.sweep, rng),
        _cloud(anchors, lattice, budget.cloud, rng),
    ])  # fmt: skip
    x = lattice.snap(u)
    values = objective(x)
    starts = _best_allowed(x, values, allowed, budget.starts, budget.checks)
    if not starts:
        return None
    u, x, values = u[starts], x[starts], values[starts]
    u, x, values = _climb(objective, lattice, u, x, values, allowed, budget)
    for _ in range(budget.rounds):
        before = values
        u, x, values = _exchange(objective, lattice, u, x, values, allowed, budget)
        if np.array_equal(before, values):
            break
    best: FloatArray = x[int(np.argmax(values))]
    return best


def _sweep(d: int, n: int, rng: np.random.Generator) -> FloatArray:
    return (_sobol(d, n) + rng.random(d)) % 1.0  # Cranley-Patterson rotation


@lru_cache(maxsize=8)
def _sobol(d: int, n: int) -> FloatArray:
    points: FloatArray = qmc.Sobol(d, scramble=False).random_base2(max(n - 1, 1).bit_length())
    return points[:n]


def _cloud(
    anchors: FloatArray, lattice: Lattice, n: int, rng: np.random.Generator
) -> FloatArray:
    """Draw around the anchors, near and far: steps of 0.003 to 0.3, a few levels anew.

    In many dimensions only some 20 move: Regis, Shoemaker, Eng. Optim. 45 (2013), DYCORS.
    """
    if not len(anchors):
        return np.empty((0, len(lattice.levels)))
    centre = anchors[np.arange(n) % len(anchors)]
    anew = rng.random(centre.shape)
    step = 10.0 ** rng.uniform(-2.5, -0.5, (n, 1))
    moves = rng.random(centre.shape) < _MOVED / centre.shape[1]
    moved = centre + step * moves * rng.standard_normal(centre.shape)
    moved = np.abs(moved)
    moved = np.clip(np.minimum(moved, 2.0 - moved), 0.0, 1.0)  # reflected at the faces
    moved[:, lattice.categorical] = centre[:, lattice.categorical]
    levelled = np.array([levels is not None for levels in lattice.levels])
    redrawn = levelled & (rng.random(centre.shape) < 1.0 / len(levelled))
    return np.where(np.isnan(centre) | redrawn, anew, moved)


def _best_allowed(
    x: FloatArray, values: FloatArray, allowed: Allowed, n: int, checks: int
) -> list[int]:
    """Return up to `n` positions of different allowed rows, best first."""
    chosen: list[int] = []
    seen: set[bytes] = set()
    for i in np.argsort(-values, kind="stable"):
        key = x[i].tobytes()
        if key in seen:
            continue
        if len(chosen) == n or len(seen) == checks:
            break
        seen.add(key)
        if allowed(x[i]):
            chosen.append(int(i))
    return chosen


def _climb(
    objective: Objective,
    lattice: Lattice,
    u: FloatArray,
    x: FloatArray,
    values: FloatArray,
    allowed: Allowed,
    budget: Budget,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Improve the rows in the relaxed columns that exist, all together by L-BFGS."""
    free = lattice.relaxed(budget.levels) & ~np.isnan(x)
    if not free.any() or budget.iterations == 0:
        return u, x, values

    def negative(coordinates: FloatArray) -> tuple[float, FloatArray]:
        moved = x.copy()
        moved[free] = coordinates
        value, slopes = objective.with_slopes(moved)
        return -float(value.sum()), -slopes[free]

    found = minimize(
        negative,
        x[free],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * int(free.sum()),
        options={"maxiter": budget.iterations, "maxfun": 2 * budget.iterations},
    )
    moved_u = u.copy()
    moved_u[free] = found.x
    moved = lattice.snap(moved_u)
    return _keep_better(u, x, values, moved_u, moved, objective(moved), allowed)


def _exchange(
    objective: Objective,
    lattice: Lattice,
    u: FloatArray,
    x: FloatArray,
    values: FloatArray,
    allowed: Allowed,
    budget: Budget,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Replace each row by its best allowed neighbour, if that is better."""
    blocks = [lattice.neighbours(row, budget.levels) for row in u]
    if not blocks[0].size:
        return u, x, values
    together = np.concatenate(blocks)
    snapped = lattice.snap(together)
    value = objective(snapped)
    best = []
    ends = np.cumsum([len(block) for block in blocks])
    for i, (start, end) in enumerate(zip(ends - [len(b) for b in blocks], ends, strict=True)):
        better = np.where(value[start:end] > values[i], value[start:end], -np.inf)
        found = _best_allowed(snapped[start:end], better, allowed, 1, budget.checks)
        best.append(int(start) + (found[0] if found else 0))
    return _keep_better(u, x, values, together[best], snapped[best], value[best], allowed)


def _keep_better(
    u: FloatArray,
    x: FloatArray,
    values: FloatArray,
    new_u: FloatArray,
    new_x: FloatArray,
    new_values: FloatArray,
    allowed: Allowed,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    better = (new_values > values) & [allowed(row) for row in new_x]
    return (
        np.where(better[:, None], new_u, u),
        np.where(better[:, None], new_x, x),
        np.where(better, new_values, values),
    )
