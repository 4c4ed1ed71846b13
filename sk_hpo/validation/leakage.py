"""Alarms about scores that flatter: what was seen, on how many rows, and what to do.

The checks are pure: each returns alarms and does nothing. `sk_hpo.validation.alarm.report`
acts on them.

An alarm that is on by default must not cry wolf. Copies of rows are reported only where
chance does not explain them; `sk_hpo.validation.fingerprint.Fingerprint` has the rule. And
if the targets of most copies differ, there is no alarm: a model gains nothing from
remembering them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sk_hpo import _sklearn
from sk_hpo.validation.alarm import Alarm, each, n_rows_of
from sk_hpo.validation.fingerprint import Fingerprint
from sk_hpo.validation.row_hashes import hashes_or_none, mixed
from sk_hpo.validation.watching import evaluation_set_alarms, watching_alarms

__all__ = [
    "duplicate_alarms",
    "fingerprint",
    "fit_alarms",
    "group_alarms",
    "overlap_alarms",
    "score_alarms",
    "time_alarms",
]

Rows = NDArray[np.intp]
Splits = list[tuple[Rows, Rows]]
Mask = NDArray[np.bool_]

_KEEPS_APART = {
    "validation": "cv does not keep them whole. Use GroupKFold, StratifiedGroupKFold or"
    " GroupShuffleSplit",
    "test": "test_size does not keep them whole. Give a share or a number of rows, or"
    " GroupShuffleSplit(n_splits=1)",
}
_NO_TIME = np.iinfo(np.int64).min


def fingerprint(X: Any) -> Fingerprint | None:
    """Return the fingerprint of X; None if its rows cannot be read without side effects."""
    try:
        return Fingerprint.of(X)
    except (TypeError, ValueError):  # an estimator may take what cannot be compared
        return None


def fit_alarms(
    rows: Fingerprint | None,
    X: Any,
    y: Any,
    splits: Iterable[tuple[Any, Any]],
    *,
    groups: Any = None,
    estimator: Any = None,
    fit_params: Mapping[str, Any] | None = None,
    held_out: Literal["validation", "test"] = "validation",
) -> list[Alarm]:
    """Return all alarms about a fit, before any training.

    Parameters
    ----------
    rows : Fingerprint or None
        ``fingerprint(X)``; with None, rows are not compared.
    X, y
        Of n_rows rows.
    splits : iterable of (training, held-out)
        Row numbers, masks or slices; for a test set, the one pair (rest, test).
    groups : array-like of shape (n_rows,), default=None
        What the splitter was given.
    estimator : estimator, default=None
        May hold skorch nets whose early stopping watches fixed rows.
    fit_params : mapping of str to object, default=None
        May hold an ``eval_set``.
    held_out : {"validation", "test"}, default="validation"
        What the second rows of a split are called in messages.

    Returns
    -------
    alarms : list of Alarm

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.validation.leakage import fingerprint, fit_alarms
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> X = np.concatenate([X, X])
    >>> half = np.arange(60)
    >>> fit_alarms(fingerprint(X), X, None, [(half, half + 60)])[0].n_rows
    60
    >>> fit_alarms(fingerprint(X[:60]), X[:60], None, [(half[:40], half[40:])])
    []
    """
    n_rows = _n_rows(X) if rows is None else len(rows)
    numbered = [(_numbers(a, n_rows), _numbers(b, n_rows)) for a, b in splits]
    alarms = overlap_alarms(y, numbered, held_out)
    alarms += group_alarms(groups, numbered, held_out)
    alarms += time_alarms(X, numbered, held_out, y)
    if rows is not None:
        scored = _held(numbered, n_rows)
        alarms += duplicate_alarms(rows, y, numbered, held_out)
        alarms += watching_alarms(rows, estimator, scored, held_out)
        alarms += evaluation_set_alarms(rows, fit_params or {}, scored, held_out)
    return alarms


def overlap_alarms(y: Any, splits: Splits, held_out: str = "validation") -> list[Alarm]:
    """Return an alarm if the splitter itself puts a row on both sides.

    Without y there is nothing to remember, and no alarm.

    Parameters
    ----------
    y
        Targets, or None.
    splits : list of (training, held-out), each ndarray of int
    held_out : str, default="validation"
    """
    n_rows = 1 + max((int(rows.max()) for s in splits for rows in s if len(rows)), default=0)
    shared = np.zeros(n_rows, bool)
    counts = []
    for train, held in splits:
        both = _mask(train, n_rows) & _mask(held, n_rows)
        shared |= both
        counts.append(int(both.sum()))
    total = int(shared.sum())
    if y is None or total == 0:
        return []
    message = (
        f"{n_rows_of(total, 'occur')} among both the training and the {held_out} rows of a"
        f" split ({each(counts)}): a model that remembers them scores too well. Use a cv that"
        " keeps the two apart, such as KFold."
    )
    return [Alarm("overlap", total, message)]


def duplicate_alarms(
    rows: Fingerprint, y: Any, splits: Splits, held_out: str = "validation"
) -> list[Alarm]:
    """Return an alarm if exact copies of held-out rows are among the training rows.

    Parameters
    ----------
    rows : Fingerprint
        Of all rows.
    y : array-like of shape (n_rows,), (n_rows, n_outputs) or None
        Targets.
    splits : list of (training, held-out), each ndarray of int
    held_out : str, default="validation"

    Returns
    -------
    alarms : list of Alarm
        None if chance explains the copies, or if y disagrees for most of them.
    """
    copied, counts = _copied(rows.hashes, splits)
    n_held = int(_held(splits, len(rows)).sum())
    if not rows.beyond_chance(copied, n_held):
        return []
    total = int(copied.sum())
    agreement = ""
    if y is not None and (targets := hashes_or_none(y)) is not None:
        agreeing = int(_copied(mixed(rows.hashes + mixed(targets)), splits)[0].sum())
        if 2 * agreeing < total:
            return []
        agreement = f", {agreeing} with the same y"
    message = (
        f"{total} of {n_held} {held_out} rows are exact copies of training rows"
        f" ({each(counts)}){agreement}: a model that remembers them scores too well. Drop"
        " the copies first; or keep them on one side, with a group for each distinct row and"
        " GroupKFold. If they come from oversampling, oversample within a pipeline."
    )
    return [Alarm("duplicates", total, message)]


def group_alarms(groups: Any, splits: Splits, held_out: str = "validation") -> list[Alarm]:
    """Return an alarm if rows of one group are on both sides of a split.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
    splits : list of (training, held-out), each ndarray of int
    held_out : str, default="validation"
    """
    hashes = None if groups is None else hashes_or_none(groups)
    if hashes is None:
        return []
    straddling, counts = _copied(hashes, splits)
    total = int(straddling.sum())
    if total == 0:
        return []
    n_groups = len(np.unique(hashes[straddling]))
    message = (
        f"{total} of {int(_held(splits, len(hashes)).sum())} {held_out} rows belong to groups"
        f" that have training rows in the same split ({each(counts)}; number of such groups:"
        f" {n_groups}): groups were given, but {_KEEPS_APART[held_out]}."
    )
    return [Alarm("groups", total, message)]


def time_alarms(
    X: Any, splits: Splits, held_out: str = "validation", y: Any = None
) -> list[Alarm]:
    """Return an alarm if rows train that are later than the first held-out row.

    Parameters
    ----------
    X
        Only an index of times or periods is looked at (`pandas.DatetimeIndex`,
        `pandas.PeriodIndex`), or the first such level of a `pandas.MultiIndex`.
    splits : list of (training, held-out), each ndarray of int
    held_out : str, default="validation"
    y : default=None
        Its index is looked at if that of X says nothing of time.
    """
    name, times = "X", _times(X)
    if times is None:
        name, times = "y", _times(y)
    if times is None:
        return []
    later = np.zeros(len(times), bool)
    counts = []
    for train, held in splits:
        known = times[held][times[held] > _NO_TIME]
        after = train[times[train] > known.min()] if len(known) else train[:0]
        later[after] = True
        counts.append(len(after))
    total = int(later.sum())
    if total == 0:
        return []
    message = (
        f"{n_rows_of(total, 'train')} models although the index of {name} says that they are"
        f" later than the first {held_out} row ({each(counts)}): such a model knows the future."
        " Use TimeSeriesSplit, with the rows in order of time; or, if time has no effect,"
        f" {name}.reset_index(drop=True)."
    )
    return [Alarm("time", total, message)]


def score_alarms(
    used: Fingerprint | None,
    X: Any,
    *,
    use: Literal["selection", "test", "trained"] = "selection",
    whole: bool = False,
) -> list[Alarm]:
    """Return an alarm if rows that are to be scored were used before.

    Parameters
    ----------
    used : Fingerprint or None
        Of the rows that candidates were selected by, or of the held-out test set.
    X
        What ``score`` was given.
    use : {"selection", "test", "trained"}, default="selection"
        What `used` was used for; "trained" for a test set that the last model was trained on.
    whole : bool, default=False
        Whether X is known to be all that ``fit`` was given, which `used` is a part of.

    Returns
    -------
    alarms : list of Alarm
        None if there are so few that chance explains them; the very rows of `used`, in their
        order, always give one.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.validation.leakage import fingerprint, score_alarms
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> score_alarms(fingerprint(X), X[:20])[0].n_rows
    20
    """
    hashes = None if used is None else hashes_or_none(X)
    if used is None or hashes is None:
        return []
    same = len(used) > 0 and (whole or np.array_equal(hashes, used.hashes))
    if not same and not used.beyond_chance(np.isin(used.hashes, hashes), len(hashes)):
        return []
    # Of a coarse table, rows that only look like those of `used` do not count.
    total = min(len(used), len(hashes)) if same else int(np.isin(hashes, used.hashes).sum())
    said = {
        "selection": "chose best_params_ or trained best_estimator_: the score is too good."
        " Score rows that fit did not get, or let fit set some aside with test_size=.",
        "test": "are in the held-out test set, which was looked at before: what is chosen by"
        " this score, flatters. Report test_score_, and use new rows for a second look.",
        "trained": "are in the held-out test set, on which best_estimator_ was trained in the"
        " end (refit_on_all=True): the score is too good. Report test_score_, which is that of"
        " the model before.",
    }[use]
    message = f"{total} of {len(hashes)} rows that are scored {said}"
    return [Alarm("score", total, message)]


def _copied(hashes: NDArray[np.uint64], splits: Splits) -> tuple[Mask, list[int]]:
    """Return which rows are held out while another, equal one trains; how many per split."""
    different, ids = np.unique(hashes, return_inverse=True)
    copied = np.zeros(len(hashes), bool)
    if len(different) == len(hashes):
        return copied, [0] * len(splits)
    counts = []
    for train, held in splits:
        seen = _mask(ids[train], len(hashes))
        found = _mask(held[seen[ids[held]]], len(hashes)) & ~_mask(train, len(hashes))
        copied |= found
        counts.append(int(found.sum()))
    return copied, counts


def _mask(rows: Rows, n_rows: int) -> Mask:
    mask = np.zeros(n_rows, bool)
    mask[rows] = True
    return mask


def _held(splits: Splits, n_rows: int) -> Mask:
    return _mask(np.concatenate([np.empty(0, int), *(held for _, held in splits)]), n_rows)


def _n_rows(X: Any) -> int:
    return _sklearn.num_samples(next(iter(X.values())) if isinstance(X, Mapping) else X)


def _numbers(rows: Any, n_rows: int) -> Rows:
    """Return row numbers; a cv may give masks, lists or slices."""
    if not isinstance(rows, slice):
        rows = np.asarray(rows if len(rows) else np.empty(0, int))
    return np.arange(n_rows)[rows]


def _times(X: Any) -> NDArray[np.int64] | None:
    """Return numbers in the order of the index, if it is one of times; `_NO_TIME` for NaT."""
    index: Any = getattr(X, "index", None)
    levels = range(getattr(index, "nlevels", 0))
    for values in map(index.get_level_values, levels) if levels else ():
        kind = getattr(values.dtype, "kind", "")
        if kind == "M" or str(values.dtype).startswith("period"):
            return np.asarray(values.astype("int64"))
    return None
