"""An estimate from all trials, and how far it would be from that of other trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection.importance.forest import Forest, grow

__all__ = ["Estimate", "Measure", "estimate"]

FloatArray = NDArray[np.float64]
# What a forest says of each parameter, and perhaps of some pairs.
Measure = Callable[[Forest], FloatArray]

_MOST_TREES = 16  # of a resample; it makes intervals a little wider than all would


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Numbers with intervals.

    Parameters
    ----------
    value, low, high : ndarray of shape (n,)
        `low` and `high` are NaN if there was no bootstrap.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray

    def at(self, index: NDArray[np.intp]) -> Estimate:
        """Return some of them."""
        return Estimate(self.value[index], self.low[index], self.high[index])

    def within(self, least: float, most: float) -> Estimate:
        """Return the same with intervals that end there."""
        low, high = np.clip([self.low, self.high], least, most)
        return Estimate(self.value, low, high)


def estimate(
    forest: Forest,
    measure: Measure,
    n_bootstrap: int,
    confidence_level: float,
    rng: np.random.Generator,
) -> Estimate:
    """Return what `measure` says of a forest, with percentile intervals.

    A resample has fewer different trials than there are, and its forest knows less; so
    resamples tell the spread, and the estimate where its middle is.
    """
    value = measure(forest)
    n_trials, n_trees = len(forest.evidence.scores), min(len(forest.trees), _MOST_TREES)
    found = []
    for _ in range(n_bootstrap):
        trials, seed = rng.integers(n_trials, size=n_trials), int(rng.integers(2**31))
        found.append(measure(grow(forest.evidence, trials, n_trees, seed)))
    replicates = np.array([row for row in found if not np.isnan(row).any()])
    if not len(replicates):
        nothing = np.full(len(value), np.nan)
        return Estimate(value, nothing, nothing)
    off = replicates - replicates.mean(axis=0)
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(off, [tail, 1 - tail], axis=0)
    return Estimate(value, value + low, value + high)
