"""Scores to targets for a surrogate: failures filled in, outliers tamed, mean 0, variance 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Targets", "targets"]

FloatArray = NDArray[np.float64]

_LINEAR = 5.0  # gaps below this many units are kept as they are, larger ones go by logarithm
_LARGEST = 50.0 * _LINEAR  # and above this many, all are alike


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Scores as a surrogate sees them. Made by `targets`.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Mean 0, variance 1, in the order of the scores; all 0 if nothing tells them apart.
    best : float
        The highest score.
    unit : float
        The gap between scores that counts as 1 before they are standardised.
    mean, sd : float
        Of the gaps in these units, after the logarithm; ``sd`` is 0 if `y` is constant.
    """

    y: FloatArray
    best: float
    unit: float
    mean: float
    sd: float

    @property
    def stretch(self) -> float:
        """``d y / d score`` at the best score, at most 1e150; 0 if `y` is constant."""
        return min(1.0 / self.unit / self.sd, 1e150) if self.sd > 0.0 else 0.0

    def to_score(self, y: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return predictions of a target (mean and sd) in units of the score."""
        z = self.mean - self.sd * y
        with np.errstate(over="ignore"):
            tail = np.exp(np.maximum(z, _LINEAR) / _LINEAR - 1.0)
            gap = np.where(z <= _LINEAR, z, _LINEAR * tail)
            return self.best - self.unit * gap, self.unit * self.sd * tail * sd


def targets(scores: FloatArray) -> Targets:
    """Return standardised targets.

    A score counts by its gap to the best one. The unit is the gap that the best quarter
    of the scores (at least four) keeps. Gaps up to 5 units are left alone, so well-behaved
    scores are standardised and no more; beyond, they grow by the logarithm and are cut at
    250 units. Thus diverged candidates (-1e300) stay last and leave the good ones apart.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        To be maximised. Failures, NaN or infinite, count like the worst score (one unit
        below it if all scores are equal).

    Examples
    --------
    >>> import numpy as np
    >>> targets(np.array([0.1, 0.2, 0.3, np.nan, -1e300])).y.round(2)
    array([ 0.77,  0.82,  0.86, -1.22, -1.22])
    """
    finite = np.isfinite(scores)
    if not finite.any():
        return Targets(np.zeros(len(scores)), 0.0, 1.0, 0.0, 0.0)
    best = float(scores[finite].max())
    quarter = np.where(finite, scores, scores[finite].min()) / 4.0  # gaps cannot overflow
    gaps = best / 4.0 - quarter
    unit = max(_unit(gaps[finite]), 1e-300)  # nor can the quotient
    z = np.minimum(gaps, unit * _LARGEST) / unit
    z = np.where(z <= _LINEAR, z, _LINEAR * (1.0 + np.log(np.maximum(z, _LINEAR) / _LINEAR)))
    if not gaps.any():
        z[~finite] = 1.0
    mean, sd = float(z.mean()), float(z.std())
    y = (mean - z) / sd if sd > 0.0 else np.zeros(len(scores))
    return Targets(y, best, 4.0 * min(unit, 1e307), mean, sd)


def _unit(gaps: FloatArray) -> float:
    """Return the gap that the best quarter keeps, 0 if all scores are equal."""
    positive = np.sort(gaps[gaps > 0.0])
    if not positive.size:
        return 0.0
    few = min(2, (positive.size - 1) // 2)
    return float(positive[min(max(few, len(gaps) // 4), positive.size - 1)])
