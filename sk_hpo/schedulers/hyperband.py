"""Successive halving and Hyperband, synchronous within each rung.

Jamieson, Talwalkar: Non-stochastic Best Arm Identification and Hyperparameter
Optimization, AISTATS 2016. Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband, JMLR
18 (2018), Algorithm 1. With a sampler that uses history, this is BOHB: Falkner, Klein,
Hutter, ICML 2018.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

from sk_hpo.rungs import Bracket, Rung
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler, Signal, Standing
from sk_hpo.schedulers.history import History
from sk_hpo.schedulers.plans import by_bracket, cut
from sk_hpo.trial import Job, Outcome

__all__ = ["HyperbandScheduler"]


class HyperbandScheduler(Scheduler):
    """Run the brackets of `sk_hpo.rungs.hyperband_rungs`.

    The lowest rung of a bracket is sampled in one call. With a sampler that uses history,
    that happens when all earlier brackets are complete. With one that does not, it happens
    when a worker would idle otherwise; since brackets are opened in order and suggestions
    ignore outcomes, ids and configs are the same whenever that is.

    In a finite space a bracket takes what is left of it, and a bracket for which nothing
    is left is skipped.

    Parameters
    ----------
    sampler : Sampler
        Bound.
    rungs : sequence of Rung
        Of one or more brackets, each bracket's rungs together and lowest first.

    Raises
    ------
    ValueError
        If there is no rung, or a bracket's rungs are not in order.
    """

    def __init__(self, sampler: Sampler, rungs: Sequence[Rung]) -> None:
        self.sampler = sampler
        self._planned = by_bracket(rungs)
        self._history = History()
        self.trials = self._history.trials
        self._next = 0  # position in _planned of the bracket to be opened next
        self._brackets: list[Bracket] = []
        self._bracket_of: dict[int, int] = {}  # trial -> position in _brackets
        self._running = 0  # brackets that are open and not done
        self._queues: list[deque[int]] = []  # per bracket: trials to be asked for
        self._ready: list[int] = []  # heap of the brackets whose queue is not empty

    @property
    def brackets(self) -> list[tuple[Standing, ...]]:
        """For each bracket that was opened, its rungs so far, lowest first."""
        return [
            tuple(map(Standing, bracket.rungs, map(tuple, bracket.standing)))
            for bracket in self._brackets
        ]

    def ask(self) -> Job | Signal:
        """Return a job of the earliest bracket that has one, else WAIT or DONE."""
        while not self._ready and self._next < len(self._planned):
            if self.sampler.uses_history and self._running:
                break
            self._open()
        if not self._ready:
            return WAIT if self._history.outstanding else DONE
        position = self._ready[0]
        queue = self._queues[position]
        trial = self.trials[queue.popleft()]
        if not queue:
            heappop(self._ready)
        bracket = self._brackets[position]
        rung = bracket.rung
        return self._history.issue(
            Job(
                trial=trial.id,
                config=trial.config,
                start=rung.start,
                stop=rung.resource,
                bracket=rung.bracket,
                rung=rung.rung,
                resumable=rung is not bracket.rungs[-1],
            )
        )

    def tell(self, job: Job, outcome: Outcome) -> Iterable[int]:
        """Record an outcome; promote when the rung is complete.

        Raises
        ------
        ValueError
            If `job` is not outstanding.

        Returns
        -------
        retired : tuple of int
            A failed trial and one at the top rung at once; on a completed rung, those
            that were not promoted.
        """
        self._history.record(job, outcome)
        return self._settle(job.trial, outcome.score)

    def drop(self, job: Job, outcome: Outcome, resource: int) -> Iterable[int]:
        """Record that a trial was given up; its place on the rung stays empty."""
        self._history.record(job, outcome, resource)
        return self._settle(job.trial, math.nan)

    def plan(self) -> list[Rung]:
        """Return the rungs bracket by bracket, cut to the size of a finite space."""
        return cut(self._planned, self.sampler.space.size)

    def _settle(self, trial: int, score: float) -> tuple[int, ...]:
        position = self._bracket_of[trial]
        bracket = self._brackets[position]
        verdict = bracket.tell(trial, score)
        for retired in verdict.retired:
            del self._bracket_of[retired]
        self._queue(position, verdict.promoted)
        if bracket.done:
            self._running -= 1
        return verdict.retired

    def _open(self) -> None:
        rungs = self._planned[self._next]
        self._next += 1
        configs = self.sampler.suggest(self.trials, rungs[0].n_trials)
        if not configs:
            self._next = len(self._planned)  # the space is exhausted for later ones too
            return
        reasons = self.sampler.explain(self.trials, configs)
        trials = self._history.enrol(configs, reasons, rungs[0].bracket)
        position = len(self._brackets)
        self._brackets.append(Bracket(rungs, trials))
        self._bracket_of.update(dict.fromkeys(trials, position))
        self._running += 1
        self._queues.append(deque())
        self._queue(position, trials)

    def _queue(self, position: int, trials: Sequence[int]) -> None:
        # Trials come only when the rung below has been told in full: until then the queue
        # is empty, and the bracket is not in the heap.
        if trials:
            self._queues[position].extend(trials)
            heappush(self._ready, position)
