"""By what the best candidate was chosen, and what its score is worth in that light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sk_hpo.search.problem import Problem
from sk_hpo.search.results import Row
from sk_hpo.validation.correction import CorrectedScore, tibshirani
from sk_hpo.validation.out_of_fold import OutOfFold, pool
from sk_hpo.validation.scores import fold_scores

__all__ = ["Evidence", "gather"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores and predictions of the candidates that the best was chosen among.

    Parameters
    ----------
    fold_scores : ndarray of shape (n_candidates, n_folds)
        By the metric that chose; NaN where a fold failed.
    test_train_ratio : float
        Validation rows by training rows, on the average of the folds.
    predictions : OutOfFold or None
        Of those candidates that did not fail, if they were kept.
    scorer, metric, seed
        As in `Problem`.
    """

    fold_scores: Any
    test_train_ratio: float
    predictions: OutOfFold | None
    scorer: Any
    metric: str
    seed: int

    def corrected(self, estimator: Any) -> CorrectedScore:
        """Return the score of the best without the optimism of having been chosen."""
        if self.predictions is not None:
            return self.predictions.corrected(self.scorer, self.metric, estimator, self.seed)
        return tibshirani(self.fold_scores, test_train_ratio=self.test_train_ratio)


def gather(
    problem: Problem, among: Sequence[Row], results: dict[str, Any], metric: str, kept: bool
) -> Evidence:
    """Return the evidence.

    Parameters
    ----------
    problem : Problem
        What was solved.
    among : sequence of Row
        Which candidates could be chosen.
    results : dict
        ``cv_results_`` of these.
    metric : str
        By which of several.
    kept : bool
        Whether there are predictions.
    """
    predictions = None
    if kept:
        whole = [row.outcome for row in among if row.outcome.failure is None]
        folds = [outcome.folds for outcome in whole if None not in outcome.folds]
        data = (problem.X, problem.y, problem.score_params)
        predictions = pool(folds, problem.splits, data, problem.scorer)
    return Evidence(
        fold_scores(results, metric),
        problem.test_to_train,
        predictions,
        problem.scorer,
        metric,
        problem.seed,
    )
