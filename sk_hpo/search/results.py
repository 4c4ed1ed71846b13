"""Trials -> ``cv_results_``: one row per candidate and rung."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from sk_hpo import _sklearn
from sk_hpo.rungs import Rung
from sk_hpo.trial import Config, Outcome, Trial

__all__ = [
    "Row",
    "accelerator_report",
    "best_rows",
    "candidates",
    "check_any_succeeded",
    "explanations",
    "leave_out_what_was_not_run",
    "mask_the_unmet",
    "more_results",
    "n_folds",
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


def rows(trials: Sequence[Trial], rungs: Sequence[Rung]) -> list[Row]:
    """Return a row per trial and rung, ordered by bracket, rung and trial.

    Of what is known of a trial between two rungs of its bracket, only the last is a row:
    the trial was stopped there.
    """
    ladders: dict[int, list[int]] = {}
    for rung in rungs:
        ladders.setdefault(rung.bracket, []).append(rung.resource)
    found = []
    for trial in trials:
        ladder = ladders[trial.bracket]
        found += [
            Row(trial, sum(below < resource for below in ladder), resource, outcome)
            for resource, outcome in trial.outcomes.items()
            if resource in ladder or resource == trial.resource
        ]
    return sorted(found, key=lambda row: (row.trial.bracket, row.rung, row.trial.id))


def records(table: Sequence[Row], error_score: Any) -> list[dict[str, Any]]:
    """Return what ``BaseSearchCV._format_results`` formats: a dict per row and fold.

    A fold that was not run is represented by one of the row that was, until
    `leave_out_what_was_not_run`.

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
        if fold is not None
    ]
    if not out:
        raise ValueError(
            "No fits were performed. Was the CV iterator empty? Were there no candidates?"
        )
    count = Counter(record["fit_error"] for record in out)
    common = sorted(out, key=lambda record: -count[record["fit_error"]])
    _sklearn.warn_or_raise_about_fit_failures(common, error_score)
    _sklearn.insert_error_scores(out, error_score)
    begun = iter(out)
    filled = []
    for row in table:
        ran = [None if fold is None else next(begun) for fold in row.outcome.folds]
        stand_in = next(record for record in ran if record is not None)
        filled += [stand_in if record is None else record for record in ran]
    return filled


def n_folds(table: Sequence[Row]) -> Any:
    """Return how many folds were run of each row, as an array (n_rows,)."""
    return np.array([_ran(row).sum() for row in table])


def leave_out_what_was_not_run(
    results: dict[str, Any], table: Sequence[Row], out: Sequence[dict[str, Any]]
) -> None:
    """Make scores of folds that were not run NaN, and means those of the others; in place.

    Parameters
    ----------
    results : dict
        What ``_format_results`` made of `out`.
    table : sequence of Row
        Its rows.
    out : sequence of dict
        What `records` returned.
    """
    for i, row in enumerate(table):
        ran = _ran(row)
        if ran.all():
            continue
        own = out[i * len(ran) : (i + 1) * len(ran)]
        for name in [name for name in results if name.startswith("mean_")]:
            column = name.removeprefix("mean_")
            splits = [f"split{fold}_{column}" for fold in range(len(ran))]
            if splits[0] in results:
                values = np.array([results[split][i] for split in splits])[ran]
                for split in np.array(splits)[~ran]:
                    results[split][i] = np.nan
            else:
                values = np.array([record[column] for record in own])[ran]
            results[name][i] = values.mean()
            results[f"std_{column}"][i] = values.std()


def _ran(row: Row) -> Any:
    """Return which folds were run, as an array of bool."""
    return np.array([fold is not None for fold in row.outcome.folds])


def more_results(table: Sequence[Row]) -> dict[str, list[int]]:
    """Return the columns of a search over resources that scikit-learn's has not."""
    return {
        "trial": [row.trial.id for row in table],
        "bracket": [row.trial.bracket for row in table],
        "iter": [row.rung for row in table],
        "n_resources": [row.resource for row in table],
    }


def accelerator_report(table: Sequence[Row]) -> list[dict[str, Any]]:
    """Return how models were trained: a dict for each path and reason, the commonest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in table:
        for fold in row.outcome.folds:
            if fold is None or not fold.path:
                continue
            new = {"path": fold.path, "reason": fold.reason, "n_fits": 0, "trials": []}
            entry = found.setdefault((fold.path, fold.reason), new)
            entry["n_fits"] += 1
            if row.trial.id not in entry["trials"]:
                entry["trials"].append(row.trial.id)
    return sorted(found.values(), key=lambda entry: -entry["n_fits"])


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


def mask_the_unmet(results: dict[str, Any], names: Iterable[str]) -> None:
    """Add a masked column for each parameter that no candidate has; in place."""
    n_rows = len(results["params"])
    for name in names:
        if f"param_{name}" not in results:
            results[f"param_{name}"] = np.ma.masked_all(n_rows, dtype=object)


def rank(results: dict[str, Any], failed: Any = False) -> None:
    """Rank rows that failed, or whose mean is not finite, last; in place.

    Where rows have different numbers of folds (``n_folds``), those with more come first:
    means are compared only over the same folds.

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
        keys = np.column_stack([np.where(usable, results.get("n_folds", 0), -1), mean])
        keys[~usable, 1] = 0.0
        _, place = np.unique(-keys, axis=0, return_inverse=True)
        results[name] = rankdata(place.ravel(), method="min").astype(np.int32)


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


def best_rows(
    results: dict[str, Any], metric: str, failed: Any = False, *, at_the_top: bool = True
) -> Any:
    """Return the positions that a best candidate may have.

    These are the rows at the highest resource, and there with the most folds, that was
    reached with a finite score by a candidate that had not `failed` (a mask, for a number
    may be its ``error_score``); all rows for a search that has neither. In a search that was
    stopped, who came to the top may be the few that began there: then it is not
    `at_the_top` only that the best is looked for, but among all candidates, each at the
    highest resource that it reached.
    """
    n = len(results["params"])
    names = ("n_resources", "n_folds") if at_the_top else ("n_folds",)
    levels = [results[name] for name in names if name in results]
    if not at_the_top and "trial" in results:
        last: dict[int, int] = {}
        for trial, resource in zip(results["trial"], results["n_resources"], strict=True):
            last[trial] = max(last.get(trial, 0), resource)
        reached = np.array([last[trial] for trial in results["trial"]])
        levels.insert(0, results["n_resources"] == reached)
    if not levels:
        return np.arange(n)
    mean = results.get(f"mean_test_{metric}")
    usable = np.ones(n, bool) if mean is None else np.isfinite(mean)
    usable &= ~np.asarray(failed)
    if not usable.any():
        usable[:] = True
    for level in levels:
        usable &= level == level[usable].max()
    return np.flatnonzero(usable)


def take(results: dict[str, Any], positions: Any) -> dict[str, Any]:
    """Return ``cv_results_`` cut to some rows."""
    return {
        name: [column[i] for i in positions] if isinstance(column, list) else column[positions]
        for name, column in results.items()
    }
