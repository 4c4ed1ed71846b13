"""The path from one candidate to a better one, a parameter at a time, as a forest sees it.

Fawcett, Hoos: Analysing differences between algorithm configurations through ablation,
Journal of Heuristics 22, 2016; with a surrogate: Biedenkapp, Lindauer, Eggensperger, Hutter,
Fawcett, Hoos: Efficient Parameter Importance Analysis via Ablation with Surrogates, AAAI 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection.importance.forest import Forest

__all__ = ["ablation_gains", "ablation_shares"]

FloatArray = NDArray[np.float64]


def ablation_gains(forest: Forest, source: FloatArray, target: FloatArray) -> FloatArray:
    """Return what each axis adds to the score on the way, shape (d,), in units of it.

    Of the parameters in which the two still differ, the next is that with the greatest gain;
    the gains add up to the difference between the two predictions. One that does not exist
    in `source` comes with the parameter that makes it exist, and its gain is in that one's.

    Parameters
    ----------
    forest : Forest
        Over d axes.
    source, target : ndarray of shape (d,)
        Points of the cube, NaN where a parameter does not exist.
    """
    existing = forest.evidence.encoding.existing
    # Where only one of the two has a value, there is nothing to change.
    now = np.where(np.isnan(source), target, source)
    now = np.where(np.isnan(now), 0.5, now)
    goal = np.where(np.isnan(target), now, target)
    gains = np.zeros(len(now))
    left = np.flatnonzero(now != goal).tolist()
    [score] = forest.predict(existing(now[None]))
    while left:
        steps = np.repeat(now[None], len(left), axis=0)
        steps[np.arange(len(left)), left] = goal[left]
        scores = forest.predict(existing(steps))
        best = int(scores.argmax())
        j = left.pop(best)
        gains[j] = scores[best] - score
        now, score = steps[best], scores[best]
    return gains


def ablation_shares(forest: Forest, source: FloatArray, target: FloatArray) -> FloatArray:
    """Return gains as shares of their sum, shape (d,); NaN if the sum is not positive."""
    gains = ablation_gains(forest, source, target)
    total = gains.sum()
    return gains / total if total > 0 else np.full(len(gains), np.nan)
