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
from sk_hpo.evaluation.fold import FoldResult
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
    X, y : array-like of shape (n_pooled, ...)
        Those rows; X is None if no metric looks at it.
    params : dict
        What the scorer takes besides, for those rows.
    """

    known: Sequence[Mapping[str, Any]]
    rows: Any
    X: Any
    y: Any
    params: dict[str, Any]

    def corrected(self, scorer: Any, metric: str, estimator: Any, seed: int) -> CorrectedScore:
        """Return the score of the best candidate by BBC-CV.

        Parameters
        ----------
        scorer : callable
            Of one metric or several.
        metric : str
            Which of several.
        estimator : estimator
            Fitted, of the kind of the candidates: scorers ask for its classes.
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
) -> OutOfFold | None:
    """Return the predictions of candidates that were evaluated on all of `splits`.

    None if there are no candidates, or scores did not ask for predictions, as those of
    estimators with a ``score`` of their own.

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
    known = [_joined([fold.predictions or {} for fold in folds]) for folds in candidates]
    if not known or not all(known):
        return None
    X, y, params = data
    rows = np.concatenate([np.asarray(test) for _, test in splits])
    return OutOfFold(
        known=known,
        rows=rows,
        X=None if _sklearn.only_predicts(scorer) else _sklearn.take_rows(X, rows),
        y=None if y is None else _sklearn.take_rows(y, rows),
        params=_sklearn.check_method_params(X, params=params, indices=rows),
    )


def _joined(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: np.concatenate([np.asarray(of_fold[name]) for of_fold in folds])
        for name in folds[0]
    }
