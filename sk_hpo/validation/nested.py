"""Nested cross-validation: what a search with its refit is worth on new rows.

Varma, Simon: Bias in Error Estimation When Using Cross-Validation for Model Selection, BMC
Bioinformatics 7:91 (2006); Cawley, Talbot: On Over-fitting in Model Selection and Subsequent
Selection Bias in Performance Evaluation, JMLR 11 (2010).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sk_hpo.validation.alarm import report
from sk_hpo.validation.inner import check_outer_metric, inner_group_alarms
from sk_hpo.validation.outer import (
    check_search,
    fit_params_for,
    outer_splits,
    run_outer,
)
from sk_hpo.validation.stability import Stability, stability_of

__all__ = ["NestedResult", "nested_cross_validate"]

FloatArray = NDArray[np.float64]
PerMetric = Any  # FloatArray or float; a dict of them by metric if there are several


@dataclass(frozen=True, eq=False)
class NestedResult:
    """What `nested_cross_validate` found.

    With several outer metrics, every score is a dict of metric -> what is described here.

    Attributes
    ----------
    outer_scores : ndarray of shape (n_folds,)
        Score of each outer fold's refitted model on rows that its search never saw.
    inner_scores : ndarray of shape (n_folds,)
        What the search itself reports for the candidate that it selected
        (``best_score_``). NaN where the search did not measure this metric, or failed.
    best_params : tuple of (dict or None), length n_folds
        What each outer fold selected; None where the search failed.
    stability : dict of str to Stability
        How far the folds agree, for each parameter; see `Stability`.
    fit_times : ndarray of shape (n_folds,)
        Seconds that each search took, its refit included.
    search : estimator or None
        The search, fitted on all rows. None with ``refit=False``.
    searches : tuple of (estimator or None) or None
        The fitted search of each outer fold; None without ``return_searches=True``.
    """

    outer_scores: PerMetric
    inner_scores: PerMetric
    best_params: tuple[dict[str, Any] | None, ...]
    stability: dict[str, Stability]
    fit_times: FloatArray
    search: Any = field(default=None, repr=False)
    searches: tuple[Any, ...] | None = field(default=None, repr=False)

    @property
    def mean_score(self) -> PerMetric:
        """Mean of `outer_scores` but for folds that failed: the estimate for the search."""
        return _each(_mean, self.outer_scores)

    @property
    def standard_error(self) -> PerMetric:
        """Standard error of `mean_score`, NaN for a single fold that did not fail.

        It takes the folds to be independent. Their training rows overlap, so the true one
        is larger (Bengio, Grandvalet: No Unbiased Estimator of the Variance of K-Fold
        Cross-Validation, JMLR 5, 2004).
        """
        return _each(_standard_error, self.outer_scores)

    @property
    def optimism(self) -> PerMetric:
        """`inner_scores` minus `outer_scores`: by how much the search flatters itself.

        It is negative where more rows help: an inner model trains on fewer than the
        refitted one.
        """
        return _each(np.subtract, self.inner_scores, self.outer_scores)

    @property
    def mean_optimism(self) -> PerMetric:
        """Mean of `optimism` but for folds that failed."""
        return _each(_mean, self.optimism)

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame` with a row per outer fold.

        Columns: ``fold``, ``outer_score``, ``inner_score``, ``optimism`` (with several
        metrics ``outer_f1`` and so on), ``fit_time``, and ``param_<name>`` for each
        parameter.
        """
        import pandas as pd

        params = [params or {} for params in self.best_params]
        return pd.DataFrame(
            {
                "fold": np.arange(len(self.fit_times)),
                **self._scores(),
                "fit_time": self.fit_times,
                **{f"param_{name}": [p.get(name) for p in params] for name in self.stability},
            }
        )

    def _scores(self) -> dict[str, FloatArray]:
        kinds = {"outer": self.outer_scores, "inner": self.inner_scores}
        kinds["optimism"] = self.optimism
        if isinstance(self.outer_scores, dict):
            return {f"{kind}_{m}": v for kind, of in kinds.items() for m, v in of.items()}
        return {
            kind if kind == "optimism" else f"{kind}_score": scores
            for kind, scores in kinds.items()
        }

    def __str__(self) -> str:
        """Return the estimate, a table of the folds, and the stability of each parameter."""
        columns = self._scores()
        lines = _each(_summary, self.outer_scores, self.optimism)
        lines = [f"{m}: {v}" for m, v in lines.items()] if isinstance(lines, dict) else [lines]
        lines.append(" ".join(["fold", *(f"{name:>11}" for name in columns), " best_params"]))
        for fold, params in enumerate(self.best_params):
            scores = " ".join(f"{c[fold]:>{max(11, len(n))}.4f}" for n, c in columns.items())
            lines.append(f"{fold:>4} {scores}  {'failed' if params is None else params}")
        return "\n".join([*lines, *(f"{n}: {s}" for n, s in self.stability.items())])


