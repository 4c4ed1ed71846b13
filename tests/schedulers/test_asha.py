from __future__ import annotations

import heapq
import math
import random
from typing import Any

import pytest
from contracts.scheduler import CountingSampler, SchedulerContract, drive, failing, tied_score
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import Rung, ladder
from sk_hpo.schedulers.asha import ASHAScheduler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.trial import Job, Outcome


class TestWithoutHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(CountingSampler(), 27, ladder(1, 27, 3), 3)


class TestWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(CountingSampler(uses_history=True), 20, ladder(1, 8, 2), 2)


class TestFactorThatIsNotWhole(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(CountingSampler(), 30, ladder(2, 20, 2.5), 2.5)


class TestFewTrials(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(CountingSampler(), 2, ladder(1, 27, 3), 3)


class TestOneRung(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(CountingSampler(), 5, (9,), 3)


class TestFiniteSpace(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(CountingSampler(size=13), 27, ladder(1, 9, 3), 3)


class TestFiniteSpaceWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHAScheduler(
            CountingSampler(size=13, uses_history=True), 27, ladder(1, 9, 3), 3
        )


class ByTheBook:
    """Algorithm 2 from the raw record of what was told, with nothing kept in between."""

    def __init__(self, n_trials: int, n_rungs: int, factor: int) -> None:
        self.n_trials = n_trials
        self.n_rungs = n_rungs
        self.factor = factor
        self.told: list[tuple[int, int, float]] = []  # rung, trial, score
        self.asked: list[tuple[int, int]] = []  # rung, trial

    def get_job(self) -> tuple[int, int] | None:
        """Return (rung, trial), None for nothing to do now."""
        for k in range(self.n_rungs - 2, -1, -1):
            rung = [(score, trial) for level, trial, score in self.told if level == k]
            top = sorted((s, -t) for s, t in rung if math.isfinite(s))[::-1]
            for _, minus in top[: len(rung) // self.factor]:
                if (k + 1, -minus) not in self.asked:
                    return k + 1, -minus
        started = sum(level == 0 for level, _ in self.asked)
        if started < self.n_trials:
            return 0, started
        highest = max(level for level, _ in self.asked)
        if len(self.told) == len(self.asked) and highest < self.n_rungs - 1:
            best = [
                (-s, t) for level, t, s in self.told if level == highest and math.isfinite(s)
            ]
            if best:
                return highest + 1, min(best)[1]
        return None


@given(
    n_trials=st.integers(1, 60),
    n_rungs=st.integers(1, 5),
    factor=st.integers(2, 4),
    workers=st.integers(1, 30),
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0, 2, 5]),
)
def test_every_answer_is_that_of_the_paper(
    n_trials: int, n_rungs: int, factor: int, workers: int, seed: int, share: int
) -> None:
    rng = random.Random(seed)
    resources = [factor**k for k in range(n_rungs)]
    scheduler = ASHAScheduler(CountingSampler(), n_trials, resources, factor)
    book = ByTheBook(n_trials, n_rungs, factor)
    busy: list[Job] = []
    while True:
        answer = scheduler.ask() if len(busy) < workers else None
        if answer is not None:
            expected = book.get_job()
            if isinstance(answer, Job):
                assert expected == (answer.rung, answer.trial)
                assert answer.stop == resources[answer.rung]
                book.asked.append((answer.rung, answer.trial))
                busy.append(answer)
                continue
            assert expected is None
            if answer is DONE:
                break
            assert answer is WAIT
        job = busy.pop(rng.randrange(len(busy)))
        score = rng.choice([math.nan, math.inf]) if share and rng.random() < 1 / share else 0.0
        score = score or rng.randrange(12) / 12  # ties are common
        book.told.append((job.rung, job.trial, score))
        scheduler.tell(job, Outcome(score))
    assert not busy


def ask(scheduler: Scheduler) -> Job:
    job = scheduler.ask()
    assert isinstance(job, Job)
    return job


def make(n_trials: int = 27, **params: Any) -> ASHAScheduler:
    return ASHAScheduler(CountingSampler(**params), n_trials, (1, 3, 9), 3)


def test_the_best_of_three_is_promoted_while_the_rung_still_fills() -> None:
    scheduler = make()
    jobs = [ask(scheduler) for _ in range(8)]
    assert {job.rung for job in jobs} == {0}
    for job, score in zip(jobs[2:5], (0.1, 0.3, 0.2), strict=True):
        scheduler.tell(job, Outcome(score))
    promoted = ask(scheduler)  # five are still out, and 19 have not begun
    assert (promoted.trial, promoted.start, promoted.stop) == (3, 1, 3)
    assert (ask(scheduler).trial, ask(scheduler).rung) == (8, 0)


def test_a_slow_trial_holds_nobody_up() -> None:
    """All is done but one trial, and what depends on it."""
    scheduler = make()
    slow = ask(scheduler)
    while isinstance(job := scheduler.ask(), Job):
        scheduler.tell(job, Outcome(job.trial / 100))
    assert job is WAIT
    reached = [trial.resource for trial in scheduler.trials]
    assert reached[slow.trial] == 0
    assert all(resource >= 1 for resource in reached[1:])
    assert max(reached) == 9


def test_the_highest_promotion_goes_first() -> None:
    scheduler = make()
    for job in [ask(scheduler) for _ in range(12)]:
        scheduler.tell(job, Outcome(job.trial / 100))
    promoted = [ask(scheduler) for _ in range(3)]
    assert [(job.trial, job.rung) for job in promoted] == [(11, 1), (10, 1), (9, 1)]
    for job in promoted:
        scheduler.tell(job, Outcome(job.trial / 100))
    assert [(job.trial, job.rung) for job in (ask(scheduler), ask(scheduler))] == [
        (11, 2),
        (8, 1),
    ]


def test_alone_on_a_sorted_table_it_is_successive_halving() -> None:
    """Worst last: who is promoted at once would have been promoted in the end."""
    run = drive(make(), workers=1, seed=0, score=lambda job: -job.trial)
    by_rung = [[job.trial for job in run.asked if job.rung == rung] for rung in range(3)]
    assert by_rung == [list(range(27)), list(range(9)), list(range(3))]


@pytest.mark.parametrize("n_trials", [1, 2, 4, 8])
def test_one_trial_always_gets_the_whole_resource(n_trials: int) -> None:
    run = drive(make(n_trials), workers=3, seed=1)
    best = min(range(n_trials), key=lambda t: (-tied_score(Job(t, (), 0, 1)), t))
    assert best in [job.trial for job in run.asked if job.stop >= 3]
    assert max(job.stop for job in run.asked) == 9


def test_a_loser_retires_only_when_nothing_can_help_it() -> None:
    scheduler = make(n_trials=9)
    retired = []
    for trial in range(9):  # each better than all before: every one of them is promoted
        job = ask(scheduler)
        while job.rung:
            retired += scheduler.tell(job, Outcome(math.nan))
            job = ask(scheduler)
        assert job.trial == trial
        retired += scheduler.tell(job, Outcome(trial / 10))
    assert set(retired) >= {0, 1}
    again = make(n_trials=9)
    jobs = [ask(again) for _ in range(4)]
    assert [list(again.tell(job, Outcome(0.9 - job.trial / 10))) for job in jobs] == [
        [],
        [],
        [],
        [3],  # three places at most when nine have come, and three are better
    ]


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 99), st.sampled_from([2, 3]))
def test_few_states_are_kept(n_trials: int, workers: int, seed: int, factor: int) -> None:
    """Who cannot be among the places of a rung is let go at once."""
    scheduler = ASHAScheduler(CountingSampler(), n_trials, (1, 2, 4), factor)
    rng = random.Random(seed)
    busy: list[tuple[float, int, Job]] = []
    alive: set[int] = set()
    while True:
        while len(busy) < workers and isinstance(answer := scheduler.ask(), Job):
            heapq.heappush(busy, (rng.random(), answer.trial, answer))
            alive.add(answer.trial)
        if not busy:
            break
        job = heapq.heappop(busy)[2]
        alive -= set(scheduler.tell(job, Outcome(rng.random())))
        assert len(alive) <= workers + 2 * max(1, n_trials // factor)
    assert not alive


def test_with_history_each_trial_is_asked_for_by_itself_and_told_what_is_out() -> None:
    scheduler = make(n_trials=5, uses_history=True)
    drive(scheduler, workers=2, seed=0)
    assert scheduler.sampler.calls[:5] == [(i, 1) for i in range(5)]  # type: ignore[attr-defined]


def test_who_is_given_up_counts_and_goes_no_further() -> None:
    scheduler = make()
    jobs = [ask(scheduler) for _ in range(6)]
    assert list(scheduler.drop(jobs[0], Outcome(0.99), resource=1)) == [0]
    for job in jobs[1:]:
        scheduler.tell(job, Outcome(job.trial / 10))
    promoted = [ask(scheduler) for _ in range(3)]
    assert [(job.trial, job.rung) for job in promoted] == [(5, 1), (4, 1), (6, 0)]
    assert scheduler.trials[0].outcomes == {1: Outcome(0.99)}


def test_brackets_tell_who_stood_where() -> None:
    scheduler = make()
    assert scheduler.brackets == []
    run = drive(scheduler, workers=4, seed=0, score=failing(4))
    [bracket] = scheduler.brackets
    for standing in bracket:
        trials = [job.trial for job in run.asked if job.rung == standing.rung.rung]
        assert standing.trials == tuple(trials)
        assert standing.rung.n_trials == len(trials)


def test_it_says_that_the_order_of_arrival_matters() -> None:
    assert not make().synchronous
    runs = [drive(make(), workers=5, seed=seed) for seed in range(5)]
    assert len({repr(run.scheduler.trials) for run in runs}) > 1


def test_plan() -> None:
    assert make(26).plan() == [Rung(0, 0, 26, 0, 1), Rung(0, 1, 8, 1, 3), Rung(0, 2, 2, 3, 9)]
    assert [rung.n_trials for rung in make(2).plan()] == [2, 1, 1]
    assert make(size=0).plan() == []
    assert make(size=0).ask() is DONE


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_trials": 0}, "n_trials must be at least 1"),
        ({"resources": ()}, "resources must increase"),
        ({"resources": (0, 1)}, "resources must increase"),
        ({"resources": (3, 1)}, "resources must increase"),
        ({"factor": 1}, "factor must be"),
    ],
)
def test_bad_arguments(change: dict[str, Any], match: str) -> None:
    good: dict[str, Any] = {"n_trials": 3, "resources": (1, 3), "factor": 3}
    with pytest.raises(ValueError, match=match):
        ASHAScheduler(CountingSampler(), **good | change)
