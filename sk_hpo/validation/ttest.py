"""Which of two candidates is better, judged by their scores on the same folds.

Folds share training rows, so their scores are correlated, and a plain paired t-test finds
differences that are not there. Both tests here widen the variance of the mean difference:

- the corrected resampled t-test of Nadeau, Bengio: Inference for the Generalization Error,
  Machine Learning 52 (2003), also for repeated cross-validation (Bouckaert, Frank: Evaluating
  the Replicability of Significance Tests for Comparing Learning Algorithms, PAKDD 2004);
- the Bayesian correlated t-test of Corani, Benavoli: A Bayesian Approach for Comparing
  Cross-Validated Algorithms on Multiple Data Sets, Machine Learning 100 (2015), with the
  region of practical equivalence of Benavoli, Corani, Demšar, Zaffalon: Time for a Change: a
  Tutorial for Comparing Multiple Classifiers Through Bayesian Analysis, JMLR 18 (2017).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from sk_hpo.schedulers.rules import corrected_error
from sk_hpo.validation.scores import fold_scores, metric_names, one_metric

__all__ = ["Comparison", "compare_rows", "compare_scores", "row_number"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """How candidate i compares with candidate j; higher scores are better.

    Attributes
    ----------
    p_better : float
        Probability that i is better than j by more than `rope`.
    p_equivalent : float
        Probability that they differ by `rope` at most; 0 for ``rope=0``, unless the scores
        are the same on every fold.
    p_worse : float
        Probability that j is better than i by more than `rope`.
    mean_difference : float
        Mean over folds of the score of i minus that of j.
    interval : tuple of (float, float)
        Of the difference: the central credible interval, which is also the corrected
        confidence interval.
    statistic, p_value : float
        Of the two-sided corrected t-test that the difference is 0, with ``n_folds - 1``
        degrees of freedom.
    standard_error : float
        Corrected, of `mean_difference`. The posterior of the difference is
        ``scipy.stats.t(n_folds - 1, mean_difference, standard_error)``.
    n_folds : int
        Number of folds that both ran.
    rope : float
        Half the width of the region of practical equivalence, in units of the score.
    confidence : float
        Of `interval`.
    """

    p_better: float
    p_equivalent: float
    p_worse: float
    mean_difference: float
    interval: tuple[float, float]
    statistic: float
    p_value: float
    standard_error: float
    n_folds: int
    rope: float
    confidence: float

    def __str__(self) -> str:
        low, high = self.interval
        chances = [f"P(i better) = {self.p_better:.3f}", f"P(j better) = {self.p_worse:.3f}"]
        if self.rope or self.p_equivalent:
            within = f"P(equivalent within ±{self.rope:g}) = {self.p_equivalent:.3f}"
            chances.insert(1, within)
        return (
            f"i - j = {self.mean_difference:+.4g} on {self.n_folds} folds,"
            f" {100 * self.confidence:.4g}% interval {low:+.4g} to {high:+.4g}\n"
            f"{', '.join(chances)}\n"
            f"corrected t-test: t = {self.statistic:.3f}, p = {self.p_value:.3g}"
        )


def compare_scores(
    scores_i: ArrayLike,
    scores_j: ArrayLike,
    *,
    n_train: ArrayLike,
    n_test: ArrayLike,
    rope: float = 0.0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two candidates by their scores on the same folds.

    Parameters
    ----------
    scores_i, scores_j : array-like of shape (n_folds,)
        Higher is better; of all repeats, for a repeated cross-validation. NaN at a fold that
        was not run: only folds that both ran count.
    n_train, n_test : int or array-like of shape (n_folds,)
        Rows that a fold was trained on, and rows that it was scored on. Of folds of unequal
        sizes, the mean of ``n_test / n_train`` counts.
    rope : float, default=0.0
        Candidates whose scores differ by `rope` at most are equivalent in practice.
    confidence : float, default=0.95
        Probability that the interval is to have.

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    ValueError
        If fewer than two folds were run by both, shapes differ, a score is infinite, or
        another argument is out of range.

    Notes
    -----
    Where the difference is the same on every fold, its variance is 0, and the posterior is a
    point: one of the three probabilities is 1. Two candidates with the same scores are
    equivalent, whatever the `rope`, with statistic 0 and p-value 1. Small differences on few
    folds may be the same by accident, as accuracies on few rows are: a `rope` guards
    against that.

    A probability here compares two candidates that were named beforehand. The best of many
    candidates is best in part by luck, and a comparison on the same folds does not know it.

    Examples
    --------
    >>> i = [0.91, 0.84, 0.93, 0.90, 0.87]
    >>> j = [0.89, 0.83, 0.92, 0.86, 0.87]
    >>> comparison = compare_scores(i, j, n_train=160, n_test=40, rope=0.01)
    >>> print(comparison)
    i - j = +0.016 on 5 folds, 95% interval -0.01225 to +0.04425
    P(i better) = 0.706, P(equivalent within ±0.01) = 0.262, P(j better) = 0.031
    corrected t-test: t = 1.573, p = 0.191
    """
    if not 0.0 <= rope < np.inf:
        raise ValueError(f"rope must be a number of at least 0; got {rope!r}.")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence!r}.")
    difference, share = _paired(scores_i, scores_j, n_train, n_test)
    n = len(difference)
    mean = float(difference.mean())
    # Also the scale of the posterior of Corani, Benavoli (2015), whose rho / (1 - rho) is
    # this share, for their rho = n_test / (n_train + n_test).
    error = corrected_error(difference, share)
    better, worse = (_tail(n - 1, side * mean - rope, error) for side in (1.0, -1.0))
    # Of a continuous posterior, no probability is at a point, whatever rounding leaves.
    equivalent = max(0.0, 1.0 - better - worse) if rope or not error else 0.0
    margin = float(stdtrit(n - 1, 0.5 + confidence / 2.0)) * error
    return Comparison(
        p_better=better,
        p_equivalent=equivalent,
        p_worse=worse,
        mean_difference=mean,
        interval=(mean - margin, mean + margin),
        statistic=_ratio(mean, error),
        p_value=2.0 * float(stdtr(n - 1, -abs(_ratio(mean, error)))),
        standard_error=error,
        n_folds=n,
        rope=float(rope),
        confidence=float(confidence),
    )


