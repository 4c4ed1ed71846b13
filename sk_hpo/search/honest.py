"""What a search says of its own scores: how they compare, and what they are worth."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_hpo import _sklearn
from sk_hpo.search.problem import Problem
from sk_hpo.validation.correction import CorrectedScore
from sk_hpo.validation.test_set import look
from sk_hpo.validation.ttest import Comparison, compare_rows

__all__ = ["HonestScores"]


class HonestScores(_sklearn.BaseSearchCV):
    """What all searches can say once they are fitted."""

    def compare(
        self,
        i: int,
        j: int,
        *,
        rope: float = 0.0,
        metric: str | None = None,
        confidence: float = 0.95,
    ) -> Comparison:
        """Return how probable it is that candidate i is better than candidate j.

        The Bayesian correlated t-test [Benavoli et al., JMLR 2017] and the corrected resampled
        t-test [Nadeau, Bengio, 2003] of their scores on the folds that both ran. More folds
        tell more: ``cv=RepeatedStratifiedKFold(random_state=0)``.

        Parameters
        ----------
        i, j : int
            Rows of ``cv_results_``, such as ``best_index_``.
        rope : float, default=0.0
            Region of practical equivalence: candidates whose scores differ by `rope` at most
            are equivalent.
        metric : str, default=None
            Name of the metric; needed if there are several.
        confidence : float, default=0.95
            Probability that the interval of the difference is to have.

        Returns
        -------
        comparison : Comparison
            ``p_better``, ``p_equivalent``, ``p_worse``, ``interval`` and more; ``print`` it.

        Raises
        ------
        IndexError
            If there is no such row.
        ValueError
            If fewer than two folds were run by both, or an argument is wrong.
        """
        check_is_fitted(self, "cv_results_")
        n_train, n_test = self._fold_sizes.T
        if self._resource_name == "n_samples":  # a rung trains on some rows of a fold only
            n_rows = np.asarray(self.cv_results_["n_resources"])
            n_train = np.minimum(n_train, n_rows[[i, j]].min())
        return compare_rows(
            self.cv_results_,
            i,
            j,
            n_train=n_train,
            n_test=n_test,
            metric=metric,
            rope=rope,
            confidence=confidence,
        )

    @property
    def corrected_score_(self) -> CorrectedScore:
        """The score of the best candidate without the optimism of having been chosen."""
        evidence = vars(self).get("_evidence")
        if evidence is None:
            raise AttributeError("corrected_score_ is there once fit has chosen a candidate.")
        if "_corrected" not in vars(self):
            fitted = getattr(self, "best_estimator_", self.estimator)
            self._corrected = evidence.corrected(fitted)
        return self._corrected

    def _look_at_test_set(self, problem: Problem) -> None:
        """Score the refitted model on the test set, if there is one."""
        for name in ("test_score_", "test_score_interval_", "test_indices_"):
            self.__dict__.pop(name, None)
        if problem.held is not None:
            seen = look(self.best_estimator_, problem.scorer, problem.held, problem.seed)
            self.test_score_ = seen.score
            self.test_score_interval_ = seen.interval
            self.test_indices_ = problem.held.indices
