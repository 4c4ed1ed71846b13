"""Asynchronous successive halving.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: A System for
Massively Parallel Hyperparameter Tuning, MLSys 2020, Algorithm 2.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from sk_hpo.rungs import Rung, exact_factor
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler, Signal, Standing
from sk_hpo.schedulers.history import History
from sk_hpo.trial import Job, Outcome

__all__ = ["ASHAScheduler"]


@dataclass(slots=True)
class _Level:
    """A rung: who was brought to it, and how they did."""

    brought: list[int] = field(default_factory=list)
    n_told: int = 0  # failures included
    n_out: int = 0
    # Both sorted by (-score, trial), so the best comes first.
    scored: list[tuple[float, int]] = field(default_factory=list)
    paused: list[tuple[float, int]] = field(default_factory=list)  # neither gone on nor out


class ASHAScheduler(Scheduler):
    """Promote whoever is among the best ``1 / factor`` of a rung, as soon as that is seen.

    No rung is waited for. When nobody can be promoted, a new trial starts on the lowest
    rung. When all trials have started, those that are still to be promoted are; then, as
    long as nobody has been to the top, the best of the highest rung goes on, so that one
    trial has the whole resource, unless it fails. Ties go to the lower id.

    The order of `tell` settles everything; with several workers, it is not reproducible.

    Parameters
    ----------
    sampler : Sampler
        Bound; asked for one config at a time. If its finite space is exhausted, no more
        trials start.
    n_trials : int
        How many trials start, at least 1.
    resources : sequence of int
        Resource of each rung, strictly increasing, see `sk_hpo.rungs.ladder`. The paper's
        early-stopping rate s is to leave out the s lowest ones.
    factor : int, float or Fraction
        Greater than 1, the paper's eta.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from sk_hpo.samplers.random import RandomSampler
    >>> from sk_hpo.space.space import Space
    >>> sampler = RandomSampler().bind(Space({"x": list(range(100))}), seed=0)
    >>> scheduler = ASHAScheduler(sampler, n_trials=9, resources=(1, 3, 9), factor=3)
    >>> for score in (0.2, 0.3, 0.1):
    ...     job = scheduler.ask()
    ...     _ = scheduler.tell(job, Outcome(score))
    >>> job = scheduler.ask()
    >>> job.trial, job.start, job.stop
    (1, 1, 3)
    """

    synchronous = False

    def __init__(
        self,
        sampler: Sampler,
        n_trials: int,
        resources: Sequence[int],
        factor: float | Fraction,
    ) -> None:
        if n_trials < 1:
            raise ValueError(f"n_trials must be at least 1, got {n_trials!r}.")
        if not resources or [0, *resources] != sorted({0, *resources}):
            raise ValueError(f"resources must increase from at least 1, got {resources!r}.")
        self.sampler = sampler
        self.n_trials = n_trials
        self.resources = tuple(resources)
        self._eta = exact_factor(factor)
        self._history = History()
        self.trials = self._history.trials
        self._levels = [_Level() for _ in self.resources]
        self._fresh: int | None = None  # enrolled, and not asked for yet
        self._exhausted = False

    @property
    def brackets(self) -> list[tuple[Standing, ...]]:
        """The one bracket: its rungs so far, lowest first, empty if no trial started."""
        standing = tuple(
            Standing(self._rung(i, len(level.brought)), tuple(level.brought))
            for i, level in enumerate(self._levels)
            if level.brought
        )
        return [standing] if standing else []

    def ask(self) -> Job | Signal:
        """Return a promotion if there is one, else a new trial's job, else WAIT or DONE."""
        step = self._next()
        if step is None:
            return WAIT if self._history.outstanding else DONE
        trial, to = step
        if to:
            del self._levels[to - 1].paused[0]
        else:
            self._fresh = None
        level = self._levels[to]
        level.brought.append(trial)
        level.n_out += 1
        rung = self._rung(to, 1)
        return self._history.issue(
            Job(
                trial=trial,
                config=self.trials[trial].config,
                start=rung.start,
                stop=rung.resource,
                rung=to,
                resumable=to < len(self._levels) - 1,
            )
        )

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
        """Return the rungs of successive halving, with one trial at least on each.

        No rung gets fewer trials if nothing fails. It may get more: who is among the best
        for now is promoted, though better ones may come.
        """
        n_trials = int(min(self.n_trials, self.sampler.space.size))
        if not n_trials:
            return []
        rungs = [self._rung(0, n_trials)]
        for i in range(1, len(self.resources)):
            rungs.append(self._rung(i, max(1, self._places(rungs[-1].n_trials))))
        return rungs

    def _rung(self, i: int, n_trials: int) -> Rung:
        return Rung(0, i, n_trials, self.resources[i - 1] if i else 0, self.resources[i])

    def _places(self, n: int) -> int:
        return math.floor(n / self._eta)

    def _next(self) -> tuple[int, int] | None:
        """Return a trial, and the rung that it is to be brought to next."""
        return self._promotable() or self._new() or self._last()

    def _promotable(self) -> tuple[int, int] | None:
        for k in reversed(range(len(self._levels) - 1)):  # line 13
            level = self._levels[k]
            if level.paused:
                best = level.paused[0]
                # lines 14-16: the best that is paused is among the top |rung k| / eta
                if bisect_left(level.scored, best) < self._places(level.n_told):
                    return best[1], k + 1
        return None

    def _new(self) -> tuple[int, int] | None:
        if self._fresh is None and not self._exhausted:
            left = self.n_trials - len(self.trials)
            configs = self.sampler.suggest(self.trials, 1) if left else []
            if configs:
                reasons = self.sampler.explain(self.trials, configs)
                [self._fresh] = self._history.enrol(configs, reasons)
            self._exhausted = not configs
        return None if self._fresh is None else (self._fresh, 0)

    def _last(self) -> tuple[int, int] | None:
        """Return the best of the highest rung reached, if that is not the top."""
        if self._history.outstanding:
            return None
        reached = [k for k, level in enumerate(self._levels) if level.brought]
        if not reached or not self._levels[reached[-1]].paused:
            return None
        return self._levels[reached[-1]].paused[0][1], reached[-1] + 1

    def _settle(self, job: Job, score: float) -> list[int]:
        level = self._levels[job.rung]
        level.n_out -= 1
        level.n_told += 1
        retired = []
        if math.isfinite(score):
            insort(level.scored, (-score, job.trial))
        if math.isfinite(score) and job.resumable:
            insort(level.paused, (-score, job.trial))
        else:
            retired.append(job.trial)
        retired += self._beaten()
        if not self._history.outstanding and self._next() is None:
            for level in self._levels:
                retired += [trial for _, trial in level.paused]
                level.paused.clear()
        return retired

    def _beaten(self) -> list[int]:
        """Take out and return the paused trials that no turn of events can promote."""
        beaten = []
        coming = 0 if self._exhausted else self.n_trials - len(self.trials)
        coming += self._fresh is not None
        for level in self._levels[:-1]:
            coming += level.n_out  # how many may still be told on this rung
            places = max(1, self._places(level.n_told + coming))
            while level.paused and bisect_left(level.scored, level.paused[-1]) >= places:
                beaten.append(level.paused.pop()[1])
            coming += len(level.paused)
        return beaten
