"""Job -> Outcome by cross-validation: the evaluator that the loop talks to.

It lives in the driver, turns a job into one task per fold, and owns the folder of paused
models: a loser's files go the moment it can no longer be promoted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from sk_hpo.evaluation.fold import FoldContext, FoldResult, FoldTask, run_folds
from sk_hpo.evaluation.paused import paused_path
from sk_hpo.trial import Call, Config, Job, Outcome

__all__ = ["CrossValidation", "Progress"]

# The most folds, of all candidates together, that one call trains.
_MOST = 64


class Progress(Protocol):
    """Who wants to know how far the search is."""

    def fold(self, job: Job, fold: int) -> Any:
        """Return the callback context for a fold that is about to be submitted."""

    def told(self, job: Job, outcome: Outcome) -> None:
        """Note that a job has its outcome."""


class CrossValidation:
    """Evaluates a job on every fold.

    Parameters
    ----------
    context : FoldContext
        What the folds share.
    params : callable
        Config -> parameters of the estimator.
    metric : str
        Which of several scores the search steers by; not used where there is one.
    n_trials : int
        How many trials are planned, for messages.
    progress : Progress or None, default=None
        Is told of every fold and every job.
    kin : callable or None, default=None
        Parameters -> what is equal for candidates that may be trained together; None if
        none may.
    slots : int, default=1
        How many calls run side by side.
    """

    def __init__(
        self,
        context: FoldContext,
        params: Callable[[Config], dict[str, Any]],
        metric: str,
        n_trials: int,
        progress: Progress | None = None,
        kin: Callable[[dict[str, Any]], Hashable] | None = None,
        slots: int = 1,
    ) -> None:
        self.context = context
        self._params = params
        self._metric = metric
        self._n_trials = n_trials
        self._progress = progress
        self._kin = kin
        self._slots = slots

    @property
    def appetite(self) -> int:
        """How many jobs it can make use of at once."""
        return 1 if self._kin is None else self._slots * max(1, _MOST // self._n_splits)

    def calls(self, jobs: Sequence[Job]) -> list[Call]:
        """Return a call per job and fold, or one for folds that may be trained together."""
        tasks = [self._tasks(job) for job in jobs]
        if self._kin is None:
            return [
                Call(run_folds, ([task],), ((i, part),))
                for i, of_job in enumerate(tasks)
                for part, task in enumerate(of_job)
            ]
        return [self._together(group, tasks) for group in self._groups(jobs)]

    def _groups(self, jobs: Sequence[Job]) -> list[list[int]]:
        """Return which jobs are done by one call: of a kin, and enough calls for all slots."""
        assert self._kin is not None
        kin: dict[Hashable, list[int]] = {}
        for i, job in enumerate(jobs):
            kin.setdefault(self._kin(self._params(job.config)), []).append(i)
        most = max(1, min(_MOST // self._n_splits, -(-len(jobs) // self._slots)))
        groups = []
        for alike in kin.values():
            n = -(-len(alike) // most)
            bounds = [k * len(alike) // n for k in range(n + 1)]
            groups += [alike[a:b] for a, b in pairwise(bounds)]
        return groups

    def _together(self, group: Sequence[int], tasks: Sequence[list[FoldTask]]) -> Call:
        parts = tuple((i, part) for i in group for part in range(len(tasks[i])))
        return Call(run_folds, ([tasks[i][part] for i, part in parts],), parts)

    def outcome(self, job: Job, values: Sequence[FoldResult]) -> Outcome:
        """Return mean and standard error of the validation scores."""
        scores = np.array([self._value(result.test_scores) for result in values])
        failure = next((e for r in values if (e := self._error(r))), None)
        # A number as error_score is for cv_results_: it must not promote who failed.
        finite = failure is None and bool(np.isfinite(scores).all())
        n = len(scores)
        at = dict(zip(self._folds(job), range(n), strict=True))
        places = [at.get(fold) for fold in range(self._n_splits)]
        outcome = Outcome(
            score=float(scores.mean()) if finite else math.nan,
            standard_error=float(scores.std(ddof=1) / n**0.5) if finite and n > 1 else math.nan,
            cost=sum(result.cost for result in values),
            failure=failure,
            folds=tuple(None if i is None else values[i] for i in places),
            scores=tuple(math.nan if i is None else float(scores[i]) for i in places),
        )
        if self._progress:
            self._progress.told(job, outcome)
        return outcome

    def release(self, trials: Iterable[int]) -> None:
        """Delete the paused models of `trials`."""
        for trial in trials:
            for fold in range(self._n_splits):
                paused_path(self.context.folder, trial, fold).unlink(missing_ok=True)

    @property
    def _n_splits(self) -> int:
        return len(self.context.splits)

    def _folds(self, job: Job) -> Sequence[int]:
        return range(self._n_splits) if job.folds is None else job.folds

    def _tasks(self, job: Job) -> list[FoldTask]:
        params = self._params(job.config)
        return [
            FoldTask(
                trial=job.trial,
                fold=fold,
                params=params,
                start=job.start,
                stop=job.stop,
                resumable=job.resumable,
                n_trials=self._n_trials,
                callbacks=self._progress.fold(job, fold) if self._progress else None,
            )
            for fold in self._folds(job)
        ]

    def _error(self, result: FoldResult) -> str | None:
        """Return why the fold has no score to steer by; other metrics may fail."""
        errors = result.score_errors
        return result.error or errors.get(self._metric) or errors.get("score")

    def _value(self, scores: Any) -> float:
        if isinstance(scores, dict):
            scores = scores.get(self._metric, next(iter(scores.values()), math.nan))
        return float(scores)
