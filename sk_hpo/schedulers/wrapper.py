"""A scheduler around a scheduler, which does the inner one's jobs in parts."""

from __future__ import annotations

from sk_hpo.rungs import Rung
from sk_hpo.schedulers.base import Scheduler, Standing
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

    def _planned(self, job: Job) -> int:
        """Return how many trials are planned for the rung of `job`."""
        return self._n_planned.get((job.bracket, job.rung), 1)

    def _places(self, job: Job) -> int:
        """Return how many of them go on; 1 at the top, where the best one counts."""
        return self._n_planned.get((job.bracket, job.rung + 1), 1)