def nested_cross_validate(
    search: Any,
    X: Any,
    y: Any = None,
    *,
    outer_cv: Any = 5,
    scoring: Any = None,
    groups: Any = None,
    n_jobs: int | None = None,
    params: Mapping[str, Any] | None = None,
    refit: bool = True,
    return_searches: bool = False,
    error_score: Any = np.nan,
) -> NestedResult:
    """Estimate what a search is worth on new rows, and fit it on all rows.

    On each outer fold a clone of the search is fitted on the training rows alone, and the
    model that it refits is scored on the others. The scores are those of
    ``sklearn.model_selection.cross_validate(search, X, y, cv=outer_cv)``.

    Parameters
    ----------
    search : estimator
        Any search, of this library or of scikit-learn. It is left as it is: each fold and
        the final fit get a clone, with a copy of ``random_state`` if that is an instance.
        With ``random_state=None`` scores differ from call to call. A `journal` becomes a
        folder with a file for each fold and one for the final fit: what was killed goes on
        where it stopped when the same call is made again.
    X : array-like of shape (n_samples, n_features)
        The data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets.
    outer_cv : int, splitter, iterable of splits or None, default=5
        The outer folds, as ``cv`` of `sklearn.model_selection.cross_validate`.
    scoring : str, callable, list, tuple, dict or None, default=None
        The outer metrics. None is the metric by which the search chooses; needed if a
        callable `refit` chooses by several. The optimism is known for metrics that the
        search measures too.
    groups : array-like of shape (n_samples,), default=None
        Groups that no outer fold may tear apart. They go to the cv of the search too, if
        it looks at groups: give the search a ``GroupKFold``. Not in `params`.
    n_jobs : int or None, default=None
        How many outer folds run at once, as in `joblib.Parallel`; a
        `joblib.parallel_config` is honoured. If more than one, the search and all within
        it get ``n_jobs=1`` there, so that there are no more workers than `n_jobs`; if one,
        they keep their own. The result does not depend on it. Run nets in processes (the
        default), not in threads.
    params : dict of str to object, default=None
        For ``search.fit``; what has the length of X is split along with it.
    refit : bool, default=True
        Whether to fit the search on all rows, with its own ``n_jobs``.
    return_searches : bool, default=False
        Whether to keep the fitted search of each outer fold.
    error_score : "raise" or float, default=nan
        Score of an outer fold on which the search fails. If it fails on all, that is an
        error.

    Returns
    -------
    result : NestedResult
        ``print(result)`` shows it.

    Raises
    ------
    TypeError
        If `search` is not a search.
    ValueError
        Before any training: if the search does not refit, its cv names rows, `scoring` is
        needed, `params` has groups, or a row or a group is on both sides of an outer fold.
        Afterwards: if the search failed on every fold.

    Warns
    -----
    FitFailedWarning
        If the search failed on some folds.
    LeakageWarning
        If `groups` are given, and the cv of the search does not look at them. An error for
        a search with ``leakage="raise"``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=3)
    >>> result = nested_cross_validate(search, X, y, outer_cv=4)
    >>> result.outer_scores.shape
    (4,)
    >>> result.stability["C"].agreement
    0.75
    >>> result.search.best_params_
    {'C': 10}
    """
    check_search(search)
    check_outer_metric(search, scoring)
    fit_params = fit_params_for(search, y, groups, params)
    splits = outer_splits(search, X, y, outer_cv, groups)
    alarms = inner_group_alarms(search, y, groups)
    report(alarms, getattr(search, "leakage", "warn"), stacklevel=3)
    folds = run_outer(
        search,
        X,
        y,
        splits,
        scoring=scoring,
        fit_params=fit_params,
        n_jobs=n_jobs,
        error_score=error_score,
        all_failed="raise",
    )
    best_params = tuple(fold.best_params for fold in folds)
    return NestedResult(
        outer_scores=_stacked([fold.outer_scores for fold in folds]),
        inner_scores=_stacked([fold.inner_scores for fold in folds]),
        best_params=best_params,
        stability=stability_of(search, [p for p in best_params if p is not None]),
        fit_times=np.array([fold.fit_time for fold in folds]),
        search=clone(search).fit(X, y, **fit_params) if refit else None,
        searches=tuple(fold.search for fold in folds) if return_searches else None,
    )


def _stacked(scores: Sequence[Mapping[str, float]]) -> PerMetric:
    """Return the scores of all folds: an array, or a dict of them for several metrics."""
    by_metric = {name: np.array([fold[name] for fold in scores]) for name in scores[0]}
    return by_metric["score"] if list(by_metric) == ["score"] else by_metric


def _each(function: Any, *scores: PerMetric) -> PerMetric:
    """Apply a function to the scores of each metric."""
    if not isinstance(scores[0], dict):
        return function(*scores)
    return {name: function(*(s[name] for s in scores)) for name in scores[0]}


def _summary(scores: FloatArray, optimism: FloatArray) -> str:
    n, n_failed = len(scores), int(np.isnan(scores).sum())
    failed = f"; {n_failed} of {n} failed" if n_failed else ""
    return (
        f"{_mean(scores):.4f} ± {_standard_error(scores):.4f} (mean and standard error of"
        f" {n - n_failed} outer folds{failed}), optimism {_mean(optimism):.4f}"
    )


def _mean(scores: FloatArray) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else math.nan


def _standard_error(scores: FloatArray) -> float:
    known = scores[~np.isnan(scores)]
    if len(known) < 2:
        return math.nan
    return float(np.std(known, ddof=1) / math.sqrt(len(known)))
