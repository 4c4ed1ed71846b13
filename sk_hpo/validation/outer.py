"""The outer loop: on each outer fold a whole search is fitted, then scored once.

What a search reports of its best candidate is the maximum of noisy numbers. The rows of an
outer test fold take no part in the search, so that the score on them is honest: Varma,
Simon: Bias in Error Estimation When Using Cross-Validation for Model Selection, BMC
Bioinformatics 7:91 (2006).

The loop itself is `sklearn.model_selection.cross_validate`, so its numbers are its own.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import joblib
import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import check_cv, cross_validate
from sklearn.utils import indexable

from sk_hpo import _sklearn
from sk_hpo.journal.error import JournalError
from sk_hpo.validation.scores import metric_names
from sk_hpo.validation.splits import names_rows

__all__ = [
    "OuterFold",
    "check_search",
    "fit_params_for",
    "outer_splits",
    "run_outer",
    "training_rows",
]

Split = tuple[Any, Any]


@dataclass(frozen=True, eq=False)
class OuterFold:
    """What one outer fold gave.

    Parameters
    ----------
    fit_time : float
        Seconds that the search took, its refit included.
    outer_scores : dict of str to float
        Metric -> score of the refitted model on the outer test rows.
    inner_scores : dict of str to float
        Metric -> mean score of the selected candidate over the inner folds; NaN where the
        search did not measure that metric, or failed.
    search : estimator or None
        The fitted search; None if it failed.
    """

    fit_time: float
    outer_scores: dict[str, float]
    inner_scores: dict[str, float]
    search: Any

    @property
    def best_params(self) -> dict[str, Any] | None:
        """What the search selected; None if it failed."""
        return None if self.search is None else self.search.best_params_


def check_search(search: Any) -> None:
    """Raise unless `search` selects a candidate and trains it on all of its rows.

    Raises
    ------
    TypeError
        If it is not a search.
    ValueError
        If it trains no model that could be scored, or its cv cannot split other rows.
    """
    refit = getattr(search, "refit", None)
    if refit is None or not hasattr(search, "get_params"):
        raise TypeError(
            f"{type(search).__name__} is not a search; give one such as GridSearchCV or"
            " BayesSearchCV."
        )
    if refit is False:
        raise ValueError(
            f"{type(search).__name__} has refit=False, so that there is no model to score on"
            " the outer test rows; set refit=True, or to the name of a metric."
        )
    if names_rows(search.cv):
        raise ValueError(
            f"The cv of {type(search).__name__} names rows of all data, but within an outer"
            " fold it must split the rows that are left: give a number of folds or a"
            " splitter."
        )


def outer_splits(search: Any, X: Any, y: Any, outer_cv: Any, groups: Any) -> list[Split]:
    """Draw the outer folds, once.

    Parameters
    ----------
    search : estimator
        Of a classifier, folds of an integer `outer_cv` are stratified.
    X, y, groups : array-like of length n_samples, or None
        The data.
    outer_cv : int, splitter, iterable or None
        As ``cv`` of `sklearn.model_selection.cross_validate`.

    Returns
    -------
    splits : list of (train, test)
        Row numbers, as the splitter gives them.

    Raises
    ------
    ValueError
        If a row or a group is on both sides of a fold.
    """
    X, y, groups = indexable(X, y, groups)
    cv = check_cv(outer_cv, y, classifier=is_classifier(search))
    given = {"groups": groups} if groups is not None and _sklearn.uses_groups(cv) else {}
    splits = list(cv.split(X, y, **given))
    _check_rows_are_apart(splits, np.arange(_sklearn.num_samples(X)))
    if groups is not None:
        _check_groups_are_whole(splits, np.asarray(groups))
    return splits


def _check_rows_are_apart(splits: list[Split], rows: Any) -> None:
    for fold, (train, test) in enumerate(splits):
        shared = np.intersect1d(rows[train], rows[test])
        if shared.size:
            raise ValueError(
                f"Outer fold {fold} both trains on and tests with {shared.size} rows, row"
                f" {shared[0]} among them: its score would be no outer score. Give an outer_cv"
                " that keeps the two apart."
            )


def _check_groups_are_whole(splits: list[Split], groups: Any) -> None:
    for fold, (train, test) in enumerate(splits):
        torn = np.intersect1d(groups[train], groups[test])
        if torn.size:
            raise ValueError(
                f"{torn.size} groups, {torn[0]} among them, are on both sides of outer fold"
                f" {fold}. Give an outer_cv that keeps groups whole, such as"
                f" GroupKFold({len(splits)})."
            )


def fit_params_for(
    search: Any, y: Any, groups: Any, params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what ``search.fit`` gets beside X and y, still for all rows.

    Parameters
    ----------
    search : estimator
        Gets `groups` if its own cv looks at them, or if it holds out test rows.
    y, groups : array-like of length n_samples, or None
        The data.
    params : mapping or None, default=None
        The user's own.

    Raises
    ------
    ValueError
        If `params` has groups.
    """
    params = dict(params or {})
    if "groups" in params:
        raise ValueError("params has 'groups'; give them as groups=, for both levels.")
    cv = check_cv(search.cv, y, classifier=is_classifier(search))
    if groups is not None and _sklearn.uses_groups(cv):
        params["groups"] = groups
    if groups is not None and getattr(search, "test_size", None) is not None:
        params.setdefault("test_groups", groups)
    return params


