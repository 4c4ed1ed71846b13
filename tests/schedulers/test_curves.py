from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean, median

import pytest
from contracts.scheduler import (
    CountingSampler,
    Run,
    SchedulerContract,
    drive,
    failing,
    many_workers,
)
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import Rung, hyperband_rungs, ladder
from sk_hpo.schedulers.asha import ASHAScheduler
from sk_hpo.schedulers.base import WAIT, Scheduler
from sk_hpo.schedulers.curves import CurveScheduler, checkpoints, lags
from sk_hpo.schedulers.flat import FlatScheduler
from sk_hpo.schedulers.folds import RisingFolds
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.schedulers.racing import FoldScheduler
from sk_hpo.schedulers.rules import Forgiving
from sk_hpo.trial import Job, Outcome


@given(st.integers(0, 50), st.integers(1, 100))
def test_checkpoints_lead_from_start_to_stop(start: int, way: int) -> None:
    points = checkpoints(start, start + way)
    assert points == sorted(set(points))
    assert start < points[0]
    assert points[-1] == start + way
    assert len(points) == min(3, 1 + (way >= 2) + (way >= 4))


curves = st.lists(st.integers(0, 9), min_size=3, max_size=3)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), st.lists(curves, min_size=1))
def test_lags_is_the_median_stopping_rule(curve: list[int], others: list[list[int]]) -> None:
    averages = sorted(sum(other[: len(curve)]) / len(curve) for other in others)
    middle = len(averages) // 2
    mid = averages[middle] if len(averages) % 2 else sum(averages[middle - 1 : middle + 1]) / 2
    best = max(curve)
    assert abs(best - mid) < 1e-9 or lags(curve, others) == (best < mid)


class Parts(SchedulerContract):
    """The contract, where a planned job is done in parts."""

    @many_workers
    def test_the_plan_is_what_happens(self, workers: int) -> None:
        scheduler = self.make()
        plan = scheduler.plan()
        run = drive(scheduler, workers, seed=workers)
        first = defaultdict(set)
        for job in run.asked:
            first[job.bracket, job.rung].add(job.trial)
        asked = [Rung(*key, len(trials), 0, 0) for key, trials in sorted(first.items())]
        if scheduler.synchronous:
            assert [replace(rung, start=0, resource=0) for rung in plan] == asked
        else:
            assert all(p.n_trials <= n.n_trials for p, n in zip(plan, asked, strict=True))


def hyperband(top: int = 27) -> Scheduler:
    return HyperbandScheduler(CountingSampler(), hyperband_rungs(1, top, 3))


class TestHyperband(Parts):
    def make(self) -> Scheduler:
        return CurveScheduler(hyperband())


class TestHyperbandWithHistory(Parts):
    def make(self) -> Scheduler:
        sampler = CountingSampler(uses_history=True)
        return CurveScheduler(HyperbandScheduler(sampler, hyperband_rungs(1, 8, 2)))


class TestAsynchronous(Parts):
    def make(self) -> Scheduler:
        return CurveScheduler(ASHAScheduler(CountingSampler(), 27, ladder(2, 18, 3), 3))


class TestFlat(Parts):
    def make(self) -> Scheduler:
        return CurveScheduler(FlatScheduler(CountingSampler(), 23, resource=9))


def curve_of(seed: int) -> Callable[[Job], float]:
    """Return a score that rises with the resource, each trial in its own way."""

    def score(job: Job) -> float:
        rng = random.Random(f"{seed}-{job.trial}")
        level, speed = rng.random(), 1 + 5 * rng.random()
        return level * (1 - math.exp(-speed * job.stop / 9))

    return score


def in_waves(n: int, stop: int, score: Callable[[Job], float]) -> dict[int, int]:
    """Return how far each of n trials comes: waves of a third, as plain loops."""
    wave = -(-n // 3)
    points = checkpoints(0, stop)
    reached: dict[int, int] = {}
    full: list[list[float]] = []
    for first in range(0, n, wave):
        ended = []
        for trial in range(first, min(n, first + wave)):
            every = [score(Job(trial, (), 0, point)) for point in points]
            for i, point in enumerate(points[:-1]):
                averages = [fmean(other[: i + 1]) for other in full]
                if full and max(every[: i + 1]) < median(averages):
                    reached[trial] = point
                    break
            else:
                reached[trial] = stop
                ended.append(every)
        full += ended
    return reached


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 10**6))
def test_it_is_the_plain_loop_for_any_workers(n: int, workers: int, seed: int) -> None:
    score = curve_of(seed)
    scheduler = CurveScheduler(FlatScheduler(CountingSampler(), n, resource=9))
    run = drive(scheduler, workers, seed, score)
    reached = {trial.id: trial.resource for trial in scheduler.trials}
    assert reached == in_waves(n, 9, score)
    assert sum(job.stop - job.start for job in run.asked) == sum(reached.values())


