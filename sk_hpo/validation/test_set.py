"""A test set that is looked at once: its score, and how sure that is.

Which rows they are is decided before anything else is done with the data, and they are
scored after everything else. The interval comes from the predictions of that one look:
rows are drawn with replacement, and the metric is computed again [Efron & Tibshirani, "An
Introduction to the Bootstrap" (1993), ch. 13: the percentile interval].
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, cast

import numpy as np
from sklearn.model_selection import TimeSeriesSplit
from sklearn.utils.multiclass import type_of_target

from sk_hpo import _sklearn
from sk_hpo.evaluation.answers import Answers, numbers, rescored, row_scores
from sk_hpo.validation.splits import hold_out

__all__ = ["HeldOut", "Look", "RepeatedTestWarning", "look", "set_aside"]

Interval = tuple[float, float]

N_BOOTSTRAPS = 1000
CONFIDENCE = 0.95


class RepeatedTestWarning(UserWarning):
    """A test set is looked at again: what is chosen by that score flatters."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows that a search does not see, and what their score takes.

    Parameters
    ----------
    indices : ndarray of int of shape (n_test,)
        Which rows of X they are.
    X, y : array-like
        Those rows.
    score_params : dict
        For the scorer, cut to those rows.
    """

    indices: Any
    X: Any
    y: Any
    score_params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a test set has shown.

    Parameters
    ----------
    score : float or dict of str to float
        Of one metric or several.
    interval : (float, float) or dict of str to (float, float)
        Between these lies the score of new rows, with a confidence of 95 %; NaN where the
        metric cannot be computed from predictions, or fails on most samples of the rows.
    """

    score: Any
    interval: Any


def set_aside(
    X: Any, y: Any, test_size: Any, *, cv: Any, classifier: bool, groups: Any, seed: int
) -> tuple[Any, Any]:
    """Return which rows to search with and which to hold out, in ascending order.

    Parameters
    ----------
    X, y : array-like
        All rows.
    test_size : float, int, or cross-validation splitter or iterable with one split
        Share or number of rows; or which.
    cv : object
        That of the search: if it is a `TimeSeriesSplit`, the last rows are held out.
    classifier : bool
        Whether to keep the proportions of the classes.
    groups : array-like of shape (n_samples,) or None
        Held out as wholes.
    seed : int
        For the draw.

    Raises
    ------
    ValueError
        If there is no such set.
    """
    if not isinstance(test_size, Real):
        return _given(X, y, test_size, groups)
    ordered = isinstance(cv, TimeSeriesSplit)
    # As check_cv decides whether folds are stratified.
    by_class = classifier and type_of_target(y) in ("binary", "multiclass")
    splitter = "ShuffleSplit" if groups is None else "GroupShuffleSplit"
    return hold_out(
        X,
        size=cast("float", test_size),
        stratify=y if by_class and not ordered else None,
        groups=groups,
        time_ordered=ordered,
        gap=cv.gap if ordered else 0,
        random_state=None if ordered else seed,
        name="test_size",
        instead=f"hold out any class with test_size={splitter}(n_splits=1, test_size=...)",
    )


def _given(X: Any, y: Any, splitter: Any, groups: Any) -> tuple[Any, Any]:
    """Return the only split of a splitter."""
    if isinstance(splitter, str):  # which has a method split, too
        raise ValueError(f"test_size must be a number or a splitter, not {splitter!r}.")
    of_splitter = getattr(splitter, "split", None)
    if of_splitter is not None:
        splitter_groups = groups if _sklearn.uses_groups(splitter) else None
        splits = list(of_splitter(X, y, splitter_groups))
    else:
        splits = list(splitter)
    # Row numbers would fill pages.
    said = "test_size" if of_splitter is None else f"test_size={splitter!r}"
    if len(splits) != 1:
        raise ValueError(
            f"{said} gives {len(splits)} splits; a test set is one: use, for"
            " example, ShuffleSplit(n_splits=1)."
        )
    n = _sklearn.num_samples(X)
    try:
        rest, test = (np.sort(np.arange(n)[_as_index(rows)]) for rows in splits[0])
    except IndexError as error:
        raise ValueError(
            f"{said} does not fit X, which has the rows 0 to {n - 1}: {error}."
        ) from None
    if not len(rest) or not len(test):
        raise ValueError(
            f"{said} leaves {len(rest)} rows to search with and {len(test)} to test with."
        )
    if shared := len(np.intersect1d(rest, test)):
        raise ValueError(f"{said} has {shared} rows on both sides of its split.")
    return rest, test


def _as_index(rows: Any) -> Any:
    """Return row numbers or a mask; an empty list is no list of floats."""
    array = np.asarray(rows)
    return array if array.size else array.astype(np.intp)


def look(estimator: Any, scorer: Any, held: HeldOut, seed: int) -> Look:
    """Score a fitted estimator on the test set.

    It predicts once by each method that the metrics need.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    scorer : callable
        (estimator, X, y, **params) -> number, or dict of numbers.
    held : HeldOut
        The test set.
    seed : int
        For the samples of the interval.

    Warns
    -----
    UserWarning
        If one of several metrics fails; its score is NaN.
    """
    answers = Answers(estimator, held.X)
    found = scorer(answers, held.X, held.y, **held.score_params)
    for name, text in found.items() if isinstance(found, dict) else ():
        if isinstance(text, str):  # scikit-learn's way to say that it failed
            warnings.warn(f"The metric {name!r} failed on the test set:\n{text}", stacklevel=4)
    score = numbers(found)
    rng = np.random.default_rng(seed)
    n = _sklearn.num_samples(held.X)
    draws = (rng.integers(n, size=n) for _ in range(N_BOOTSTRAPS))
    samples = _samples(answers, scorer, held, score, draws)
    if not isinstance(score, dict):
        return Look(score, _interval(samples))
    return Look(score, {name: _interval([s[name] for s in samples if s]) for name in score})


def _samples(
    answers: Answers, scorer: Any, held: HeldOut, score: Any, draws: Iterable[Any]
) -> list[Any]:
    """Return the scores of each draw of rows; nothing if they do not follow from `answers`."""
    by_row = None if held.score_params else row_scores(answers, scorer, held.y)
    if by_row is not None:
        if not isinstance(score, dict):
            return [by_row["score"][rows].mean() for rows in draws]
        return [{name: s[rows].mean() for name, s in by_row.items()} for rows in draws]
    on_rows = partial(rescored, answers, scorer, held.X, held.y, held.score_params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples without one of the classes
        if not _same(on_rows(np.arange(_sklearn.num_samples(held.X))), score):
            return []
        return [on_rows(rows) for rows in draws]


def _same(one: Any, other: Any) -> bool:
    if one is None or not isinstance(one, dict):
        return one == other
    return all(one[k] == other[k] or math.isnan(other[k]) for k in other)


def _interval(samples: Sequence[Any]) -> Interval:
    values = np.array([value for value in samples if value is not None], dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < N_BOOTSTRAPS / 2:
        return math.nan, math.nan
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
