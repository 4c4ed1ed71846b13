"""Stop a trial within a rung when its learning curve lags behind.

Golovin, Solnik, Moitra, Kochanski, Karro, Sculley: Google Vizier: A Service for Black-Box
Optimization, KDD 2017, section 3.2.1 (median stopping rule).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.wrapper import Wrapper
from sk_hpo.trial import Job, Outcome

__all__ = ["CurveScheduler", "checkpoints", "lags"]

_WAVES = 3


def checkpoints(start: int, stop: int) -> list[int]:
    """Return where a curve is looked at: a quarter and half of the way, and the end.

    Examples
    --------
    >>> checkpoints(0, 27), checkpoints(1, 3), checkpoints(0, 1)
    ([6, 13, 27], [2, 3], [1])
    """
    way = stop - start
    return sorted({start + way // 4, start + way // 2, stop} - {start})


def lags(curve: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    """Return whether a trial's best is strictly worse than the others' median average.

    Parameters
    ----------
    curve : sequence of float
        Scores of the trial at the first checkpoints.
    others : sequence of sequence of float
        Of trials that have come to the end, at these checkpoints and further ones; at
        least one.

    Examples
    --------
    >>> others = [(0.2, 0.6, 0.7), (0.4, 0.6, 0.8), (0.6, 0.8, 0.9)]
    >>> lags((0.3, 0.4), others), lags((0.5, 0.3), others)
    (True, False)
    """
    return max(curve) < median(fmean(other[: len(curve)]) for other in others)


@dataclass(slots=True)
class _Runner:
    """A job of the inner scheduler, on its way through its checkpoints."""

    job: Job
    position: int
    stops: list[int]
    curve: list[float] = field(default_factory=list)
    last: tuple[Job, Outcome] | None = None  # what is to be judged
    decided: bool = False


@dataclass(slots=True)
class _Field:
    """The runners of one rung, in the order in which the inner scheduler asked for them."""

    places: int
    wave: int
    runners: list[_Runner] = field(default_factory=list)
    n_passed: int = 0  # runners at the front about whom all is decided


class CurveScheduler(Wrapper):
    """Run the jobs of another scheduler in parts, and give up those that lag behind.

    A trial is looked at after a quarter and half of the way from one rung to the next, and
    dropped if `lags` says so, in comparison with those of its rung that have come to the
    end, of which there must be as many as go on.

    Around a synchronous scheduler, a rung runs in three waves or less, each of which is
    judged by those before it and the first by none, so that the number of workers changes
    nothing. First parts, which need no decision, are run meanwhile. Around an asynchronous
    one, a trial is judged by what is known.

    Parameters
    ----------
    inner : Scheduler
        Decides about trials and rungs; must know `Scheduler.drop`.
    """

    def __init__(self, inner: Scheduler) -> None:
        super().__init__(inner)
        self._fields: dict[tuple[int, int], _Field] = {}
        self._runners: dict[int, _Runner] = {}  # by trial, until the inner one is told

    def tell(self, job: Job, outcome: Outcome) -> Iterable[int]:
        """Record the outcome of a part; tell the inner scheduler what is decided.

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
        runner = self._runners[job.trial]
        if outcome.failed and job.stop < runner.job.stop:
            return [*self._give_up(runner, outcome, job.stop), *self._advance(runner)]
        runner.curve.append(outcome.score)
        if job.stop < runner.job.stop:
            runner.last = job, outcome
            return self._advance(runner)
        self._decided(runner)
        if outcome.failed:
            runner.curve.clear()
        return [*self.inner.tell(runner.job, outcome), *self._advance(runner)]

    def drop(self, job: Job, outcome: Outcome, resource: int) -> Iterable[int]:
        """Give up the job that `job` is a part of."""
        self._back(job)
        runner = self._runners[job.trial]
        return [*self._give_up(runner, outcome, resource), *self._advance(runner)]

    def _begin(self, job: Job) -> None:
        field = self._field(job)
        runner = _Runner(job, len(field.runners), checkpoints(job.start, job.stop))
        field.runners.append(runner)
        self._runners[job.trial] = runner
        self._run(runner, job.start)

    def _field(self, job: Job) -> _Field:
        key = (job.bracket, job.rung)
        if key not in self._fields:
            third = -(-self._planned(job) // _WAVES)
            places = self._places(job)
            self._fields[key] = _Field(places, max(places, third))
        return self._fields[key]

    def _run(self, runner: _Runner, start: int) -> None:
        stop = runner.stops[len(runner.curve)]
        resumable = runner.job.resumable or stop < runner.job.stop
        self._ready.append(replace(runner.job, start=start, stop=stop, resumable=resumable))

    def _advance(self, runner: _Runner) -> list[int]:
        """Judge whoever can be judged now."""
        field = self._field(runner.job)
        if not self.synchronous:
            return self._judge(field, runner)
        retired: list[int] = []
        passed = -1
        while passed < field.n_passed:
            passed = field.n_passed
            end = (passed // field.wave + 1) * field.wave
            for one in field.runners[passed:end]:
                retired += self._judge(field, one)
            while field.n_passed < len(field.runners) and field.runners[field.n_passed].decided:
                field.n_passed += 1
        return retired

    def _judge(self, field: _Field, runner: _Runner) -> list[int]:
        if runner.last is None:
            return []
        (job, outcome), runner.last = runner.last, None
        first = runner.position // field.wave * field.wave
        known = field.runners[:first] if self.synchronous else field.runners
        others = [one.curve for one in known if one.decided and one.curve]
        if len(others) >= field.places and lags(runner.curve, others):
            return self._give_up(runner, outcome, job.stop)
        self.inner.note(job, outcome)
        self._run(runner, job.stop)
        return []

    def _give_up(self, runner: _Runner, outcome: Outcome, resource: int) -> list[int]:
        self._decided(runner)
        runner.curve.clear()
        return list(self.inner.drop(runner.job, outcome, resource))

    def _decided(self, runner: _Runner) -> None:
        runner.decided = True
        runner.last = None
        del self._runners[runner.job.trial]
