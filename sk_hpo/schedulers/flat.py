"""No schedule: every trial is one job, trained to the same resource."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from sk_hpo.rungs import Rung
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler, Signal
from sk_hpo.schedulers.history import History
from sk_hpo.trial import Job, Outcome

__all__ = ["FlatScheduler"]

_FIRST_CHUNK = 64


class FlatScheduler(Scheduler):
    """Run `n_trials` configs, each once.

    A sampler that uses history is asked for `batch` configs when all earlier ones have
    been told, so that results do not depend on the number of workers. One that does not
    is never waited for.

    Parameters
    ----------
    sampler : Sampler
        Bound. If its finite space is exhausted, the search ends early.
    n_trials : int
        At least 1.
    batch : int or None, default=None
        Configs per suggestion of a sampler that uses history; None means 1.
    resource : int, default=1
        Resource that each trial is trained to.

    Raises
    ------
    ValueError
        If a number is less than 1.
    """

    def __init__(
        self, sampler: Sampler, n_trials: int, batch: int | None = None, resource: int = 1
    ) -> None:
        batch = 1 if batch is None else batch
        for name, value in (("n_trials", n_trials), ("batch", batch), ("resource", resource)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}.")
        self.sampler = sampler
        self.n_trials = n_trials
        self.batch = batch
        self.resource = resource
        self._history = History()
        self.trials = self._history.trials
        self._ready: deque[int] = deque()
        self._exhausted = False

    def ask(self) -> Job | Signal:
        """Return the next trial's job; WAIT while a batch is out; DONE when all are told."""
        waits = self.sampler.uses_history and self._history.outstanding
        if not (self._ready or self._exhausted or waits):
            self._suggest()
        if self._ready:
            trial = self.trials[self._ready.popleft()]
            return self._history.issue(Job(trial.id, trial.config, 0, self.resource))
        return WAIT if self._history.outstanding else DONE

    def tell(self, job: Job, outcome: Outcome) -> Iterable[int]:
        """Record an outcome; the trial retires. ValueError if `job` is not outstanding."""
        self._history.record(job, outcome)
        return (job.trial,)

    def drop(self, job: Job, outcome: Outcome, resource: int) -> Iterable[int]:
        """Record what is known of a trial that was given up; see `Scheduler.drop`."""
        self._history.record(job, outcome, resource)
        return (job.trial,)

    def plan(self) -> list[Rung]:
        """Return the one rung."""
        n_trials = int(min(self.n_trials, self.sampler.space.size))
        return [Rung(0, 0, n_trials, 0, self.resource)] if n_trials else []

    def _suggest(self) -> None:
        # Without history, chunks grow with what is there: a sampler that reads all earlier
        # trials at each call costs O(n_trials) in total, and a search that is cut short has
        # not sampled millions in vain. Their sizes depend on nothing but n_trials.
        chunk = self.batch if self.sampler.uses_history else max(_FIRST_CHUNK, len(self.trials))
        n = min(chunk, self.n_trials - len(self.trials))
        if n:
            configs = self.sampler.suggest(self.trials, n)
            reasons = self.sampler.explain(self.trials, configs)
            self._ready.extend(self._history.enrol(configs, reasons))
            self._exhausted = len(configs) < n
        else:
            self._exhausted = True