def training_rows(
    search: Any, X: Any, y: Any, fit_params: Mapping[str, Any], train: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Return what ``search.fit`` gets on an outer fold: X, y and the further arguments."""
    cut = _sklearn.check_method_params(X, params=fit_params, indices=train)
    return *_sklearn.safe_split(search, X, y, train), cut


def run_outer(
    search: Any,
    X: Any,
    y: Any,
    splits: list[Split],
    *,
    scoring: Any = None,
    fit_params: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    error_score: Any = np.nan,
    all_failed: Literal["nan", "raise"] = "nan",
) -> list[OuterFold]:
    """Fit and score a clone of `search` on each outer fold.

    Parameters
    ----------
    search : estimator
        Is left as it is.
    X, y : array-like of length n_samples
        The data.
    splits : list of (train, test)
        From `outer_splits`.
    scoring, error_score
        As in `sklearn.model_selection.cross_validate`.
    fit_params : mapping or None, default=None
        From `fit_params_for`; what has the length of X is cut to the training rows.
    n_jobs : int or None, default=None
        Outer folds at once. If that is more than one, everything within a fold gets
        ``n_jobs=1``.
    all_failed : {"nan", "raise"}, default="nan"
        What happens if the search fails on every fold.

    Returns
    -------
    folds : list of OuterFold
        In the order of `splits`.

    Raises
    ------
    ValueError
        If the search fails on every fold, and that is to raise.

    Warns
    -----
    FitFailedWarning
        If it fails on some folds; or on all, if that is not to raise.
    """
    _give_each_a_journal(search)
    parallel = joblib.effective_n_jobs(n_jobs) > 1
    try:
        results = cross_validate(
            _serial(search) if parallel else search,
            X,
            y,
            cv=splits,
            scoring=scoring,
            params=dict(fit_params or {}),
            n_jobs=n_jobs,
            error_score=error_score,
            return_estimator=True,
        )
    except ValueError as error:
        if all_failed == "raise" or not _says_that_all_failed(error, len(splits)):
            raise
        warnings.warn(str(error), FitFailedWarning, stacklevel=3)
        nan = dict.fromkeys(_by_name(scoring), np.nan)
        return [OuterFold(np.nan, nan, nan, None) for _ in splits]
    names = [key.removeprefix("test_") for key in results if key.startswith("test_")]
    folds = []
    for i, (fitted, fit_time) in enumerate(
        zip(results["estimator"], results["fit_time"], strict=True)
    ):
        # scikit-learn sets best_estimator_ before it is trained, refit_time_ afterwards.
        succeeded = hasattr(fitted, "refit_time_")
        folds.append(
            OuterFold(
                fit_time=float(fit_time),
                outer_scores={name: float(results[f"test_{name}"][i]) for name in names},
                inner_scores=_inner_scores(fitted if succeeded else None, scoring, names),
                search=fitted if succeeded else None,
            )
        )
    return folds


def _says_that_all_failed(error: ValueError, n: int) -> bool:
    """Whether it is what scikit-learn raises once every fit has failed."""
    return str(error).strip().startswith(f"All the {n} fits failed")


def _give_each_a_journal(search: Any) -> None:
    """Make the journal's path a folder, where each fit of a search has a file of its own."""
    path = getattr(search, "journal", None)
    if path is None:
        return
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"journal={os.fspath(path)!r} must be a folder, or a path where one can be made,"
            f" since the search is fitted several times: {error}"
        ) from error


def _serial(search: Any) -> Any:
    """Return a clone in which nothing runs in parallel."""
    alone = clone(search)
    names = alone.get_params(deep=True)
    jobs = [name for name in names if name == "n_jobs" or name.endswith("__n_jobs")]
    return alone.set_params(**dict.fromkeys(jobs, 1))


def _inner_scores(search: Any, scoring: Any, names: list[str]) -> dict[str, float]:
    """Return the inner score of each outer metric, NaN for one that was not measured."""
    if search is None:
        return dict.fromkeys(names, np.nan)
    scores = {}
    for name in names:
        column = search.cv_results_.get(f"mean_test_{_inner_name(search, scoring, name)}")
        scores[name] = np.nan if column is None else float(column[search.best_index_])
    return scores


def _inner_name(search: Any, scoring: Any, outer: str) -> str | None:
    """Return what the search calls the metric that is called `outer` outside, if it has it."""
    if scoring is None:  # search.score: the metric by which it chose
        if not search.multimetric_:
            return "score"
        names = metric_names(search.cv_results_)
        chose = getattr(search.refit, "metric", search.refit)  # a rule names it, too
        return chose if chose in names else names[0] if len(names) == 1 else None
    if scoring is search.scoring:  # a callable may name its metrics itself
        return outer
    wanted = _by_name(scoring).get(outer)
    for name, metric in _by_name(search.scoring).items():
        if wanted is not None and metric == wanted:
            return name
    return None


def _by_name(scoring: Any) -> dict[str, Any]:
    if isinstance(scoring, dict):
        return scoring
    if isinstance(scoring, list | tuple | set):
        return {name: name for name in scoring}
    return {"score": scoring}