def compare_rows(
    cv_results: Mapping[str, Any],
    i: int,
    j: int,
    *,
    n_train: ArrayLike,
    n_test: ArrayLike,
    metric: str | None = None,
    rope: float = 0.0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two rows of ``cv_results_``, as `compare_scores`.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_``.
    i, j : int
        Row numbers.
    n_train, n_test, rope, confidence
        As in `compare_scores`.
    metric : str, default=None
        Name of the metric; needed if there are several.

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    TypeError, IndexError
        As in `row_number`.
    ValueError
        If the metric is unknown or not named, or as in `compare_scores`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=10).fit(X, y)
    >>> print(compare_rows(search.cv_results_, 0, 1, n_train=398, n_test=44, rope=0.01))
    i - j = +0.05791 on 10 folds, 95% interval +0.0006481 to +0.1152
    P(i better) = 0.955, P(equivalent within ±0.01) = 0.033, P(j better) = 0.013
    corrected t-test: t = 2.288, p = 0.0479
    """
    scores = fold_scores(cv_results, one_metric(metric, metric_names(cv_results)))
    i, j = (row_number(row, len(scores)) for row in (i, j))
    return compare_scores(
        scores[i], scores[j], n_train=n_train, n_test=n_test, rope=rope, confidence=confidence
    )


def row_number(row: Any, n_rows: int) -> int:
    """Return the number of a row of ``cv_results_`` as an int.

    Raises
    ------
    TypeError
        If it is no whole number; a bool would be the row 0 or 1 by accident.
    IndexError
        If there is no such row.
    """
    if isinstance(row, bool | np.bool_) or not hasattr(row, "__index__"):
        raise TypeError(f"A candidate is named by its row of cv_results_, an int; got {row!r}.")
    number = operator.index(row)
    if not 0 <= number < n_rows:
        raise IndexError(f"There is no candidate {number}: cv_results_ has {n_rows} rows.")
    return number


def _paired(
    scores_i: ArrayLike, scores_j: ArrayLike, n_train: ArrayLike, n_test: ArrayLike
) -> tuple[FloatArray, float]:
    """Return the differences on the folds that both ran, and their mean test-train ratio."""
    i, j = np.asarray(scores_i, dtype=float), np.asarray(scores_j, dtype=float)
    if i.ndim != 1 or i.shape != j.shape:
        raise ValueError(
            "scores_i and scores_j must have one score for each fold of the same"
            f" cross-validation; their shapes are {i.shape} and {j.shape}."
        )
    if np.isinf(i).any() or np.isinf(j).any():
        raise ValueError(f"A score is infinite and has no difference: {i} and {j}.")
    ran = ~(np.isnan(i) | np.isnan(j))
    if ran.sum() < 2:
        raise ValueError(
            f"A comparison needs at least 2 folds with a score of both candidates; there"
            f" are {ran.sum()} of {len(ran)}. Run more folds (cv=), or repeat them."
        )
    shares = _sizes("n_test", n_test, ran) / _sizes("n_train", n_train, ran)
    return i[ran] - j[ran], float(shares.mean())


def _sizes(name: str, rows: ArrayLike, ran: NDArray[np.bool_]) -> FloatArray:
    sizes = np.asarray(rows, dtype=float)
    if sizes.shape not in ((), ran.shape):
        raise ValueError(
            f"{name} must be a number of rows, or one for each of the {len(ran)} folds; its"
            f" shape is {sizes.shape}."
        )
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError(f"{name} must be at least 1; got {rows!r}.")
    used: FloatArray = np.broadcast_to(sizes, ran.shape)[ran]
    return used


def _tail(df: int, excess: float, error: float) -> float:
    """Return P(difference > bound), given how far the mean is above the bound."""
    if error == 0.0:
        return float(excess > 0.0)
    return float(stdtr(df, excess / error))


def _ratio(mean: float, error: float) -> float:
    if error == 0.0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / error
