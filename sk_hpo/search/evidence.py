"""By what the best candidate was chosen, and what its score is worth in that light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sk_hpo.search.problem import Problem
from sk_hpo.search.results import Row
from sk_hpo.validation.correction import CorrectedScore, tibshirani
from sk_hpo.validation.out_of_fold import OutOfFold, pool
from sk_hpo.validation.scores import fold_scores
from sk_hpo.validation.selection import SelectionRule

__all__ = ["Evidence", "gather", "why_none"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores and predictions of the candidates that the best was chosen among.

    Parameters
    ----------
    positions : ndarray of int of shape (n_candidates,)
        Which rows of ``cv_results_`` they are.
    fold_scores : ndarray of shape (n_candidates, n_folds)
        By the metric that chose; NaN where a fold was not run or a candidate failed.
    test_train_ratio : float
        Validation rows by training rows, on the average of the folds.
    predictions : OutOfFold or None
        Of those candidates that have all scores, if they were kept and can be pooled.
    note : str
        Why they cannot.
    scorer, metric, seed
        As in `Problem`.
    """

    positions: Any
    fold_scores: Any
    test_train_ratio: float
    predictions: OutOfFold | None
    note: str
    scorer: Any
    metric: str
    seed: int

    def corrected(self, estimator: Any) -> CorrectedScore:
        """Return the score of the best without the optimism of having been chosen."""
        found, positions, note = None, self.positions, self.note
        if self.predictions is not None:
            whole = _whole(self.fold_scores)
            found = self.predictions.corrected(
                self.scorer, self.metric, estimator, self.fold_scores[whole], self.seed
            )
            positions = positions[whole]
            note = "the scorer looks at more than predictions"
        if found is None:
            positions = self.positions
            found = tibshirani(self.fold_scores, test_train_ratio=self.test_train_ratio)
            found = replace(found, note=note)
        return replace(found, candidate=int(positions[found.candidate]))


def gather(
    problem: Problem,
    among: Sequence[Row],
    positions: Any,
    results: dict[str, Any],
    metric: str,
    kept: bool,
) -> Evidence:
    """Return the evidence.

    Parameters
    ----------
    problem : Problem
        What was solved.
    among : sequence of Row
        Which candidates could be chosen.
    positions : ndarray of int of shape (n_candidates,)
        Which rows of ``cv_results_`` they are.
    results : dict
        ``cv_results_`` of these.
    metric : str
        By which of several.
    kept : bool
        Whether there are predictions.
    """
    scores = fold_scores(results, metric)
    # A number in the place of a failed fold, error_score, was not measured.
    scores[[row.outcome.failure is not None for row in among]] = np.nan
    pooled: OutOfFold | str = ""
    if kept:
        folds = [among[i].outcome.folds for i in _whole(scores)]
        data = (problem.X, problem.y, problem.score_params)
        pooled = pool(folds, problem.splits, data, problem.scorer)
    predictions, note = (None, pooled) if isinstance(pooled, str) else (pooled, "")
    return Evidence(
        np.asarray(positions),
        scores,
        problem.test_to_train,
        predictions,
        note,
        problem.scorer,
        metric,
        problem.seed,
    )


def why_none(refit: Any, multimetric: bool) -> str:
    """Return why there is no evidence of a choice by `refit`; empty if there is.

    A rule reads the spread of scores from fold to fold. Drawing rows again widens it, so
    that a rule that is replayed on such draws chooses other, simpler candidates.
    """
    instead = "use test_size=, or nested_cross_validate, for what the choice is worth."
    if isinstance(refit, SelectionRule):
        return (
            f"refit={refit!r} chooses by the spread of the folds, which is another among rows"
            f" that are drawn again; {instead}"
        )
    if callable(refit):
        what = "no single metric chose" if multimetric else "its choice cannot be repeated"
        return f"refit is a callable: {what}; {instead}"
    return ""


def _whole(scores: Any) -> Any:
    """Return which candidates have a finite score on every fold."""
    return np.flatnonzero(np.isfinite(scores).all(axis=1))
