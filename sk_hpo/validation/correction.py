"""The score of the best candidate without the optimism of having been chosen.

The best of many noisy scores is better than the candidate that it belongs to. Two
corrections need no further fit: one reads the out-of-fold predictions, the other the
scores of the folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.utils import check_consistent_length, check_random_state

from sk_hpo.schedulers.rules import corrected_error
from sk_hpo.validation.pooled import (
    ByMetric,
    ByRow,
    Comparable,
    Floats,
    Scored,
    best,
    comparable,
    draw,
    is_missing,
)

__all__ = ["CorrectedScore", "bbc_cv", "bbc_cv_of_rows", "tibshirani"]


@dataclass(frozen=True)
class CorrectedScore:
    """What the best candidate is worth once its selection is paid for.

    Attributes
    ----------
    estimate : float
        The corrected score: greater is better, in the units of the metric.
    interval : tuple of float
        Lower and upper end of the confidence interval.
    confidence : float
        Its nominal level, for example 0.95.
    method : {"bbc_cv", "tibshirani"}
        The correction.
    naive : float
        The uncorrected score of the best candidate.
    candidate : int
        Which candidate that is: its place among those given.
    n_bootstraps : int or None
        Number of draws that the estimate is the mean of; None where none are made.
    note : str
        Why there is no better correction; empty if there is none to tell.

    Examples
    --------
    >>> score = CorrectedScore(0.81, (0.74, 0.87), 0.95, "bbc_cv", 0.84, 3, 1000)
    >>> print(score)
    0.8100 (95% interval 0.7400 to 0.8700; uncorrected 0.8400; bbc_cv)
    >>> round(score.optimism, 2)
    0.03
    """

    estimate: float
    interval: tuple[float, float]
    confidence: float
    method: Literal["bbc_cv", "tibshirani"]
    naive: float
    candidate: int
    n_bootstraps: int | None = None
    note: str = ""

    @property
    def optimism(self) -> float:
        """How much better the uncorrected score looks."""
        return self.naive - self.estimate

    def __str__(self) -> str:
        low, high = self.interval
        level = f"{100 * self.confidence:g}% interval {low:.4f} to {high:.4f}"
        how = f"{self.method}, since {self.note}" if self.note else self.method
        return f"{self.estimate:.4f} ({level}; uncorrected {self.naive:.4f}; {how})"


def bbc_cv(
    predictions: ArrayLike,
    y: ArrayLike,
    metric: Callable[..., float],
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_bootstraps: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> CorrectedScore:
    """Correct the best score by a bootstrap of the out-of-fold predictions (BBC-CV).

    Rows are drawn with replacement, and the candidate that is best on them is scored on
    the rows that were not drawn. The estimate is the mean over all draws; the interval lies
    between their percentiles.

    Parameters
    ----------
    predictions : array-like of shape (n_rows, n_candidates) or \
