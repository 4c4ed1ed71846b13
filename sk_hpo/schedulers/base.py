"""The scheduler contract: ask() -> Job, WAIT or DONE; tell(job, outcome).

A scheduler decides *how much* to spend on which trial. It is pure arithmetic over the
outcomes it was told: it knows no clock, files, processes or estimators.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import Enum

from sk_hpo.rungs import Rung
from sk_hpo.samplers.base import Sampler
from sk_hpo.trial import Job, Outcome, Trial

__all__ = ["DONE", "WAIT", "Scheduler", "Signal"]


class Signal(Enum):
    """An answer of `Scheduler.ask` that is not a job."""

    WAIT = "wait"  # nothing to do until an outstanding job is told
    DONE = "done"  # nothing to do ever again


WAIT = Signal.WAIT
DONE = Signal.DONE


class Scheduler(ABC):
    """Decides which trial to train next, and how far.

    Attributes
    ----------
    sampler : Sampler
        Bound; it suggests the configs and says why.
    trials : list of Trial
        History: ``trials[i].id == i``. Pending trials are in it too.
    """

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

    @abstractmethod
    def plan(self) -> list[Rung]:
        """Return the rungs that will be run if nothing fails, in the order of asking."""
