"""What candidates have predicted for rows that their models were not trained on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.evaluation.answers import Answers, rescored, row_scores
from sk_hpo.evaluation.records import FoldResult
from sk_hpo.validation.correction import CorrectedScore, bbc_cv, bbc_cv_of_rows

__all__ = ["OutOfFold", "pool"]

# Where each of them calls the metric once for each candidate.
N_BOOTSTRAPS = 400


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Pooled predictions of all folds: the rows of the first, then those of the second...

    Parameters
    ----------
    known : sequence of mapping of str to ndarray of shape (n_pooled, ...)
        Of each candidate, by the method that made them.
    rows : ndarray of int of shape (n_pooled,)
        Which row of X each is of; with repeated cross-validation one occurs several times.
    starts : ndarray of int of shape (n_folds - 1,)
        Where the folds but the first begin.
    X, y : array-like of shape (n_pooled, ...)
        Those rows; X is None if no metric looks at it.
    params : dict
        What the scorer takes besides, for those rows.
    """

    known: Sequence[Mapping[str, Any]]
    rows: Any
    starts: Any
    X: Any
    y: Any
    params: dict[str, Any]

    def corrected(
        self, scorer: Any, metric: str, estimator: Any, fold_scores: Any, seed: int
    ) -> CorrectedScore | None:
        """Return the score of the best candidate by BBC-CV.

        None if the scores do not follow from predictions: the scorer looks at the model too.

        Parameters
        ----------
        scorer : callable
            Of one metric or several.
        metric : str
            Which of several.
        estimator : estimator
            Fitted, of the kind of the candidates: scorers ask for its classes.
        fold_scores : ndarray of shape (n_candidates, n_folds)
            What the scorer said of the models themselves.
        seed : int
            For the draws.
        """
        repeated = len(np.unique(self.rows)) < len(self.rows)
        groups = self.rows if repeated else None
        answers = [Answers(estimator, self.X, known) for known in self.known]
        single = getattr(scorer, "_scorers", {}).get(metric, scorer)
        of_rows = [row_scores(each, single, self.y) for each in answers]
        if not self.params and all(found is not None for found in of_rows):
            table = np.column_stack([found["score"] for found in of_rows if found is not None])
            return bbc_cv_of_rows(table, groups=groups, random_state=seed)

        # A prediction is represented by its number, from which its candidate and row follow.
        n = len(self.rows)
        numbers = np.arange(n)[:, None] + n * np.arange(len(answers))

        def score(_: Any, chosen: Any) -> float:
            candidate, rows = int(chosen[0]) // n, chosen % n
            found = rescored(answers[candidate], scorer, self.X, self.y, self.params, rows)
            found = found[metric] if isinstance(found, dict) else found
            return math.nan if found is None else found

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of draws without one of the classes
            folds = np.split(numbers, self.starts)
            again = [[score(None, of_one) for of_one in fold.T] for fold in folds]
            if not np.allclose(np.transpose(again), fold_scores):
                return None
            return bbc_cv(
                numbers,
                numbers[:, 0],
                score,
                groups=groups,
                n_bootstraps=N_BOOTSTRAPS,
                random_state=seed,
            )


def pool(
    candidates: Sequence[Sequence[FoldResult]],
    splits: Sequence[tuple[Any, Any]],
    data: tuple[Any, Any, dict[str, Any]],
    scorer: Any,
) -> OutOfFold | str:
    """Return the predictions of candidates that were evaluated on all of `splits`.

    If there are none that the candidates have in common, return why.

    Parameters
    ----------
    candidates : sequence of sequence of FoldResult
        With predictions.
    splits : sequence of (train, test)
        Of X.
    data : (X, y, dict)
        All rows, and what the scorer takes besides.
    scorer : callable
        That will look at them.
    """
    sizes = [len(test) for _, test in splits]
    known = [_joined([fold.predictions or {} for fold in folds], sizes) for folds in candidates]
    if not known:
        return "no candidate has a score on every fold"
    if not any(known):
        return "the scorer asked for no predictions that can be pooled"
    if any(one.keys() != known[0].keys() for one in known):
        return "the scorer asked for predictions of some models only"
    X, y, params = data
    rows = np.concatenate([np.asarray(test) for _, test in splits])
    return OutOfFold(
        known=known,
        rows=rows,
        starts=np.cumsum(sizes)[:-1],
        X=None if _sklearn.only_predicts(scorer) else _sklearn.take_rows(X, rows),
        y=None if y is None else _sklearn.take_rows(y, rows),
        params=_sklearn.check_method_params(X, params=params, indices=rows),
    )


def _joined(folds: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> dict[str, Any]:
    """Return what all folds predicted, one below the other, where it has rows that agree."""
    found = {}
    for name in sorted(set.intersection(*map(set, folds))):
        parts = [np.asarray(of_fold[name]) for of_fold in folds]
        # Not so: sparse answers, one array for each output, a class that a fold lacks.
        if [part.shape[:1] for part in parts] == [(size,) for size in sizes] and len(
            {part.shape[1:] for part in parts}
        ) == 1:
            found[name] = np.concatenate(parts)
    return found
