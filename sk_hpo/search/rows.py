"""Which rows a search trains on, validates with, and holds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from sk_hpo import _sklearn
from sk_hpo.validation.splits import HoldoutValidation, names_rows
from sk_hpo.validation.test_set import HeldOut, set_aside

__all__ = ["Rows", "SearchRows", "lay_out"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, and what goes along with them to ``fit``, ``score`` and ``split``."""

    X: Any
    y: Any
    routed: Any


@dataclass(frozen=True, slots=True)
class SearchRows:
    """The rows of a search.

    Parameters
    ----------
    whole : Rows
        All that it was given.
    fitted : Rows
        Those that the best candidate is trained on: without the test set.
    searched : Rows
        Those and the ones that only validate.
    held : HeldOut or None
        The test set.
    cv : cross-validator
        What `check_cv` returned.
    splits : list of (train, test)
        Its folds, positions in `searched`.
    groups : array-like of shape (n_samples,) or None
        Which rows of `whole` the test set keeps together.
    """

    whole: Rows
    fitted: Rows
    searched: Rows
    held: HeldOut | None
    cv: Any
    splits: list[tuple[Any, Any]]
    groups: Any


def lay_out(
    search: Any, estimator: Any, X: Any, y: Any, params: dict[str, Any], seed: int
) -> SearchRows:
    """Return the rows of a search, or raise if they cannot be split as it asks.

    Parameters
    ----------
    search : SearchCV
        Its `cv` and `test_size`.
    estimator : estimator
        Says how its X is cut, and whether classes are to be kept in proportion.
    X, y, params
        The arguments of its ``fit``.
    seed : int
        For the draw of the test set.
    """
    params = dict(params)
    if search.test_size is None and params.get("test_groups") is not None:
        raise ValueError("test_groups needs test_size: without it, no test set is held out.")
    groups = params.pop("test_groups", params.get("groups"))
    classifier = is_classifier(estimator)
    fitted = whole = _cut(search, estimator, X, y, params)
    held = rest = None
    if search.test_size is not None:
        rest, test = set_aside(
            *(X, y, search.test_size),
            cv=search.cv,
            classifier=classifier,
            groups=groups,
            seed=seed,
        )
        fitted = _cut(search, estimator, X, y, params, rest)
        looked_at = _cut(search, estimator, X, y, params, test, rest)
        held = HeldOut(test, looked_at.X, looked_at.y, looked_at.routed.scorer.score)
    searched, given = fitted, search.cv
    _check_no_data(given)
    if isinstance(given, HoldoutValidation) and given.indices is None:
        own = _sklearn.check_method_params(X, params=params, indices=rest)
        *joined, given = given.joined(fitted.X, fitted.y, own)
        searched = _cut(search, estimator, *joined)
    cv = check_cv(given, searched.y, classifier=classifier)
    if rest is not None and searched is fitted and names_rows(given):
        splits = _restricted(_splits(cv, whole), rest)
    else:
        try:
            splits = _splits(cv, searched)
        except ValueError as error:
            if held is None:
                raise
            raise ValueError(f"{error} {_taken(held.indices, groups, whole)}") from error
    return SearchRows(whole, fitted, searched, held, cv, splits, groups)


def _check_no_data(cv: Any) -> None:
    """Raise if a cv is a validation set, not splits, as Keras takes it."""
    if isinstance(cv, tuple) and len(cv) == 2:
        n_rows = [_sklearn.num_samples(part) for part in cv if hasattr(part, "__len__")]
        if len(n_rows) == 2 and n_rows[0] == n_rows[1] != 2:
            raise ValueError(
                f"cv is a pair of {n_rows[0]} rows each, not a list of (train, test). To"
                " validate on rows of their own: cv=HoldoutValidation(X_val, y_val)."
            )


def _taken(test: Any, groups: Any, whole: Rows) -> str:
    """Return what the test set has taken, for errors about the rows that are left."""
    taken = f"{len(test)} of {_sklearn.num_samples(whole.X)} rows"
    if groups is not None:
        of_test = np.unique(np.asarray(_sklearn.take_rows(groups, test)))
        taken += f" and {len(of_test)} of {len(np.unique(np.asarray(groups)))} groups"
    return (
        f"(test_size has set aside {taken} before: ask for a smaller test set or fewer splits.)"
    )


def _cut(
    search: Any,
    estimator: Any,
    X: Any,
    y: Any,
    params: dict[str, Any],
    indices: Any = None,
    fitted: Any = None,
) -> Rows:
    """Return all rows, or those at `indices`; of a kernel matrix, against those `fitted`."""
    routed = search._get_routed_params_for_fit(
        _sklearn.check_method_params(X, params=params, indices=indices)
    )
    if indices is not None:
        X, y = _sklearn.safe_split(estimator, X, y, indices, fitted)
    return Rows(X, y, routed)


def _restricted(splits: Sequence[tuple[Any, Any]], rest: Any) -> list[tuple[Any, Any]]:
    """Return splits of all rows as splits of those at `rest`."""
    place = {int(row): i for i, row in enumerate(rest)}
    found = []
    for i, split in enumerate(splits):
        train, test = (np.array([place[r] for r in map(int, s) if r in place]) for s in split)
        if not len(train) or not len(test):
            raise ValueError(
                f"Split {i} of cv has {len(train)} training and {len(test)} validation rows"
                " left once the test set is held out: choose other rows in test_size or cv."
            )
        found.append((train, test))
    return found


def _splits(cv: Any, rows: Rows) -> list[tuple[Any, Any]]:
    params = rows.routed.splitter.split
    n_splits = cv.get_n_splits(rows.X, rows.y, **params)
    splits = list(cv.split(rows.X, rows.y, **params))
    if len(splits) != n_splits:
        raise ValueError(
            "cv.split and cv.get_n_splits return inconsistent results. "
            f"Expected {n_splits} splits, got {len(splits)}"
        )
    if not splits:
        raise ValueError(
            "No fits were performed. Was the CV iterator empty? Were there no candidates?"
        )
    return [tuple(map(_positions, split)) for split in splits]


def _positions(rows: Any) -> Any:
    """Return row numbers; a cv may give masks."""
    array = np.asarray(rows)
    return np.flatnonzero(array) if array.dtype == bool else rows
