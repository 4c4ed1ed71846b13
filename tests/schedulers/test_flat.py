from __future__ import annotations

import math
from typing import Any

import pytest
from contracts.scheduler import CountingSampler, SchedulerContract, drive

from sk_hpo.rungs import Rung
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.schedulers.flat import FlatScheduler
from sk_hpo.trial import Job, Outcome


class TestWithoutHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return FlatScheduler(CountingSampler(), n_trials=23, resource=9)


class TestWithoutHistoryManyChunks(SchedulerContract):
    def make(self) -> Scheduler:
        return FlatScheduler(CountingSampler(), n_trials=300)


class TestWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return FlatScheduler(CountingSampler(uses_history=True), n_trials=23)


class TestWithHistoryInBatches(SchedulerContract):
    def make(self) -> Scheduler:
        return FlatScheduler(CountingSampler(uses_history=True), n_trials=23, batch=5)


class TestFiniteSpace(SchedulerContract):
    def make(self) -> Scheduler:
        return FlatScheduler(CountingSampler(size=13), n_trials=23)


class TestFiniteSpaceWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return FlatScheduler(CountingSampler(size=13, uses_history=True), n_trials=23, batch=4)


@pytest.mark.parametrize(
    ("uses_history", "batch", "size", "calls"),
    [
        (True, None, math.inf, [(i, 1) for i in range(10)]),
        (True, 4, math.inf, [(0, 4), (4, 4), (8, 2)]),
        (True, 4, 6, [(0, 4), (4, 4)]),
        (True, 4, 8, [(0, 4), (4, 4), (8, 2)]),
        (False, None, math.inf, [(0, 10)]),
        (False, 4, 6, [(0, 10)]),
    ],
)
@pytest.mark.parametrize("workers", [1, 3, 20])
def test_when_the_sampler_is_called(
    uses_history: bool, batch: int | None, size: float, calls: list[Any], workers: int
) -> None:
    sampler = CountingSampler(size, uses_history)
    run = drive(FlatScheduler(sampler, 10, batch), workers, seed=0)
    assert sampler.calls == calls
    assert len(run.asked) == min(10, size)


def test_chunks_grow_with_the_history() -> None:
    sampler = CountingSampler()
    drive(FlatScheduler(sampler, 1000), 3, seed=0)
    assert sampler.calls == [(0, 64), (64, 64), (128, 128), (256, 256), (512, 488)]


def test_without_history_no_worker_ever_waits() -> None:
    scheduler = FlatScheduler(CountingSampler(), n_trials=200)
    jobs = [scheduler.ask() for _ in range(200)]
    assert [job.trial for job in jobs if isinstance(job, Job)] == list(range(200))
    assert scheduler.ask() is WAIT


def test_with_history_the_whole_batch_is_waited_for() -> None:
    scheduler = FlatScheduler(CountingSampler(uses_history=True), n_trials=4, batch=2)
    first, second = scheduler.ask(), scheduler.ask()
    assert isinstance(first, Job)
    assert isinstance(second, Job)
    assert scheduler.ask() is WAIT
    scheduler.tell(second, Outcome(0.5))
    assert scheduler.ask() is WAIT
    scheduler.tell(first, Outcome(math.nan))
    assert isinstance(scheduler.ask(), Job)


def test_an_exhausted_space_is_done_when_all_is_told() -> None:
    scheduler = FlatScheduler(CountingSampler(size=1), n_trials=5)
    job = scheduler.ask()
    assert isinstance(job, Job)
    assert scheduler.ask() is WAIT
    scheduler.tell(job, Outcome(0.5))
    assert scheduler.ask() is DONE


def test_an_empty_space_is_done_at_once() -> None:
    scheduler = FlatScheduler(CountingSampler(size=0), n_trials=5)
    assert scheduler.plan() == []
    assert scheduler.ask() is DONE


def test_job_and_plan() -> None:
    scheduler = FlatScheduler(CountingSampler(size=3), n_trials=5, resource=7)
    assert scheduler.plan() == [Rung(0, 0, 3, 0, 7)]
    assert scheduler.ask() == Job(trial=0, config=(0, 0), start=0, stop=7)


@pytest.mark.parametrize("name", ["n_trials", "batch", "resource"])
def test_numbers_below_one(name: str) -> None:
    arguments: dict[str, Any] = {"n_trials": 5, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        FlatScheduler(CountingSampler(), **arguments)
