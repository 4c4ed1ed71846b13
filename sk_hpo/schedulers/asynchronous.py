"""Asynchronous Hyperband: its brackets one after the other, and no rung is waited for.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: A System for
Massively Parallel Hyperparameter Tuning, MLSys 2020, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from heapq import heappop, heappush

from sk_hpo.rungs import Rung, exact_factor
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler, Signal, Standing
from sk_hpo.schedulers.climb import Climb
from sk_hpo.schedulers.history import History
from sk_hpo.schedulers.plans import by_bracket, cut
from sk_hpo.trial import Job, Outcome

__all__ = ["AsynchronousHyperbandScheduler"]


class AsynchronousHyperbandScheduler(Scheduler):
    """Promote whoever is among the best ``1 / factor`` of a rung, as soon as that is seen.

    The earliest bracket that has somebody to promote goes first, and in it the highest
    rung. When nobody can be promoted, a new trial starts in the first bracket that is not
    full: a worker waits only when all trials of all brackets have started. When all that
    may come to a rung have, as many go on from there as are planned, though that be more
    than ``1 / factor`` of them; so one trial of each bracket has the whole resource, unless
    it fails. Ties go to the lower id.

    The order of `tell` settles everything; with several workers, it is not reproducible.

    Parameters
    ----------
    sampler : Sampler
        Bound; asked for one config at a time. If its finite space is exhausted, no more
        trials start.
    rungs : sequence of Rung
        Of one or more brackets, each bracket's rungs together and lowest first, see
        `sk_hpo.rungs.hyperband_rungs`. On rungs other than the lowest, `n_trials` is how
        many are brought there at least, unless trials fail.
    factor : int, float or Fraction
        Greater than 1, the paper's eta.

    Raises
    ------
    ValueError
        If there is no rung, a bracket's rungs are not in order, or `factor` is out of
        range.

    Examples
    --------
    >>> from sk_hpo.rungs import hyperband_rungs
    >>> from sk_hpo.samplers.random import RandomSampler
    >>> from sk_hpo.space.space import Space
    >>> sampler = RandomSampler().bind(Space({"x": list(range(100))}), seed=0)
    >>> scheduler = AsynchronousHyperbandScheduler(sampler, hyperband_rungs(1, 9, 3), factor=3)
    >>> for score in (0.2, 0.3, 0.1):
    ...     job = scheduler.ask()
    ...     _ = scheduler.tell(job, Outcome(score))
    >>> job = scheduler.ask()
    >>> job.trial, job.start, job.stop
    (1, 1, 3)
    """

    synchronous = False

    def __init__(
        self, sampler: Sampler, rungs: Sequence[Rung], factor: float | Fraction
    ) -> None:
        self.sampler = sampler
        self._planned = by_bracket(rungs)
        self._eta = exact_factor(factor)
        self._history = History()
        self.trials = self._history.trials
        self._climbs: list[Climb] = []  # of the brackets that were opened
        self._position: dict[int, int] = {}  # bracket -> position in _climbs
        self._ready: list[int] = []  # heap of the positions of those with promotions, and more
        self._fresh: int | None = None  # enrolled, and not asked for yet
        self._exhausted = False
        self._retired: list[int] = []  # to be returned by the next `tell`

    @property
    def brackets(self) -> list[tuple[Standing, ...]]:
        """For each bracket that was opened, its rungs so far, lowest first."""
        return [
            tuple(
                Standing(replace(rung, n_trials=len(trials)), tuple(trials))
                for rung, trials in zip(climb.rungs, climb.brought, strict=True)
                if trials
            )
            for climb in self._climbs
        ]

    def ask(self) -> Job | Signal:
        """Return a promotion if there is one, else a new trial's job, else WAIT or DONE."""
        promotion = self._promotion()
        if promotion is None:
            self._draw()
            if self._fresh is not None:
                trial, self._fresh = self._fresh, None
                self._climbs[-1].start(trial)
                return self._job(self._climbs[-1], trial, 0)
            promotion = self._promotion()  # that no more trials come may be news
        if promotion is None:
            return WAIT if self._history.outstanding else DONE
        climb, trial, rung = promotion
        climb.promote(trial, rung)
        return self._job(climb, trial, rung)

    def tell(self, job: Job, outcome: Outcome) -> Iterable[int]:
        """Record an outcome.

        Raises
        ------
        ValueError
            If `job` is not outstanding.

        Returns
        -------
        retired : list of int
            A failed trial and one at the top rung at once; others as soon as too many of
            their rung are better, whatever is still to come.
        """
        self._history.record(job, outcome)
        return self._settle(job, outcome.score)

    def drop(self, job: Job, outcome: Outcome, resource: int) -> Iterable[int]:
        """Record that a trial was given up; it counts as one that was not among the best."""
        self._history.record(job, outcome, resource)
        return self._settle(job, math.nan)

    def plan(self) -> list[Rung]:
        """Return the rungs bracket by bracket, cut to the size of a finite space.

        No rung gets fewer trials if nothing fails. It may get more: who is among the best
        for now is promoted, though better ones may come.
        """
        return cut(self._planned, self.sampler.space.size)

    def _job(self, climb: Climb, trial: int, rung: int) -> Job:
        to = climb.rungs[rung]
        return self._history.issue(
            Job(
                trial=trial,
                config=self.trials[trial].config,
                start=to.start,
                stop=to.resource,
                bracket=to.bracket,
                rung=rung,
                resumable=rung < len(climb.rungs) - 1,
            )
        )

    def _promotion(self) -> tuple[Climb, int, int] | None:
        """Return the first bracket that has a trial to promote, the trial, and to where."""
        while self._ready:
            climb = self._climbs[self._ready[0]]
            if (step := climb.promotable) is not None:
                return climb, *step
            heappop(self._ready)
        return None

    def _draw(self) -> None:
        """Have a new trial at hand, unless there are none to come."""
        if self._fresh is not None or self._exhausted:
            return
        full = not self._climbs or not self._climbs[-1].n_coming
        last = len(self._climbs) == len(self._planned)
        configs = [] if full and last else self.sampler.suggest(self.trials, 1)
        if not configs:
            self._exhausted = True
            if not full:
                self._retired += self._climbs[-1].close()
                heappush(self._ready, len(self._climbs) - 1)
            return
        reasons = self.sampler.explain(self.trials, configs)
        if full:
            self._open(self._planned[len(self._climbs)])
        bracket = self._climbs[-1].rungs[0].bracket
        [self._fresh] = self._history.enrol(configs, reasons, bracket)

    def _open(self, rungs: Sequence[Rung]) -> None:
        self._position[rungs[0].bracket] = len(self._climbs)
        self._climbs.append(Climb(rungs, self._eta))

    def _settle(self, job: Job, score: float) -> list[int]:
        position = self._position[job.bracket]
        climb = self._climbs[position]
        self._retired += climb.tell(job.trial, job.rung, score)
        if climb.promotable is not None:
            heappush(self._ready, position)
        if not self._history.outstanding and self._promotion() is None:
            self._draw()  # who is retired if none are to come must be told now
        retired, self._retired = self._retired, []
        return retired