@given(st.integers(0, 10**6), st.integers(1, 30))
def test_the_places_of_a_rung_are_filled(seed: int, workers: int) -> None:
    scheduler = CurveScheduler(hyperband(81))
    run = drive(scheduler, workers, seed, curve_of(seed))
    assert [len(s.trials) for bracket in scheduler.brackets for s in bracket] == [
        rung.n_trials for rung in scheduler.plan()
    ]
    stops = {(rung.bracket, rung.rung): rung.resource for rung in scheduler.plan()}
    went_on = {(job.trial, job.rung) for job in run.asked}
    stopped = 0
    for trial in scheduler.trials:
        last = max(job.rung for job in run.asked if job.trial == trial.id)
        if trial.resource < stops[trial.bracket, last]:
            stopped += 1
            assert (trial.id, last + 1) not in went_on
    assert stopped


def test_what_lies_between_two_rungs_is_in_the_history() -> None:
    scheduler = CurveScheduler(hyperband(9))
    drive(scheduler, 3, 0, curve_of(1))
    full = [trial for trial in scheduler.trials if trial.bracket == 2 and trial.resource == 9]
    assert full
    assert all(set(trial.outcomes) == {2, 4, 9} for trial in full)


def test_parts_that_will_go_on_are_resumable() -> None:
    run = drive(CurveScheduler(FlatScheduler(CountingSampler(), 3, resource=8)), 1, 0)
    assert {(job.start, job.stop, job.resumable) for job in run.asked} >= {
        (0, 2, True),
        (2, 4, True),
        (4, 8, False),
    }


@pytest.mark.parametrize("workers", [1, 4, 50])
def test_a_part_that_fails_ends_its_trial(workers: int) -> None:
    scheduler = CurveScheduler(hyperband())
    run = drive(scheduler, workers, 0, failing(5))
    for trial in scheduler.trials:
        assert not any(
            outcome.failed for r, outcome in trial.outcomes.items() if r < trial.resource
        )
    assert sorted(run.retired) == list(range(len(scheduler.trials)))


def test_a_job_that_is_not_out_is_an_error() -> None:
    scheduler = CurveScheduler(hyperband())
    job = scheduler.ask()
    assert isinstance(job, Job)
    for what in (scheduler.tell, lambda job, outcome: scheduler.drop(job, outcome, 1)):
        with pytest.raises(ValueError, match="not outstanding"):
            what(replace(job, stop=99), Outcome(0.5))


def raced(inner: Scheduler, workers: int) -> Run:
    """Run a race over curves; each fold must go on where it stands."""
    n_splits = 3
    layout = RisingFolds(n_splits, ladder(1, 27, 3))
    scheduler = FoldScheduler(CurveScheduler(inner), layout, Forgiving())
    rng = random.Random(workers)
    run = Run(scheduler)
    busy: list[Job] = []
    reached: dict[tuple[int, int], int] = {}
    while True:
        while len(busy) < workers and isinstance(answer := scheduler.ask(), Job):
            run.asked.append(answer)
            busy.append(answer)
        if not busy:
            assert scheduler.ask() is not WAIT
            return run
        job = busy.pop(rng.randrange(len(busy)))
        scores = [math.nan] * n_splits
        for fold in job.folds or ():
            assert reached.get((job.trial, fold), 0) == job.start < job.stop
            reached[job.trial, fold] = job.stop
            noise = random.Random(f"{job.trial}-{fold}").random() / 5
            scores[fold] = curve_of(0)(job) + noise
        ran = [score for score in scores if math.isfinite(score)]
        run.retired += scheduler.tell(job, Outcome(fmean(ran), scores=tuple(scores)))


@pytest.mark.parametrize("workers", [1, 6, 100])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_part_is_a_race_of_its_own(workers: int, asynchronous: bool) -> None:
    asha = ASHAScheduler(CountingSampler(), 27, ladder(1, 27, 3), 3)
    run = raced(asha if asynchronous else hyperband(), workers)
    trials = run.scheduler.trials
    assert sorted(run.retired) == list(range(len(trials)))
    full = [trial for trial in trials if 27 in trial.outcomes]
    assert any(all(map(math.isfinite, trial.outcomes[27].scores)) for trial in full)
    if not asynchronous:
        assert repr(trials) == repr(raced(hyperband(), 3).scheduler.trials)
