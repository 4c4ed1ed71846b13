"""When a candidate is out of the race, seen from the first of its folds.

A rule is told scores of the same folds only. Higher is better.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

__all__ = ["Forgiving", "Paired", "Rule", "corrected_error"]

FloatArray = NDArray[np.float64]


def corrected_error(values: FloatArray, test_to_train: float) -> float:
    """Return the standard error of a mean over folds, which share training rows.

    Nadeau, Bengio: Inference for the Generalization Error, Machine Learning 52 (2003), eq. 7.

    Parameters
    ----------
    values : ndarray of shape (n_folds,)
        Such as differences of scores; two at least.
    test_to_train : float
        Rows of a validation fold over rows of its training fold; ``1 / (k - 1)`` in k-fold
        cross-validation. With 0, it is the usual standard error.
    """
    return math.sqrt((1.0 / len(values) + test_to_train) * float(values.var(ddof=1)))


class Rule(ABC):
    """Tells whether a candidate cannot plausibly beat its rival.

    Attributes
    ----------
    least : int
        Number of folds before which the rule says nothing.
    """

    least: int = 1

    @abstractmethod
    def beaten(self, mine: FloatArray, rival: FloatArray) -> bool:
        """Return whether the candidate should be dropped.

        Parameters
        ----------
        mine : ndarray of shape (m,)
            The candidate's scores of the first m folds; finite.
        rival : ndarray of shape (n,)
            The rival's of all n folds, ``m < n``; finite.
        """


@dataclass(frozen=True)
class Forgiving(Rule):
    """Dropped if the mean so far is worse than the worst single fold of the rival.

    Bergman, Purucker, Hutter: Don't Waste Your Time: Early Stopping Cross-Validation,
    AutoML 2024, section 3.

    Examples
    --------
    >>> rival = np.array([0.9, 0.8, 0.7])
    >>> Forgiving().beaten(np.array([0.71]), rival), Forgiving().beaten(np.array([0.69]), rival)
    (False, True)
    """

    def beaten(self, mine: FloatArray, rival: FloatArray) -> bool:
        """Compare the mean with the minimum."""
        return bool(mine.mean() < rival.min())


@dataclass(frozen=True)
class Paired(Rule):
    """Dropped if a paired t-test on the folds that both ran finds it worse.

    As the races of Birattari, Yuan, Balaprakash, Stützle: F-Race and iterated F-Race, 2010.
    The variance of the mean difference is that of `corrected_error`.

    Parameters
    ----------
    test_to_train : float
        As in `corrected_error`.
    level : float, default=0.05
        Of the one-sided test, each time that a fold has come.

    Examples
    --------
    >>> rival = np.array([0.90, 0.80, 0.70, 0.80])
    >>> rule = Paired(test_to_train=1 / 3)
    >>> rule.beaten(np.array([0.80, 0.69, 0.61]), rival)  # steadily worse
    True
    >>> rule.beaten(np.array([0.70, 0.89, 0.61]), rival)  # now worse, now better
    False
    """

    test_to_train: float
    level: float = 0.05
    least = 2

    def beaten(self, mine: FloatArray, rival: FloatArray) -> bool:
        """Test the differences on the folds that both have."""
        m = len(mine)
        if m < self.least:
            return False
        difference = rival[:m] - mine
        mean = float(difference.mean())
        error = corrected_error(difference, self.test_to_train)
        threshold = float(stdtrit(m - 1, 1.0 - self.level)) * error
        return mean > 0.0 and mean > threshold
