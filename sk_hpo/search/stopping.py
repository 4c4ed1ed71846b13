"""When a search begins no more fits: its policy and its budget against the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from sk_hpo.stop import Milestone, StopPolicy, within_budget
from sk_hpo.trial import Job, Outcome, Trial

__all__ = ["Stopping"]


class Stopping:
    """Says to the loop when to stop.

    Parameters
    ----------
    policy : StopPolicy or None
        The search's `stop`.
    budget : float or None
        Its `time_budget`, in seconds.
    trials : sequence of Trial
        What its scheduler knows, at any time.
    top : int
        The highest resource.
    refit_to_fit : float
        Training time of the refits, over the training time of a fold of the same candidate.
    continues : bool
        Whether the training time of a candidate is that of all its rungs together.
    began : float
        When the search did, on that clock.
    clock : callable, default=time.monotonic
        Seconds, from any point.
    """

    def __init__(
        self,
        policy: StopPolicy | None,
        budget: float | None,
        trials: Sequence[Trial],
        *,
        top: int,
        refit_to_fit: float,
        continues: bool,
        began: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = policy.begin() if policy else None
        self._budget = budget
        self._trials = trials
        self._top = top
        self._refit_to_fit = refit_to_fit
        self._continues = continues
        self._clock = clock
        self._began = began
        self._reached: dict[int, int] = {}  # trial -> its resource when it was looked at last
        self._due: set[int] = set()  # trials with news that their scheduler has not told
        self._best: tuple[int, float, float] = (0, -np.inf, 0.0)  # resource, score, refit

    def __call__(self, job: Job | None, outcome: Outcome | None) -> str | None:
        """Return why nothing more shall be begun; None if there is no reason."""
        seconds = self._clock() - self._began
        reason = None
        if job is not None:
            self._due.add(job.trial)
            for trial in [self._trials[i] for i in self._due]:
                if trial.outcomes and trial.resource != self._reached.get(trial.id):
                    reason = self._look(trial, seconds) or reason
        if self._watch and reason is None:
            reason = self._watch.at(seconds)
        if self._budget is None or within_budget(self._budget, seconds, self._best[2]):
            return reason
        return reason or f"time_budget={self._budget}"

    def _look(self, trial: Trial, seconds: float) -> str | None:
        """Take note of the last outcome of a trial."""
        self._due.discard(trial.id)
        self._reached[trial.id] = trial.resource
        outcome = trial.outcome
        standing = (trial.resource, outcome.score)
        if not outcome.failed and standing > self._best[:2]:
            self._best = (*standing, self._refit_to_fit * self._seconds(trial))
        if self._watch is None:
            return None
        top = trial.resource >= self._top and None not in outcome.folds
        return self._watch.tell(Milestone(len(self._reached), seconds, outcome.score, top))

    def _seconds(self, trial: Trial) -> float:
        """Return how long the training of a fold of a trial took."""
        told = list(trial.outcomes.values()) if self._continues else [trial.outcome]
        return sum(
            float(np.mean([fold.fit_time for fold in outcome.folds if fold is not None]))
            for outcome in told
        )
