from __future__ import annotations

import math
from dataclasses import replace
from itertools import groupby
from types import SimpleNamespace

import pytest
from contracts.scheduler import (
    CountingSampler,
    SchedulerContract,
    drive,
    failing,
    rungs_of,
    tied_score,
)
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import Rung, cost, hyperband_rungs
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.trial import Job, Outcome


class TestWithoutHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return HyperbandScheduler(CountingSampler(), hyperband_rungs(1, 27, 3))


class TestWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return HyperbandScheduler(
            CountingSampler(uses_history=True), hyperband_rungs(1, 9, 3, iterations=2)
        )


class TestSuccessiveHalving(SchedulerContract):
    def make(self) -> Scheduler:
        return HyperbandScheduler(CountingSampler(), hyperband_rungs(2, 20, 2.5, brackets=1))


class TestOneRung(SchedulerContract):
    def make(self) -> Scheduler:
        return HyperbandScheduler(CountingSampler(), hyperband_rungs(5, 5, 3, iterations=3))


class TestFiniteSpace(SchedulerContract):
    # Brackets of 27, 12, 6, 4: the third gets one config, the last is skipped.
    def make(self) -> Scheduler:
        return HyperbandScheduler(CountingSampler(size=40), hyperband_rungs(1, 27, 3))


class TestFiniteSpaceWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return HyperbandScheduler(
            CountingSampler(size=11, uses_history=True), hyperband_rungs(1, 9, 3)
        )


def make(uses_history: bool = False, size: float = math.inf) -> HyperbandScheduler:
    return HyperbandScheduler(CountingSampler(size, uses_history), hyperband_rungs(1, 9, 3))


def ask(scheduler: Scheduler) -> Job:
    job = scheduler.ask()
    assert isinstance(job, Job)
    return job


def test_survivors_are_the_best_of_each_rung() -> None:
    scheduler = HyperbandScheduler(CountingSampler(), hyperband_rungs(1, 27, 3, iterations=2))
    run = drive(scheduler, workers=5, seed=3)
    by_rung: dict[tuple[int, int], list[Job]] = {}
    for job in run.asked:
        by_rung.setdefault((job.bracket, job.rung), []).append(job)
    for (bracket, rung), jobs in by_rung.items():
        above = by_rung.get((bracket, rung + 1), [])
        best = sorted(jobs, key=lambda job: (-tied_score(job), job.trial))
        assert [job.trial for job in above] == [job.trial for job in best[: len(above)]]


def test_the_fit_costs_what_the_plan_says() -> None:
    scheduler = HyperbandScheduler(CountingSampler(), hyperband_rungs(1, 81, 3))
    run = drive(scheduler, workers=4, seed=0)
    assert cost(scheduler.plan(), continues=True) == 1581
    assert sum(job.stop - job.start for job in run.asked) == 1581
    assert sum(job.stop for job in run.asked) == cost(scheduler.plan(), continues=False)


@given(
    st.integers(1, 60),
    st.fractions(min_value=1.5, max_value=5, max_denominator=4),
    st.integers(0, 80),
    st.integers(1, 2),
    st.booleans(),
    st.integers(1, 40),
)
def test_the_plan_holds_for_every_ladder_and_space(
    high: int, factor: float, size: int, iterations: int, uses_history: bool, workers: int
) -> None:
    rungs = hyperband_rungs(1, high, factor, iterations=iterations)
    scheduler = HyperbandScheduler(CountingSampler(size, uses_history), rungs)
    run = drive(scheduler, workers, seed=0)
    assert rungs_of(run.asked) == scheduler.plan()
    n_candidates = sum(rung.n_trials for rung in rungs if rung.rung == 0)
    assert len(scheduler.trials) == min(size, n_candidates)


@pytest.mark.parametrize("uses_history", [True, False])
@pytest.mark.parametrize("workers", [1, 50])
def test_a_bracket_is_sampled_in_one_call(uses_history: bool, workers: int) -> None:
    scheduler = make(uses_history)
    drive(scheduler, workers, seed=0)
    assert scheduler.sampler.calls == [(0, 9), (9, 5), (14, 3)]  # type: ignore[attr-defined]


def test_with_history_a_bracket_opens_when_all_before_are_complete() -> None:
    scheduler = make(uses_history=True)
    for bracket, n_jobs in enumerate([9 + 3 + 1, 5 + 1]):
        for _ in range(n_jobs):
            job = ask(scheduler)
            assert job.bracket == bracket
            if job.stop == 9:
                assert scheduler.ask() is WAIT
            scheduler.tell(job, Outcome(0.5))
    assert ask(scheduler).bracket == 2


def test_without_history_no_worker_waits_while_a_bracket_is_left() -> None:
    scheduler = make()
    jobs = [ask(scheduler) for _ in range(9 + 5 + 3)]
    assert [job.bracket for job in jobs] == [0] * 9 + [1] * 5 + [2] * 3
    assert scheduler.ask() is WAIT


