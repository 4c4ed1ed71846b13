"""Job -> Outcome by cross-validation: the evaluator that the loop talks to.

It lives in the driver, turns a job into one task per fold, and knows the files of paused
models: one goes when its model has gone on, and a loser's the moment it can no longer be
promoted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from sk_hpo.evaluation.fold import run_folds
from sk_hpo.evaluation.paused import paused_path, read, write
from sk_hpo.evaluation.records import FoldContext, FoldResult, FoldTask, failure
from sk_hpo.trial import Call, Config, Job, Outcome

__all__ = ["CrossValidation", "Progress"]

# The most folds, of all candidates together, that one call trains.
_MOST = 96


class Progress(Protocol):
    """Who wants to know how far the search is."""

    def fold(self, job: Job, fold: int) -> Any:
        """Return the callback context for a fold that is about to be submitted."""

    def told(self, job: Job, outcome: Outcome) -> None:
        """Note that a job has its outcome."""


@dataclass(frozen=True, slots=True)
class _Paused:
    """Where a fold's model stands: the resources it was paused at, and its file's digest."""

    rungs: tuple[int, ...] = ()
    digest: str = ""


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
        self._paused: dict[int, dict[int, _Paused]] = {}  # trial -> fold -> model

    @property
    def appetite(self) -> int:
        """How many jobs it can make use of at once."""
        return 1 if self._kin is None else self._slots * max(1, _MOST // self._n_splits)

    def n_parts(self, job: Job) -> int:
        """Return how many folds of the job there are to run."""
        return len(self.folds(job))

    def calls(self, jobs: Sequence[Job], known: Collection[tuple[int, int]] = ()) -> list[Call]:
        """Return a call per job and fold, or one for folds that may be trained together.

        Parameters
        ----------
        jobs : sequence of Job
            What is to be done.
        known : collection of (int, int), default=()
            Positions of a job and a part of it that need not be done.
        """
        tasks = {
            (i, part): task
            for i, job in enumerate(jobs)
            for part, task in self._tasks(job, [p for j, p in known if j == i])
        }
        if self._kin is None:
            return [Call(run_folds, ([task],), (part,)) for part, task in tasks.items()]
        groups = [[part for part in tasks if part[0] in group] for group in self._groups(jobs)]
        return [
            Call(run_folds, ([tasks[part] for part in parts],), tuple(parts))
            for parts in groups
            if parts
        ]

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

    def outcome(self, job: Job, values: Sequence[FoldResult]) -> Outcome:
        """Return mean and standard error of the validation scores."""
        scores = np.array([self._value(result.test_scores) for result in values])
        failure = next((e for r in values if (e := self._error(r))), None)
        # A number as error_score is for cv_results_: it must not promote who failed.
        finite = failure is None and bool(np.isfinite(scores).all())
        n = len(scores)
        at = dict(zip(self.folds(job), range(n), strict=True))
        places = [at.get(fold) for fold in range(self._n_splits)]
        outcome = Outcome(
            score=float(scores.mean()) if finite else math.nan,
            standard_error=float(scores.std(ddof=1) / n**0.5) if finite and n > 1 else math.nan,
            cost=sum(result.cost for result in values),
            failure=failure,
            folds=tuple(None if i is None else values[i] for i in places),
            scores=tuple(math.nan if i is None else float(scores[i]) for i in places),
        )
        if job.resumable and self.context.resource.continues:
            self._put_aside(job, values)
        if self._progress:
            self._progress.told(job, outcome)
        return outcome

    def arrived(self, job: Job, part: int, result: FoldResult, losses: int) -> FoldResult:
        """Take out of a result what a worker without our disk has sent along."""
        if losses:
            result = replace(result, losses=losses)
        if result.carried is None:
            return result
        path = paused_path(self.context.folder, job.trial, self.folds(job)[part], job.stop)
        digest = result.digest if write(path, result.carried) else ""
        return replace(result, digest=digest, carried=None)

    def lost(self, error: Exception, losses: int) -> FoldResult:
        """Return the result of a fold that could not be run; raise if that is asked for."""
        if self.context.error_score == "raise":
            raise error
        return replace(failure(self.context, f"{type(error).__name__}: {error}"), losses=losses)

    def release(self, trials: Iterable[int]) -> None:
        """Delete the paused models of `trials`."""
        for trial in trials:
            for fold, paused in self._paused.pop(trial, {}).items():
                self._unlink(trial, fold, paused)

    def files(self, begun: Iterable[tuple[Job, Mapping[int, FoldResult]]]) -> list[str]:
        """Return the names of the files of paused models that may be needed.

        Parameters
        ----------
        begun : iterable of (Job, mapping of int to FoldResult)
            Jobs that have no outcome yet, with the results of those parts that are done.
        """
        told = [
            (trial, fold, paused.rungs[-1])
            for trial, models in self._paused.items()
            for fold, paused in models.items()
            if paused.digest
        ]
        waiting = [
            (job.trial, self.folds(job)[part], job.stop)
            for job, results in begun
            for part, result in results.items()
            if result.digest
        ]
        return [paused_path(self.context.folder, *of).name for of in told + waiting]

    def _put_aside(self, job: Job, values: Sequence[FoldResult]) -> None:
        """Note where the models of a job are paused, and delete what they went on from."""
        models = self._paused.setdefault(job.trial, {})
        for fold, result in zip(self.folds(job), values, strict=True):
            before = models.get(fold, _Paused())
            self._unlink(job.trial, fold, before)
            models[fold] = _Paused((*before.rungs, job.stop), result.digest)

    def _carried(self, trial: int, fold: int, paused: _Paused) -> bytes | None:
        """Return a paused model for a worker that cannot read it."""
        if not paused.digest or self.context.shared_disk:
            return None
        return read(paused_path(self.context.folder, trial, fold, paused.rungs[-1]))

    def _unlink(self, trial: int, fold: int, paused: _Paused) -> None:
        if paused.digest:
            path = paused_path(self.context.folder, trial, fold, paused.rungs[-1])
            path.unlink(missing_ok=True)

    @property
    def _n_splits(self) -> int:
        return len(self.context.splits)

    def folds(self, job: Job) -> Sequence[int]:
        """Return which folds a job is about, in the order of its parts."""
        return range(self._n_splits) if job.folds is None else job.folds

    def _tasks(self, job: Job, known: Collection[int]) -> list[tuple[int, FoldTask]]:
        """Return the parts of a job that are not known, and what is to be done for each."""
        params = self._params(job.config)
        models = self._paused.get(job.trial, {})
        tasks = []
        for part, fold in enumerate(self.folds(job)):
            if part in known:
                continue
            paused = models.get(fold, _Paused()) if job.start else _Paused()
            task = FoldTask(
                trial=job.trial,
                fold=fold,
                params=params,
                start=job.start,
                stop=job.stop,
                resumable=job.resumable,
                n_trials=self._n_trials,
                callbacks=self._progress.fold(job, fold) if self._progress else None,
                rungs=paused.rungs,
                digest=paused.digest,
                carried=self._carried(job.trial, fold, paused),
            )
            tasks.append((part, task))
        return tasks

    def _error(self, result: FoldResult) -> str | None:
        """Return why the fold has no score to steer by; other metrics may fail."""
        errors = result.score_errors
        return result.error or errors.get(self._metric) or errors.get("score")

    def _value(self, scores: Any) -> float:
        if isinstance(scores, dict):
            scores = scores.get(self._metric, next(iter(scores.values()), math.nan))
        return float(scores)
