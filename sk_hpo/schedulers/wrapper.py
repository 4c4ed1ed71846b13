"""A scheduler around a scheduler, which does the inner one's jobs in parts."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque

from sk_hpo.rungs import Rung
from sk_hpo.schedulers.base import WAIT, Scheduler, Signal, Standing
from sk_hpo.trial import Job, Outcome, Trial

__all__ = ["Wrapper"]


class Wrapper(Scheduler):
    """Base of schedulers that leave trials, rungs and promotions to another one.

    Parameters
    ----------
    inner : Scheduler
        Decides about them.
    """

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self.sampler = inner.sampler
        self.synchronous = inner.synchronous
        self._n_planned = {(r.bracket, r.rung): r.n_trials for r in inner.plan()}
        self._ready: deque[Job] = deque()  # parts to be asked for
        self._out: dict[tuple[int, tuple[int, ...] | None], Job] = {}  # by trial and folds

    def ask(self) -> Job | Signal:
        """Return a further part of a job if there is one, else of a new job."""
        if not self._ready:
            answer = self.inner.ask()
            if not isinstance(answer, Job):
                return WAIT if self._out else answer
            self._begin(answer)
        job = self._ready.popleft()
        self._out[job.trial, job.folds] = job
        return job

    @property
    def trials(self) -> list[Trial]:  # type: ignore[override]
        """The inner scheduler's."""
        return self.inner.trials

    @property
    def brackets(self) -> list[tuple[Standing, ...]]:
        """The inner scheduler's."""
        return self.inner.brackets

    def plan(self) -> list[Rung]:
        """Return the inner scheduler's plan."""
        return self.inner.plan()

    def note(self, job: Job, outcome: Outcome) -> None:
        """Let the inner scheduler note it."""
        self.inner.note(job, outcome)

    @abstractmethod
    def _begin(self, job: Job) -> None:
        """Make ready the first part of a job of the inner scheduler, at least."""

    def _back(self, job: Job) -> None:
        """Note that a part has come back; ValueError if it is not outstanding."""
        if self._out.get((job.trial, job.folds)) != job:
            raise ValueError(f"{job} is not outstanding: never asked for, or told before.")
        del self._out[job.trial, job.folds]

    def _planned(self, job: Job) -> int:
        """Return how many trials are planned for the rung of `job`."""
        return self._n_planned.get((job.bracket, job.rung), 1)

    def _places(self, job: Job) -> int:
        """Return how many of them go on; 1 at the top, where the best one counts."""
        return self._n_planned.get((job.bracket, job.rung + 1), 1)
