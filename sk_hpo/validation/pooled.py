"""Out-of-fold scores of many candidates: which can be compared, and their bootstrap.

Tsamardinos, Greasidou, Borboudakis: Bootstrapping the out-of-sample predictions for
efficient and accurate cross-validation, Machine Learning 107 (2018), Algorithm BBC-CV.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length

__all__ = [
    "ByMetric",
    "ByRow",
    "Comparable",
    "Floats",
    "Scored",
    "best",
    "comparable",
    "draw",
    "is_missing",
]

Floats = NDArray[np.float64]

# Draws whose counts are held at a time: enough for one fast matrix product.
_BLOCK = 64


class Scored(Protocol):
    """What candidates are worth on rows that may repeat."""

    def in_bag(self, counts: NDArray[Any]) -> Floats:
        """Score all candidates on each draw.

        Parameters
        ----------
        counts : ndarray of shape (n_draws, n_rows)
            How often a row occurs in a draw.

        Returns
        -------
        ndarray of shape (n_draws, n_candidates)
            Greater is better, NaN is undefined.
        """
        ...

    def winners(self, candidates: NDArray[np.intp], counts: NDArray[Any]) -> Floats:
        """Score one candidate for each draw; NaN for a draw without rows.

        Parameters
        ----------
        candidates : ndarray of shape (n_draws,)
            The place of each.
        counts : ndarray of shape (n_draws, n_rows)
            How often a row occurs in a draw.

        Returns
        -------
        ndarray of shape (n_draws,)
            Greater is better, NaN is undefined.
        """
        ...


@dataclass(frozen=True)
class ByRow:
    """A metric that is a mean over rows: all candidates and draws in one matrix product.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_rows)
        Finite.
    weight : ndarray of shape (n_rows,) or None
        Positive.
    """

    scores: Floats
    weight: Floats | None

    def in_bag(self, counts: NDArray[Any]) -> Floats:
        weight = self._weighted(counts)
        total: Floats = weight @ self.scores.T
        return total / weight.sum(axis=1, keepdims=True)

    def winners(self, candidates: NDArray[np.intp], counts: NDArray[Any]) -> Floats:
        weight = self._weighted(counts)
        total: Floats = np.einsum("ij,ij->i", weight, self.scores[candidates])
        with np.errstate(invalid="ignore"):
            return total / weight.sum(axis=1)

    def _weighted(self, counts: NDArray[Any]) -> Floats:
        return counts.astype(np.float64) if self.weight is None else counts * self.weight


@dataclass(frozen=True)
class ByMetric:
    """Any metric: one call for each candidate and draw.

    Parameters
    ----------
    predictions : ndarray of shape (n_rows, n_candidates, ...)
        None missing.
    y : ndarray of shape (n_rows, ...)
        The truth.
    metric : callable
        ``metric(y_true, y_pred)``, with ``sample_weight=`` where there are weights.
    weight : ndarray of shape (n_rows,) or None
        Positive.
    """

    predictions: NDArray[Any]
    y: NDArray[Any]
    metric: Callable[..., float]
    weight: Floats | None

    def in_bag(self, counts: NDArray[Any]) -> Floats:
        candidates = range(self.predictions.shape[1])
        return np.array([[self._score(j, count) for j in candidates] for count in counts])

    def winners(self, candidates: NDArray[np.intp], counts: NDArray[Any]) -> Floats:
        pairs = zip(candidates, counts, strict=True)
        return np.array(
            [self._score(j, count) if count.any() else np.nan for j, count in pairs]
        )

    def _score(self, candidate: int, count: NDArray[Any]) -> float:
        rows = np.repeat(np.arange(len(count)), count)
        weight = {} if self.weight is None else {"sample_weight": self.weight[rows]}
        return float(self.metric(self.y[rows], self.predictions[rows, candidate], **weight))


@dataclass(frozen=True)
class Comparable:
    """What is left once missing scores are out.

    Attributes
    ----------
    rows : ndarray of int
        Rows that some candidate was scored on, and whose weight is positive.
    candidates : ndarray of int
        Candidates that were scored on all of them.
    weight : ndarray of shape (n_rows,) or None
        Of these rows.
    unit : ndarray of shape (n_rows,)
        Number of the group that a row is drawn with, from 0.
    """

    rows: NDArray[np.intp]
    candidates: NDArray[np.intp]
    weight: Floats | None
    unit: NDArray[np.intp]

    @property
    def n_units(self) -> int:
        """Number of rows, or of groups, that can be drawn."""
        return int(self.unit.max(initial=-1)) + 1


def is_missing(predictions: NDArray[Any]) -> NDArray[np.bool_]:
    """Find predictions that are NaN or None, in any output.

    Parameters
    ----------
    predictions : ndarray of shape (n_rows, n_candidates, ...)
        Of any type.

    Returns
    -------
    ndarray of bool of shape (n_rows, n_candidates)
        Where there is no prediction.
    """
    absent = np.zeros(predictions.shape, dtype=bool)
    if predictions.dtype.kind == "O":
        absent[...] = np.frompyfunc(lambda one: one is None or one != one, 1, 1)(predictions)
    elif predictions.dtype.kind in "fc":
        absent[...] = np.isnan(predictions)
    found: NDArray[np.bool_] = np.logical_or.reduce(
        absent.reshape(*predictions.shape[:2], -1), axis=2
    )
    return found


def comparable(
    missing: NDArray[np.bool_],
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Comparable:
    """Find the candidates that were scored on all rows that any was scored on.

    Parameters
    ----------
    missing : ndarray of bool of shape (n_rows, n_candidates)
        Where there is no score.
    sample_weight : array-like of shape (n_rows,), default=None
        Finite, not negative.
    groups : array-like of shape (n_rows,), default=None
        Rows of equal value are drawn together.

    Returns
    -------
    Comparable
        Rows and candidates in their order.

    Raises
    ------
    ValueError
        If lengths disagree, a weight is negative or not finite, or no candidate is left.
    """
    check_consistent_length(missing, sample_weight, groups)
    used = ~missing.all(axis=1)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weight is not None:
        if weight.ndim != 1 or not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError("sample_weight must hold one finite number >= 0 for each row")
        used &= weight > 0
    rows = np.flatnonzero(used)
    candidates = np.flatnonzero(~missing[rows].any(axis=0))
    if not len(rows) or not len(candidates):
        raise ValueError(
            f"nothing can be compared: none of {missing.shape[1]} candidates has a score on "
            f"all of {len(rows)} rows (or folds) that any has one on. Give only rows that "
            "those of interest share"
        )
    unit = np.arange(len(rows))
    if groups is not None:
        unit = np.unique(np.asarray(groups)[rows], return_inverse=True)[1]
    return Comparable(rows, candidates, None if weight is None else weight[rows], unit)


def best(scores: Floats) -> NDArray[np.intp]:
    """Return the place of the best candidate in each draw: the first of several, never NaN.

    Parameters
    ----------
    scores : ndarray of shape (n_draws, n_candidates)
        Greater is better.

    Returns
    -------
    ndarray of shape (n_draws,)
        0 where all are NaN.
    """
    return np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)


def draw(
    scored: Scored, unit: NDArray[np.intp], n_bootstraps: int, rng: np.random.RandomState
) -> Floats:
    """Select on rows drawn with replacement, score on the others: the loop of BBC-CV.

    Parameters
    ----------
    scored : Scored
        The candidates.
    unit : ndarray of shape (n_rows,)
        Number of the group that a row is drawn with, from 0.
    n_bootstraps : int
        Number of draws.
    rng : RandomState
        Asked for ``randint(n_units, size=(n_draws, n_units))``.

    Returns
    -------
    ndarray of shape (n_bootstraps,)
        NaN where all rows were drawn or a score is undefined.
    """
    n_units = int(unit.max()) + 1
    found: list[Floats] = []
    for start in range(0, n_bootstraps, _BLOCK):
        size = (min(_BLOCK, n_bootstraps - start), n_units)
        counts = _counts(rng.randint(n_units, size=size))[:, unit]
        with warnings.catch_warnings():
            # An undefined score is NaN and left out: a warning for each says no more.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            scores = scored.in_bag(counts)
            held_out = scored.winners(best(scores), counts == 0)
        found.append(np.where(np.isnan(scores).all(axis=1), np.nan, held_out))
    return np.concatenate(found)


def _counts(drawn: NDArray[np.intp]) -> NDArray[np.intp]:
    n_draws, n_units = drawn.shape
    place = drawn + n_units * np.arange(n_draws)[:, np.newaxis]
    return np.bincount(place.ravel(), minlength=drawn.size).reshape(drawn.shape)
