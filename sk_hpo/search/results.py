"""Trials -> ``cv_results_``: one row per candidate and rung."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from sk_hpo import _sklearn
from sk_hpo.trial import Config, Outcome, Trial

__all__ = [
    "Row",
    "best_rows",
    "candidates",
    "check_any_succeeded",
    "explanations",
    "more_results",
    "rank",
    "records",
    "rows",
    "take",
]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ``cv_results_``."""

    trial: Trial
    rung: int
    resource: int
    outcome: Outcome


def rows(trials: Sequence[Trial]) -> list[Row]:
    """Return a row per outcome, ordered by bracket, rung and trial."""
    found = [
        Row(trial, rung, resource, outcome)
        for trial in trials
        for rung, (resource, outcome) in enumerate(sorted(trial.outcomes.items()))
    ]
    return sorted(found, key=lambda row: (row.trial.bracket, row.rung, row.trial.id))


def records(table: Sequence[Row], error_score: Any) -> list[dict[str, Any]]:
    """Return what ``BaseSearchCV._format_results`` formats: a dict per row and fold.

    Raises
    ------
    ValueError
        If every fit failed; quotes the errors, the commonest one first.

    Warns
    -----
    FitFailedWarning
        If some did.
    """
    out = [
        {
            "test_scores": fold.test_scores,
            "train_scores": fold.train_scores,
            "fit_time": fold.fit_time,
            "score_time": fold.score_time,
            "fit_error": fold.error,
        }
        for row in table
        for fold in row.outcome.folds
    ]
    if not out:
        raise ValueError(
            "No fits were performed. Was the CV iterator empty? Were there no candidates?"
        )
    count = Counter(record["fit_error"] for record in out)
    common = sorted(out, key=lambda record: -count[record["fit_error"]])
    _sklearn.warn_or_raise_about_fit_failures(common, error_score)
    _sklearn.insert_error_scores(out, error_score)
    return out


def more_results(table: Sequence[Row]) -> dict[str, list[int]]:
    """Return the columns of a search over resources that scikit-learn's has not."""
    return {
        "trial": [row.trial.id for row in table],
        "bracket": [row.trial.bracket for row in table],
        "iter": [row.rung for row in table],
        "n_resources": [row.resource for row in table],
    }


def explanations(table: Sequence[Row]) -> dict[str, Any]:
    """Return the columns that say why each candidate was tried."""
    reasons = [row.trial.reason for row in table]
    return {
        "suggested_by": np.array([reason.origin for reason in reasons]),
        "acquisition": np.array([reason.acquisition for reason in reasons]),
        "predicted_mean": np.array([reason.mean for reason in reasons]),
        "predicted_sd": np.array([reason.sd for reason in reasons]),
    }


def candidates(
    table: Sequence[Row], params: Callable[[Config], dict[str, Any]], parameter: str | None
) -> list[dict[str, Any]]:
    """Return the column ``params``; a resource that is a parameter is one of them."""
    return [
        params(row.trial.config) | ({parameter: row.resource} if parameter else {})
        for row in table
    ]


def rank(results: dict[str, Any], failed: Any = False) -> None:
    """Rank rows that failed, or whose mean is not finite, last; in place.

    Parameters
    ----------
    results : dict
        ``cv_results_``. scikit-learn ranks NaN last, but a score of inf first, and a
        number that stands for a failure (``error_score``) wherever it falls.
    failed : ndarray of bool of shape (n_rows,), default=False
        Which rows had a fold that failed, in training or by the metric that steers.
    """
    for name in [name for name in results if name.startswith("rank_test_")]:
        mean = results[name.replace("rank_", "mean_", 1)]
        usable = np.isfinite(mean) & ~np.asarray(failed)
        ranks = rankdata(-np.where(usable, mean, -np.inf), method="min")
        results[name] = ranks.astype(np.int32)


def check_any_succeeded(table: Sequence[Row], results: dict[str, Any], metric: str) -> None:
    """Raise ValueError, with the commonest cause, if no candidate has a score to choose by.

    That each fit failed is seen by `records`; here it is that each candidate failed in some
    fold, or was scored NaN or infinite.
    """
    mean = results[f"mean_test_{metric}"]
    if (np.isfinite(mean) & [row.outcome.failure is None for row in table]).any():
        return
    causes = Counter(row.outcome.failure for row in table if row.outcome.failure)
    cause = f" The commonest cause:\n{causes.most_common(1)[0][0]}" if causes else ""
    raise ValueError(
        f"All the {len(table)} candidates failed: their scores are non-finite: {mean}. "
        f"error_score='raise' shows where fits or scorers raise.{cause}"
    )


def best_rows(results: dict[str, Any], metric: str, failed: Any = False) -> Any:
    """Return the positions that a best candidate may have.

    These are the rows at the highest resource that was reached with a finite score by a
    candidate that had not `failed` (a mask, for a number may be its ``error_score``); all
    rows for a search without resources.
    """
    if "n_resources" not in results:
        return np.arange(len(results["params"]))
    resources = results["n_resources"]
    mean = results.get(f"mean_test_{metric}")
    usable = np.ones(len(resources), bool) if mean is None else np.isfinite(mean)
    usable &= ~np.asarray(failed)
    if not usable.any():
        usable[:] = True
    return np.flatnonzero(usable & (resources == resources[usable].max()))


def take(results: dict[str, Any], positions: Any) -> dict[str, Any]:
    """Return ``cv_results_`` cut to some rows."""
    return {
        name: [column[i] for i in positions] if isinstance(column, list) else column[positions]
        for name, column in results.items()
    }
