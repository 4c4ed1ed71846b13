"""The scheduler contract as tests for pytest: subclass, and give ``make``."""

from __future__ import annotations

import heapq
import math
import random
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import cast
from zlib import crc32

import pytest

from sk_hpo.rungs import Rung
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Job, Outcome, Reason, Trial

__all__ = [
    "CountingSampler", "Run", "SchedulerContract", "drive", "every_kind_of_score", "failing",
    "many_workers", "outcome_of", "rungs_of", "tied_score",
]  # fmt: skip

Score = Callable[[Job], float]


class CountingSampler(Sampler):
    """A sampler that tells what it was asked, to try schedulers with.

    Config i is (i, what the sampler saw). With history, what it saw is every outcome so far,
    so that a schedule whose suggestions depend on the order of arrival gives different
    configs. Its reasons repeat the config; they must be asked for before anything else is.

    Parameters
    ----------
    size : float, default=inf
        How many configs there are.
    uses_history : bool, default=False
        As of `sk_hpo.samplers.base.Sampler`.
    """

    def __init__(self, size: float = math.inf, uses_history: bool = False) -> None:
        self.space = cast(Space, SimpleNamespace(size=size))  # schedulers ask for no more
        self.seed = 0
        self.uses_history = uses_history
        self.calls: list[tuple[int, int]] = []
        self.answer: tuple[list[Trial], list[Config]] = ([], [])

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        assert [trial.id for trial in history] == list(range(len(history)))
        self.calls.append((len(history), n))
        seen = 0
        if self.uses_history:
            outcomes = [sorted(trial.outcomes.items()) for trial in history]
            seen = crc32(repr(outcomes).encode())
        stop = int(min(len(history) + n, self.space.size))
        self.answer = list(history), [(i, seen) for i in range(len(history), stop)]
        return self.answer[1]

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        assert (list(history), configs) == self.answer
        return [Reason("model", acquisition=i or 0, mean=seen or 0) for i, seen in configs]


def tied_score(job: Job) -> float:
    """Return a score that depends on nothing but trial and resource; ties are common."""
    return (job.trial * 7919 + job.stop * 31) % 11 / 10


def failing(share: int) -> Score:
    """Return a score that fails for about one job in `share`, in each kind of way."""

    def score(job: Job) -> float:
        kind = (job.trial * 31 + job.stop * 7) % (3 * share)
        return {0: math.nan, 1: math.inf, 2: -math.inf}.get(kind, tied_score(job))

    return score


@dataclass
class Run:
    """What a simulated search did."""

    scheduler: Scheduler
    asked: list[Job] = field(default_factory=list)
    retired: list[int] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)  # ("ask" or "retire", trial)
    idle: int = 0  # how often WAIT was answered


def drive(scheduler: Scheduler, workers: int, seed: int, score: Score = tied_score) -> Run:
    """Run a search on simulated workers with random delays, so that order is random."""
    rng = random.Random(seed)
    run = Run(scheduler)
    clock = 0.0
    busy: list[tuple[float, int, Job]] = []
    while True:
        while len(busy) < workers:
            answer = scheduler.ask()
            if answer is DONE:
                assert not busy, "DONE while a job is out"
                assert scheduler.ask() is DONE
                return run
            if answer is WAIT:
                assert busy, "WAIT, but no job is out"
                run.idle += 1
                break
            assert isinstance(answer, Job)
            run.asked.append(answer)
            run.events.append(("ask", answer.trial))
            heapq.heappush(busy, (clock + rng.random(), len(run.asked), answer))
        clock, _, job = heapq.heappop(busy)
        for trial in scheduler.tell(job, outcome_of(job, score)):
            run.retired.append(trial)
            run.events.append(("retire", trial))


def outcome_of(job: Job, score: Score) -> Outcome:
    """Return the outcome of a job; its folds, if it is of some, all have the same."""
    if job.folds is None:
        return Outcome(score(job))
    scores = [math.nan] * (max(job.folds) + 1)
    for fold in job.folds:
        scores[fold] = score(replace(job, folds=(fold,)))
    return Outcome(
        sum(scores[fold] for fold in job.folds) / len(job.folds), scores=tuple(scores)
    )


def _always(value: float, job: Job) -> float:
    return value