def test_an_earlier_bracket_goes_first() -> None:
    scheduler = make()
    first = [ask(scheduler) for _ in range(9)]
    assert ask(scheduler).bracket == 1
    for job in first:
        scheduler.tell(job, Outcome(0.1 * job.trial))
    jobs = [ask(scheduler) for _ in range(4)]
    assert [(job.bracket, job.trial, job.start, job.stop) for job in jobs] == [
        (0, 8, 1, 3),
        (0, 7, 1, 3),
        (0, 6, 1, 3),
        (1, 10, 0, 3),
    ]


def test_resumable_below_the_top() -> None:
    run = drive(make(), 3, seed=0)
    assert all(job.resumable == (job.stop < 9) for job in run.asked)


def test_retired_on_a_completed_rung_are_those_not_promoted() -> None:
    scheduler = make()
    jobs = [ask(scheduler) for _ in range(9)]
    assert tuple(scheduler.tell(jobs[4], Outcome(math.nan))) == (4,)
    for job in jobs[5:] + jobs[1:4]:
        assert not tuple(scheduler.tell(job, Outcome(job.trial / 10)))
    assert set(scheduler.tell(jobs[0], Outcome(0.95))) == {1, 2, 3, 5, 6}
    assert [ask(scheduler).trial for _ in range(3)] == [0, 8, 7]


def test_a_bracket_of_failures_ends_and_the_next_one_runs() -> None:
    run = drive(make(), 1, seed=0, score=lambda job: math.nan if job.trial < 9 else 0.5)
    assert {job.rung for job in run.asked if job.bracket == 0} == {0}
    assert {job.rung for job in run.asked if job.bracket == 1} == {0, 1}


@pytest.mark.parametrize("workers", [1, 4])
def test_with_history_a_bracket_of_failures_does_not_block(workers: int) -> None:
    scheduler = make(uses_history=True)
    run = drive(scheduler, workers, seed=0, score=failing(1))
    assert len(scheduler.trials) == 9 + 5 + 3
    assert len(run.retired) == 17


def test_fewer_survivors_than_places() -> None:
    scheduler = HyperbandScheduler(CountingSampler(), hyperband_rungs(1, 9, 3, brackets=1))
    run = drive(scheduler, 2, seed=0, score=lambda job: 0.5 if job.trial > 6 else math.nan)
    assert rungs_of(run.asked) == [
        Rung(0, 0, 9, 0, 1),
        Rung(0, 1, 2, 1, 3),
        Rung(0, 2, 1, 3, 9),
    ]


def test_brackets_tell_who_stood_where() -> None:
    scheduler = make()
    assert scheduler.brackets == []
    run = drive(scheduler, 4, seed=1)
    stood = [[set(standing.trials) for standing in bracket] for bracket in scheduler.brackets]
    expected = [
        [{job.trial for job in jobs} for _, jobs in groupby(of_bracket, lambda j: j.rung)]
        for _, of_bracket in groupby(
            sorted(run.asked, key=lambda j: (j.bracket, j.rung)), lambda j: j.bracket
        )
    ]
    assert stood == expected
    assert [s.rung for bracket in scheduler.brackets for s in bracket] == scheduler.plan()


def test_brackets_while_running() -> None:
    scheduler = make()
    jobs = [ask(scheduler) for _ in range(9)]
    assert [s.trials for s in scheduler.brackets[0]] == [tuple(range(9))]
    for job in jobs:
        scheduler.tell(job, Outcome(0.5))
    assert [s.trials for s in scheduler.brackets[0]] == [tuple(range(9)), (0, 1, 2)]


def test_an_empty_space_is_done_at_once() -> None:
    scheduler = make(size=0)
    assert scheduler.plan() == []
    assert scheduler.ask() is DONE


def test_the_plan_reads_the_size_of_the_space() -> None:
    scheduler = make()
    scheduler.sampler.space = SimpleNamespace(size=10)  # type: ignore[assignment]
    assert [rung.n_trials for rung in scheduler.plan()] == [9, 3, 1, 1, 1]


def test_no_rungs() -> None:
    with pytest.raises(ValueError, match="at least one rung"):
        HyperbandScheduler(CountingSampler(), [])


def test_a_bracket_torn_apart() -> None:
    first, second = hyperband_rungs(1, 3, 3, brackets=1)
    other = replace(first, bracket=1)
    with pytest.raises(ValueError, match="must stand together"):
        HyperbandScheduler(CountingSampler(), [first, other, second])


@pytest.mark.parametrize(
    "change",
    [{"start": 2}, {"resource": 1}, {"n_trials": 4}, {"n_trials": 0}, {"rung": 2}],
    ids=str,
)
def test_rungs_out_of_order(change: dict[str, int]) -> None:
    first, second = hyperband_rungs(1, 3, 3, brackets=1)
    with pytest.raises(ValueError, match="bracket 0 are not in order"):
        HyperbandScheduler(CountingSampler(), [first, replace(second, **change)])