(n_rows, n_candidates, n_outputs)
        Each by a model that was not trained on its row, of any type that `metric` takes.
        NaN and None are missing. Rows that no candidate has predicted are left out; a
        candidate that lacks one of the others has failed there, and cannot be selected.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The truth.
    metric : callable
        ``metric(y_true, y_pred)``, greater is better, on rows of all folds together; with
        `sample_weight`, it gets this keyword too. A candidate for which it is NaN is not
        selected, and a draw whose winner is NaN on the rows not drawn (the area under the
        ROC curve of one class) is left out.
    sample_weight : array-like of shape (n_rows,), default=None
        Not negative. Rows of weight zero are left out.
    groups : array-like of shape (n_rows,), default=None
        Rows of equal value are drawn together: those of one patient, or the predictions
        of one row by repeated cross-validation. None draws single rows.
    n_bootstraps : int, default=1000
        Number of draws. `metric` is called ``n_bootstraps * (n_candidates + 1)`` times.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        Of the draws.

    Returns
    -------
    CorrectedScore
        Of candidates with equal scores, the first is selected.

    Raises
    ------
    TypeError
        If `metric` cannot be called.
    ValueError
        If shapes disagree, no candidate has all predictions, fewer than two rows (or
        groups) are left, or the metric is defined on no draw.

    See Also
    --------
    bbc_cv_of_rows : the same for metrics that are means over rows, in seconds.

    Notes
    -----
    A draw selects on 63 % of the rows and scores on 37 %. The selection is therefore a
    little worse than that on all rows, and the scores spread more than one of all rows:
    the estimate errs to the low side, and the interval is wider than its level says (that
    of 95 % covers 98 to 99 % of simulated selections).

    The score is that of all rows together. The mean over folds differs from it where folds
    differ in size, or where the metric is not a mean over rows.

    References
    ----------
    .. [1] Tsamardinos, Greasidou, Borboudakis: Bootstrapping the out-of-sample predictions
       for efficient and accurate cross-validation, Machine Learning 107 (2018).

    Examples
    --------
    The luckiest of fifty candidates that guess:

    >>> import numpy as np
    >>> from sklearn.metrics import balanced_accuracy_score
    >>> rng = np.random.RandomState(0)
    >>> y, guesses = rng.randint(2, size=200), rng.randint(2, size=(200, 50))
    >>> print(bbc_cv(guesses, y, balanced_accuracy_score, n_bootstraps=20, random_state=0))
    0.4642 (95% interval 0.3649 to 0.5515; uncorrected 0.5702; bbc_cv)
    """
    if not callable(metric):
        raise TypeError(
            "metric must be a function (y_true, y_pred) -> float, greater is better, such as "
            f"sklearn.metrics.accuracy_score; got {metric!r}"
        )
    truth, table = np.asarray(y), np.asarray(predictions)
    if table.ndim not in (2, 3):
        raise ValueError(
            "predictions must have the shape (n_rows, n_candidates) or (n_rows, n_candidates, "
            f"n_outputs); got {table.shape}"
        )
    check_consistent_length(table, truth)
    kept = comparable(is_missing(table), sample_weight, groups)
    table = table[np.ix_(kept.rows, kept.candidates)]
    scored = ByMetric(table, truth[kept.rows], metric, kept.weight)
    return _corrected(scored, kept, n_bootstraps, confidence, random_state)


def bbc_cv_of_rows(
    row_scores: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_bootstraps: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> CorrectedScore:
    """Correct the best score by BBC-CV where the metric is a mean over rows.

    It gives what `bbc_cv` gives for such a metric, by matrix products.

    Parameters
    ----------
    row_scores : array-like of shape (n_rows, n_candidates)
        What a prediction adds to the mean, greater is better: whether it is right, minus
        its squared error, the log-probability of the true class. For repeated
        cross-validation, the mean over repeats. NaN is missing.
    sample_weight, groups, n_bootstraps, confidence, random_state
        As for `bbc_cv`.

    Returns
    -------
    CorrectedScore
        Of candidates with equal scores, the first is selected.

    Raises
    ------
    ValueError
        As for `bbc_cv`, and if a score is infinite.

    See Also
    --------
    bbc_cv : for any metric; says more.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.RandomState(0)
    >>> y, guesses = rng.randint(2, size=200), rng.randint(2, size=(200, 50))
    >>> print(bbc_cv_of_rows(guesses == y[:, None], random_state=0))
    0.4853 (95% interval 0.3783 to 0.5790; uncorrected 0.5700; bbc_cv)
    """
    table = _finite_or_nan(row_scores, "row_scores", "(n_rows, n_candidates)")
    kept = comparable(np.isnan(table), sample_weight, groups)
    # Transposed, so that the rows of one candidate lie next to one another.
    scores = np.ascontiguousarray(table.T[np.ix_(kept.candidates, kept.rows)])
    return _corrected(ByRow(scores, kept.weight), kept, n_bootstraps, confidence, random_state)


def tibshirani(
    fold_scores: ArrayLike,
    *,
    test_train_ratio: float | None = None,
    confidence: float = 0.95,
) -> CorrectedScore:
    """Correct the best mean over folds by the scores of the folds.

    On each fold, that fold's own best candidate leads the overall best by some amount: the
    mean of these leads is taken off the score.

    Parameters
    ----------
    fold_scores : array-like of shape (n_candidates, n_folds)
        Greater is better. NaN is missing: a fold that no candidate was scored on is left
        out; a candidate that lacks one of the others cannot be selected.
    test_train_ratio : float, default=None
        Rows that a fold scores on, over rows that it trains on; only the interval depends
        on it. None is k-fold cross-validation, ``1 / (n_folds - 1)``; five folds, repeated
        ten times, have 1 / 4.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    CorrectedScore
        Of candidates with equal means, the first is selected.

    Raises
    ------
    ValueError
        If scores are infinite, no candidate has all of them, fewer than two folds are
        left, or the ratio is not positive.

    See Also
    --------
    bbc_cv : the better estimate where there are out-of-fold predictions.

    Notes
    -----
    The leads are those of a selection on one fold, not on all. The correction grows with
    the number of folds as they get smaller, and with the number of candidates: beyond a
    few of either it takes off too much.

    The paper has no interval. This one is the t interval of the folds' corrected scores,
    with the variance of Nadeau and Bengio [2]_, since models of different folds share most
    of their training rows. It is wide.

    References
    ----------
    .. [1] Tibshirani, Tibshirani: A bias correction for the minimum error rate in
       cross-validation, Annals of Applied Statistics 3 (2009).
    .. [2] Nadeau, Bengio: Inference for the generalization error, Machine Learning 52
       (2003).

    Examples
    --------
    The second candidate is the best; the first leads by 0.06 on the last fold.

    >>> print(tibshirani([[0.70, 0.75, 0.86], [0.80, 0.82, 0.80]]))
    0.7867 (95% interval 0.6231 to 0.9502; uncorrected 0.8067; tibshirani)
    """
    table = _finite_or_nan(fold_scores, "fold_scores", "(n_candidates, n_folds)")
    _check_confidence(confidence)
    kept = comparable(np.isnan(table).T)
    n_folds = len(kept.rows)
    if n_folds < 2:
        raise ValueError(f"fold_scores must hold at least 2 folds with scores; got {n_folds}")
    ratio = 1 / (n_folds - 1) if test_train_ratio is None else test_train_ratio
    if not ratio > 0:
        raise ValueError(f"test_train_ratio must be positive; got {ratio!r}")
    scores = table[np.ix_(kept.candidates, kept.rows)]
    winner = int(scores.mean(axis=1).argmax())
    # The paper's bias: the mean over folds of e_k(winner) - e_k(best of fold k), e an error.
    leads = scores.max(axis=0) - scores[winner]
    corrected = scores[winner] - leads
    estimate, naive = float(corrected.mean()), float(scores[winner].mean())
    error = corrected_error(corrected, ratio)
    half = float(stats.t.ppf((1 + confidence) / 2, n_folds - 1)) * error
    interval = (estimate - half, estimate + half)
    candidate = int(kept.candidates[winner])
    return CorrectedScore(estimate, interval, confidence, "tibshirani", naive, candidate)


def _corrected(
    scored: Scored,
    kept: Comparable,
    n_bootstraps: int,
    confidence: float,
    random_state: int | np.random.RandomState | None,
) -> CorrectedScore:
    _check_confidence(confidence)
    if not isinstance(n_bootstraps, Integral) or n_bootstraps < 1:
        raise ValueError(f"n_bootstraps must be a whole number >= 1; got {n_bootstraps!r}")
    if kept.n_units < 2:
        raise ValueError("a bootstrap needs at least 2 rows (or groups) with scores; got 1")
    on_all = scored.in_bag(np.ones((1, len(kept.rows)), dtype=np.intp))
    winner = int(best(on_all)[0])
    draws = draw(scored, kept.unit, int(n_bootstraps), check_random_state(random_state))
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        raise ValueError(
            f"metric is NaN in each of {n_bootstraps} draws of {kept.n_units} rows (or "
            "groups): there are too few of them, or of one class"
        )
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return CorrectedScore(
        estimate=float(draws.mean()),
        interval=(float(low), float(high)),
        confidence=confidence,
        method="bbc_cv",
        naive=float(on_all[0, winner]),
        candidate=int(kept.candidates[winner]),
        n_bootstraps=len(draws),
    )


def _finite_or_nan(scores: ArrayLike, name: str, shape: str) -> Floats:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"{name} must have the shape {shape}; got {table.shape}")
    n_infinite = int(np.isinf(table).sum())
    if n_infinite:
        raise ValueError(
            f"{name} holds {n_infinite} infinite values, which no mean can hold: clip them "
            "(probabilities before their logarithm), or give NaN for a failed fit"
        )
    return table


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence!r}")