def rungs_of(jobs: Sequence[Job]) -> list[Rung]:
    """Return the rungs that `jobs` amount to, by bracket and rung."""
    counts = Counter((job.bracket, job.rung, job.start, job.stop) for job in jobs)
    return [
        Rung(bracket, rung, n, start, stop)
        for (bracket, rung, start, stop), n in sorted(counts.items())
    ]


every_kind_of_score = pytest.mark.parametrize(
    "score", [tied_score, failing(4), failing(1)], ids=["sound", "some-fail", "all-fail"]
)
many_workers = pytest.mark.parametrize("workers", [1, 3, 100])


class SchedulerContract:
    """What `sk_hpo.schedulers.base.Scheduler` promises, as tests.

    A subclass, named ``Test...`` so that pytest finds it, gives ``make``: a fresh scheduler
    of a `CountingSampler`, the same at every call. It is driven by 1, 3 and 100 simulated
    workers that finish in random order, some or all of whose fits fail.

    Examples
    --------
    >>> from sk_hpo.schedulers.flat import FlatScheduler
    >>> from sk_hpo.testing import CountingSampler, SchedulerContract
    >>> class TestMyScheduler(SchedulerContract):
    ...     def make(self):
    ...         return FlatScheduler(CountingSampler(), n_trials=23)  # or yours
    """

    @abstractmethod
    def make(self) -> Scheduler:
        """Return a fresh scheduler; the same one at every call."""

    @every_kind_of_score
    @many_workers
    def test_each_trial_climbs_step_by_step(self, workers: int, score: Score) -> None:
        run = drive(self.make(), workers, seed=workers, score=score)
        reached: dict[int, int] = {}
        for job in run.asked:
            assert job.start == reached.get(job.trial, 0) < job.stop
            assert job.config == run.scheduler.trials[job.trial].config
            assert job.bracket == run.scheduler.trials[job.trial].bracket
            reached[job.trial] = job.stop
        assert reached
        trials = run.scheduler.trials
        assert [trial.id for trial in trials] == list(range(len(trials)))
        assert {trial.id: trial.resource for trial in trials} == reached
        for job in run.asked:
            assert trials[job.trial].outcomes[job.stop].score == pytest.approx(
                score(job), nan_ok=True
            )

    @every_kind_of_score
    @many_workers
    def test_each_trial_retires_once_and_is_gone(self, workers: int, score: Score) -> None:
        run = drive(self.make(), workers, seed=workers, score=score)
        assert sorted(run.retired) == [trial.id for trial in run.scheduler.trials]
        gone: set[int] = set()
        for what, trial in run.events:
            assert trial not in gone
            if what == "retire":
                gone.add(trial)

    @every_kind_of_score
    @many_workers
    def test_only_a_resumable_job_is_taken_on(self, workers: int, score: Score) -> None:
        run = drive(self.make(), workers, seed=workers, score=score)
        resumable: dict[int, bool] = {}
        for job in run.asked:
            assert resumable.get(job.trial, True)
            resumable[job.trial] = job.resumable

    @many_workers
    def test_a_failed_trial_is_not_taken_on(self, workers: int) -> None:
        run = drive(self.make(), workers, seed=workers, score=failing(3))
        for trial in run.scheduler.trials:
            below = [o for r, o in trial.outcomes.items() if r < trial.resource]
            assert not any(outcome.failed for outcome in below)

    def test_what_cannot_go_on_retires_at_once(self) -> None:
        scheduler = self.make()
        while isinstance(job := scheduler.ask(), Job):
            fails = job.trial % 2 == 0
            value = math.nan if fails else 0.5
            retired = scheduler.tell(job, outcome_of(job, partial(_always, value)))
            assert job.trial in retired or (job.resumable and not fails)

    @many_workers
    def test_who_is_given_up_goes_no_further(self, workers: int) -> None:
        scheduler = self.make()
        if type(scheduler).drop is Scheduler.drop:
            pytest.skip("knows no races")
        rng = random.Random(workers)
        busy: list[Job] = []
        dropped: set[int] = set()
        retired: list[int] = []
        while True:
            while len(busy) < workers and isinstance(answer := scheduler.ask(), Job):
                assert answer.trial not in dropped
                busy.append(answer)
            if not busy:
                break
            job = busy.pop(rng.randrange(len(busy)))
            outcome = outcome_of(job, tied_score)
            if job.trial % 3 == 0:
                dropped.add(job.trial)
                gone = list(scheduler.drop(job, outcome, job.stop))
                assert job.trial in gone
                assert scheduler.trials[job.trial].outcomes[job.stop] == outcome
                with pytest.raises(ValueError, match="not outstanding"):
                    scheduler.drop(job, outcome, job.stop)
            else:
                gone = list(scheduler.tell(job, outcome))
            retired += gone
        assert scheduler.ask() is DONE
        assert sorted(retired) == list(range(len(scheduler.trials)))

    def test_the_outcome_of_a_part_is_in_the_history(self) -> None:
        scheduler = self.make()
        job = scheduler.ask()
        assert isinstance(job, Job)
        scheduler.note(replace(job, stop=10**6), Outcome(0.5))
        assert scheduler.trials[job.trial].outcomes == {10**6: Outcome(0.5)}
        scheduler.tell(job, outcome_of(job, tied_score))
        assert scheduler.trials[job.trial].outcomes.keys() == {job.stop, 10**6}

    @every_kind_of_score
    @many_workers
    def test_workers_and_order_change_nothing(self, workers: int, score: Score) -> None:
        if not self.make().synchronous:
            pytest.skip("asynchronous by design")
        alone = drive(self.make(), 1, 0, score)
        for seed in range(3):
            run = drive(self.make(), workers, seed, score)
            # NaN equals nothing but its own text.
            assert repr(run.scheduler.trials) == repr(alone.scheduler.trials)
            assert set(run.asked) == set(alone.asked)

    @many_workers
    def test_every_trial_keeps_its_reason(self, workers: int) -> None:
        run = drive(self.make(), workers, seed=workers)
        for trial in run.scheduler.trials:
            assert (trial.reason.acquisition, trial.reason.mean) == trial.config

    @many_workers
    def test_the_plan_is_what_happens(self, workers: int) -> None:
        scheduler = self.make()
        plan = scheduler.plan()
        run = drive(scheduler, workers, seed=workers)
        assert scheduler.plan() == plan
        done = rungs_of(run.asked)
        if scheduler.synchronous:
            assert plan == done
        else:
            assert [replace(rung, n_trials=0) for rung in plan] == [
                replace(rung, n_trials=0) for rung in done
            ]
            assert all(p.n_trials <= d.n_trials for p, d in zip(plan, done, strict=True))

    def test_the_plan_is_in_the_order_of_asking(self) -> None:
        scheduler = self.make()
        plan = [(rung.bracket, rung.rung) for rung in scheduler.plan()]
        run = drive(scheduler, workers=1, seed=0)
        assert plan == list(dict.fromkeys((job.bracket, job.rung) for job in run.asked))

    def test_planning_asks_for_nothing(self) -> None:
        scheduler = self.make()
        scheduler.plan()
        assert scheduler.trials == []

    def test_a_trial_is_pending_until_told(self) -> None:
        scheduler = self.make()
        job = scheduler.ask()
        assert isinstance(job, Job)
        assert scheduler.trials[job.trial].pending
        scheduler.tell(job, outcome_of(job, lambda job: 0.25))
        assert scheduler.trials[job.trial].outcomes.keys() == {job.stop}
        assert scheduler.trials[job.trial].outcome.score == 0.25

    def test_an_unknown_job_is_an_error_and_changes_nothing(self) -> None:
        scheduler = self.make()
        job = scheduler.ask()
        assert isinstance(job, Job)
        before = list(scheduler.trials)
        strangers = [
            replace(job, stop=job.stop + 1),
            replace(job, trial=10**6),
            replace(job, trial=-1),
        ]
        for stranger in strangers:
            with pytest.raises(ValueError, match="not outstanding"):
                scheduler.tell(stranger, Outcome(1.0))
        assert scheduler.trials == before
        scheduler.tell(job, outcome_of(job, lambda job: 1.0))
        with pytest.raises(ValueError, match="not outstanding"):
            scheduler.tell(job, Outcome(1.0))

    def test_an_equal_job_may_be_told_in_its_place(self) -> None:
        scheduler = self.make()
        job = scheduler.ask()
        assert isinstance(job, Job)
        scheduler.tell(replace(job), outcome_of(job, lambda job: 1.0))
        assert not scheduler.trials[job.trial].pending
