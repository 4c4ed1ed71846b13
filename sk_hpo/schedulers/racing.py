"""Fold by fold: a scheduler around a scheduler that says which folds are run, and when.

The inner scheduler decides about trials and resources as if a job were one thing. Here it
is cut into folds by a layout, and given up early by a rule, if there is one.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.folds import Layout, Step, together
from sk_hpo.schedulers.rules import FloatArray, Rule
from sk_hpo.schedulers.wrapper import Wrapper
from sk_hpo.trial import Job, Outcome

__all__ = ["FoldScheduler"]


@dataclass(slots=True)
class _Entrant:
    """A job of the inner scheduler, on its way through its folds."""

    job: Job
    steps: list[Step]
    scores: dict[int, float] = field(default_factory=dict)
    results: dict[int, Any] = field(default_factory=dict)
    cost: float = 0.0
    failure: str | None = None
    broken: float | None = None  # the score of the first part that failed
    n_begun: int = 0  # steps
    n_out: int = 0  # jobs
    told: bool = False

    @property
    def sound(self) -> bool:
        """Whether every score so far can be compared with others."""
        return self.broken is None

    @property
    def complete(self) -> bool:
        """Whether every fold has come back, or one of them failed."""
        return not self.n_out and (self.n_begun == len(self.steps) or not self.sound)

    def array(self) -> FloatArray:
        """Return the scores in the order of folds."""
        return np.array([self.scores[fold] for fold in sorted(self.scores)])

    def outcome(self, n_splits: int, estimate: float | None = None) -> Outcome:
        """Return what is known; `estimate` stands in for the mean over all folds."""
        score, error = self.broken, math.nan
        if score is None:
            scores = self.array()
            n = len(scores)
            score = float(scores.mean()) if estimate is None else estimate
            error = float(scores.std(ddof=1) / n**0.5) if n > 1 else math.nan
        return Outcome(
            score=score,
            standard_error=error,
            cost=self.cost,
            failure=self.failure,
            folds=tuple(self.results.get(fold) for fold in range(n_splits)),
            scores=tuple(self.scores.get(fold, math.nan) for fold in range(n_splits)),
        )


@dataclass(slots=True)
class _Race:
    """The entrants of one rung, in the order in which the inner scheduler asked for them."""

    places: int
    entrants: list[_Entrant] = field(default_factory=list)
    n_passed: int = 0  # entrants at the front about whom all is decided
    # (-mean, trial, scores) of those that ran all folds, best first
    standing: list[tuple[float, int, FloatArray]] = field(default_factory=list)

    def enter(self, entrant: _Entrant) -> None:
        """Note that `entrant` has run all folds."""
        scores = entrant.array()
        insort(self.standing, (-float(scores.mean()), entrant.job.trial, scores))

    @property
    def rival(self) -> FloatArray | None:
        """The scores of who holds the last place that counts, None while one is free."""
        return self.standing[self.places - 1][2] if self.places <= len(self.standing) else None


class FoldScheduler(Wrapper):
    """Run the jobs of another scheduler fold by fold.

    With a rule, this is a race. The first folds of a trial are run, and its further ones
    one by one, as long as the rule does not find it beaten by the trial that holds the last
    place on its rung (the incumbent, where only the best one counts). Who is beaten is
    dropped: the inner scheduler is told to take it no further, and its score is estimated
    as the rival's mean plus the mean difference on the folds that both ran, which is less
    than the rival's.

    Around a synchronous scheduler, decisions are those of a race one after the other in the
    order of its asking, however many workers there are: a trial is judged when all before
    it on its rung have been. First folds, which need no decision, are run meanwhile. Around
    an asynchronous one, a trial is judged by what is known.

    Parameters
    ----------
    inner : Scheduler
        Decides about trials and resources; must know `Scheduler.drop` if there is a rule.
    layout : Layout
        Which folds a job is made of.
    rule : Rule or None, default=None
        When to drop a trial; None for never.
    """

    def __init__(self, inner: Scheduler, layout: Layout, rule: Rule | None = None) -> None:
        super().__init__(inner)
        self.layout = layout
        self.rule = rule
        self._races: dict[tuple[int, int, int], _Race] = {}
        self._entrants: dict[int, _Entrant] = {}  # by trial, until the inner one is told

    def tell(self, job: Job, outcome: Outcome) -> Iterable[int]:
        """Record the outcome of some folds; tell the inner scheduler what is decided.

        Raises
        ------
        ValueError
            If `job` is not outstanding.

        Returns
        -------
        retired : list of int
            What the inner scheduler said, about every trial that was decided by this.
        """
        self._back(job)
        entrant = self._entrants[job.trial]
        entrant.n_out -= 1
        entrant.cost += outcome.cost
        entrant.failure = entrant.failure or outcome.failure
        if outcome.failed and entrant.sound:
            entrant.broken = outcome.score
        for fold in job.folds or ():
            entrant.scores[fold] = outcome.scores[fold]
            entrant.results[fold] = outcome.folds[fold] if outcome.folds else None
        return self._decide(entrant)

    def _begin(self, job: Job) -> None:
        race = self._race(job)
        entrant = _Entrant(job, self.layout.steps(job.start, job.stop))
        if self.layout.carries and job.start:
            earlier = self.trials[job.trial].outcomes[job.start]
            for fold in range(job.start):
                entrant.scores[fold] = earlier.scores[fold]
                entrant.results[fold] = earlier.folds[fold]
        self._entrants[job.trial] = entrant
        # The first ones have no rival ever, as long as they are judged in order.
        free = self.rule is None or (self.synchronous and len(race.entrants) < race.places)
        race.entrants.append(entrant)
        self._run(entrant, None if free or self.rule is None else self.rule.least)

    def _race(self, job: Job) -> _Race:
        # Of several jobs on one rung, each stop has a race of its own.
        key = (job.bracket, job.rung, job.stop)
        if key not in self._races:
            self._races[key] = _Race(self._places(job))
        return self._races[key]

    def _run(self, entrant: _Entrant, n: int | None) -> None:
        """Make jobs of the next `n` steps; None for all that are left."""
        stop = len(entrant.steps) if n is None else entrant.n_begun + n
        groups = together(entrant.steps[entrant.n_begun : stop])
        entrant.n_begun = min(stop, len(entrant.steps))
        entrant.n_out = len(groups)
        for steps in groups:
            self._ready.append(
                replace(
                    entrant.job,
                    start=steps[0].start,
                    stop=steps[0].stop,
                    resumable=entrant.job.resumable and not self.layout.carries,
                    folds=tuple(step.fold for step in steps),
                )
            )

    def _decide(self, entrant: _Entrant) -> list[int]:
        retired: list[int] = []
        race = self._race(entrant.job)
        if entrant.complete:
            retired += self._finish(entrant)
        if self.rule is None:
            return retired
        if not self.synchronous:
            return [*retired, *self._judge(race, entrant)]
        while race.n_passed < len(race.entrants) and not race.entrants[race.n_passed].n_out:
            front = race.entrants[race.n_passed]
            retired += self._judge(race, front)
            if not front.told:
                break
            race.n_passed += 1
        return retired

    def _finish(self, entrant: _Entrant) -> Iterable[int]:
        entrant.told = True
        del self._entrants[entrant.job.trial]
        return self.inner.tell(entrant.job, entrant.outcome(self.layout.n_splits))

    def _judge(self, race: _Race, entrant: _Entrant) -> Iterable[int]:
        """Let an idle entrant into the standing, run on, or drop out."""
        assert self.rule is not None
        if entrant.n_out:
            return ()
        if entrant.told:
            if entrant.sound:
                race.enter(entrant)
            return ()
        rival, mine = race.rival, entrant.array()
        if rival is None:
            self._run(entrant, None if self.synchronous else 1)
        elif not self.rule.beaten(mine, rival):
            self._run(entrant, 1)
        else:
            estimate = float(rival.mean() + (mine - rival[: len(mine)]).mean())
            entrant.told = True
            del self._entrants[entrant.job.trial]
            outcome = entrant.outcome(self.layout.n_splits, estimate)
            return self.inner.drop(entrant.job, outcome, entrant.job.stop)
        return ()
