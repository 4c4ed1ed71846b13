"""The scheduler contract: ask() -> Job, WAIT or DONE; tell(job, outcome).

A scheduler decides *how much* to spend on which trial. It is pure arithmetic over the
outcomes it was told: it knows no clock, files, processes or estimators.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from sk_hpo.rungs import Rung
from sk_hpo.samplers.base import Sampler
from sk_hpo.trial import Job, Outcome, Trial

__all__ = ["DONE", "WAIT", "Scheduler", "Signal", "Standing"]


class Signal(Enum):
    """An answer of `Scheduler.ask` that is not a job."""

    WAIT = "wait"  # nothing to do until an outstanding job is told
    DONE = "done"  # nothing to do ever again


WAIT = Signal.WAIT
DONE = Signal.DONE


@dataclass(frozen=True, slots=True)
class Standing:
    """A rung, and the trials that were brought to it, for display."""

    rung: Rung
    trials: tuple[int, ...]


class Scheduler(ABC):
    """Decides which trial to train next, and how far.

    Attributes
    ----------
    sampler : Sampler
        Bound; it suggests the configs and says why.
    trials : list of Trial
        History: ``trials[i].id == i``. Pending trials are in it too.
    synchronous : bool
        Whether the order in which outcomes arrive changes nothing. If it does, the plan is
        the least that happens.
    """

    synchronous: bool = True
    sampler: Sampler
    trials: list[Trial]

    @abstractmethod
    def ask(self) -> Job | Signal:
        """Return the next job, WAIT, or DONE. A job is returned once only."""

    @abstractmethod
    def tell(self, job: Job, outcome: Outcome) -> Iterable[int]:
        """Record the outcome of a job that `ask` returned.

        Returns
        -------
        retired : iterable of int
            Trials that no later job can take on, so that their state may be deleted.
        """

    def drop(self, job: Job, outcome: Outcome, resource: int) -> Iterable[int]:
        """Record that a job was given up, so that its trial must go no further.

        Parameters
        ----------
        job : Job
            That `ask` returned.
        outcome : Outcome
            What is known; its score may be an estimate.
        resource : int
            The resource that `outcome` is of, ``job.start < resource <= job.stop``.

        Returns
        -------
        retired : iterable of int
            As of `tell`; the trial is one of them.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot give up a job.")

    def note(self, job: Job, outcome: Outcome) -> None:
        """Record the outcome of a part of a job, which itself is still out.

        Parameters
        ----------
        job : Job
            The part; its `stop` says how far the trial was brought.
        outcome : Outcome
            What came of it.
        """
        self.trials[job.trial] = self.trials[job.trial].told(job.stop, outcome)

    @property
    def brackets(self) -> list[tuple[Standing, ...]]:
        """For each bracket that was opened, its rungs so far, lowest first."""
        return []

    @abstractmethod
    def plan(self) -> list[Rung]:
        """Return the rungs that will be run if nothing fails, in the order of asking."""
