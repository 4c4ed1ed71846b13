"""What a search says of its own scores: how they compare, and what they are worth."""

from __future__ import annotations

import warnings
from copy import copy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_hpo import _sklearn
from sk_hpo.search.problem import Problem
from sk_hpo.validation.alarm import report
from sk_hpo.validation.correction import CorrectedScore
from sk_hpo.validation.fingerprint import digest
from sk_hpo.validation.leakage import fingerprint, fit_alarms, score_alarms
from sk_hpo.validation.scores import metric_names
from sk_hpo.validation.test_set import RepeatedTestWarning, look
from sk_hpo.validation.ttest import Comparison, compare_rows, row_number

__all__ = ["HonestScores"]

_OF_A_FIT = (
    "test_score_",
    "test_score_interval_",
    "test_indices_",
    "n_test_evaluations_",
    "_tested_rows",
    "_given",
    "_selected_by",
    "_chosen_by",
    "_failed",
    "_evidence",
    "_corrected",
    "refit_epochs_",
)


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
            Rows of ``cv_results_``, such as ``best_index_``; in a search with rungs, of one
            ``n_resources``.
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
        TypeError
            If `i` or `j` is no whole number.
        ValueError
            If fewer than two folds were run by both, a candidate failed on a fold, the two
            differ in ``n_resources``, or an argument is wrong.
        """
        check_is_fitted(self, "cv_results_")
        results = self.cv_results_
        i, j = (row_number(row, len(results["params"])) for row in (i, j))
        self._check_comparable(i, j)
        n_train, n_test = self._fold_sizes.T
        if self._resource_name == "n_samples":  # a rung trains on some rows of a fold only
            n_train = np.minimum(n_train, results["n_resources"][i])
        return compare_rows(
            results,
            i,
            j,
            n_train=n_train,
            n_test=n_test,
            metric=metric,
            rope=rope,
            confidence=confidence,
        )

    def _check_comparable(self, i: int, j: int) -> None:
        for row in (i, j):
            if self._failed[row]:
                raise ValueError(
                    f"Candidate {row} failed on a fold: error_score={self.error_score!r} in the"
                    " place of a score was not measured. Compare candidates that did not fail."
                )
        levels = self.cv_results_.get("n_resources")
        if levels is not None and levels[i] != levels[j]:
            raise ValueError(
                f"Candidate {i} was trained with n_resources={levels[i]}, candidate {j} with"
                f" {levels[j]}: one that is trained on may change places. Compare rows of the"
                " same n_resources."
            )

    @property
    def corrected_score_(self) -> CorrectedScore:
        """The score of the best candidate without the optimism of having been chosen."""
        evidence = vars(self).get("_evidence")
        if evidence is None:
            raise AttributeError("corrected_score_ is there once fit has chosen a candidate.")
        if isinstance(evidence, str):
            raise AttributeError(f"There is no corrected_score_: {evidence}")
        if "_corrected" not in vars(self):
            fitted = getattr(self, "best_estimator_", self.estimator)
            try:
                self._corrected = evidence.corrected(fitted)
            except ValueError as error:  # hasattr asks for it, too
                raise AttributeError(f"There is no corrected_score_: {error}") from error
        return self._corrected

    def score(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Return the score of the refitted best candidate, as in scikit-learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that `fit` did not get.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            For the scorer.

        Returns
        -------
        score : float

        Raises
        ------
        ValueError
            If a callable chose among the candidates of several metrics: none is the score.

        Warns
        -----
        RepeatedTestWarning
            If X has rows of the test set; ``n_test_evaluations_`` counts such looks.
        LeakageWarning
            If X has rows that chose the candidate, or that it was trained on. An error with
            ``leakage="raise"``; set "ignore" where the score of training rows is what you
            want, as in ``cross_validate(search, X, y, return_train_score=True)``.
        """
        found = _sklearn.BaseSearchCV.score(self._judge(), X, y, **params)
        known = vars(self)
        given = known.get("_given")
        everything = given is not None and digest(X) == given
        use: Any = "trained" if self.refit_on_all else "test"
        for alarm in score_alarms(known.get("_tested_rows"), X, use=use, whole=everything):
            self.n_test_evaluations_ += 1
            warnings.warn(alarm.message, RepeatedTestWarning, stacklevel=2)
        used = score_alarms(known.get("_selected_by"), X, whole=everything)
        report(used if y is not None else [], self.leakage, stacklevel=3)
        return found

    def _judge(self) -> HonestScores:
        """Return the search with the name of the metric in `refit`, as scikit-learn scores."""
        of_us = callable(self.refit) or self.refit == "most_stable"
        if not (of_us and getattr(self, "multimetric_", False)):
            return self
        if vars(self).get("_chosen_by") is None:
            raise ValueError(
                "score needs one metric: refit is a callable, which names none. Use"
                f" search.scorer_[name](search.best_estimator_, X, y), with a name of"
                f" {sorted(metric_names(self.cv_results_))}."
            )
        judge = copy(self)
        judge.refit = self._chosen_by
        return judge

    def _forget_scores(self) -> None:
        """Forget what an earlier fit has said, and this one may not."""
        for name in _OF_A_FIT:
            self.__dict__.pop(name, None)

    def _look_for_leakage(self, problem: Problem) -> None:
        """Raise or warn of what makes scores too good, before any training."""
        data, alarms = problem.rows, []
        held, whole, searched = data.held, data.whole, data.searched
        if held is None and self.leakage == "ignore":
            return
        everything = fingerprint(whole.X)
        self._given = None if everything is None else everything.digest
        if held is not None:
            self._tested_rows = everything and everything.take(held.indices)
            if self.leakage != "ignore":
                rest = np.setdiff1d(np.arange(_sklearn.num_samples(whole.X)), held.indices)
                sides = [(rest, held.indices)]
                alarms = fit_alarms(
                    everything, whole.X, whole.y, sides, groups=data.groups, held_out="test"
                )
        if self.leakage == "ignore":
            return
        self._selected_by = everything if searched is whole else fingerprint(searched.X)
        alarms += fit_alarms(
            *(self._selected_by, searched.X, searched.y, data.splits),
            groups=searched.routed.splitter.split.get("groups"),
            estimator=problem.estimator,
            fit_params=problem.fit_params,
        )
        report(alarms, self.leakage, stacklevel=5)

    def _look_at_test_set(self, problem: Problem) -> None:
        """Score the refitted model on the test set, if there is one."""
        held = problem.rows.held
        if held is not None:
            seen = look(self.best_estimator_, problem.scorer, held, problem.seed)
            self.test_score_ = seen.score
            self.test_score_interval_ = seen.interval
            self.test_indices_ = held.indices
            self.n_test_evaluations_ = 1
