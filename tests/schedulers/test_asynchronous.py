from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from contracts.scheduler import CountingSampler, SchedulerContract, drive, rungs_of
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import Rung, hyperband_rungs, ladder
from sk_hpo.schedulers.asha import ASHAScheduler
from sk_hpo.schedulers.asynchronous import AsynchronousHyperbandScheduler
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.trial import Job, Outcome


class TestWithoutHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return AsynchronousHyperbandScheduler(CountingSampler(), hyperband_rungs(1, 27, 3), 3)


class TestWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        rungs = hyperband_rungs(1, 9, 3, iterations=2)
        return AsynchronousHyperbandScheduler(CountingSampler(uses_history=True), rungs, 3)


class TestFactorThatIsNotWhole(SchedulerContract):
    def make(self) -> Scheduler:
        rungs = hyperband_rungs(2, 20, 2.5)
        return AsynchronousHyperbandScheduler(CountingSampler(), rungs, 2.5)


class TestOneRung(SchedulerContract):
    def make(self) -> Scheduler:
        rungs = hyperband_rungs(5, 5, 3, iterations=3)
        return AsynchronousHyperbandScheduler(CountingSampler(), rungs, 3)


class TestFiniteSpace(SchedulerContract):
    # Brackets of 27, 12, 6, 4: the third gets one config, the last is skipped.
    def make(self) -> Scheduler:
        rungs = hyperband_rungs(1, 27, 3)
        return AsynchronousHyperbandScheduler(CountingSampler(size=40), rungs, 3)


class TestFiniteSpaceWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        sampler = CountingSampler(size=11, uses_history=True)
        return AsynchronousHyperbandScheduler(sampler, hyperband_rungs(1, 9, 3), 3)


class ByTheBook:
    """The rules from the raw record of what was told, with nothing kept in between."""

    def __init__(self, rungs: Sequence[Rung], factor: Fraction, size: float) -> None:
        self.brackets: dict[int, list[Rung]] = {}
        for rung in rungs:
            self.brackets.setdefault(rung.bracket, []).append(rung)
        self.factor = factor
        self.size = size
        self.exhausted = False
        self.told: dict[tuple[int, int, int], float] = {}  # bracket, rung, trial -> score
        self.asked: list[tuple[int, int, int]] = []

    def get_job(self) -> tuple[int, int, int] | None:
        """Return (bracket, rung, trial), None for nothing to do now."""
        if promotion := self._promotion():
            return promotion
        n = sum(not rung for _, rung, _ in self.asked)
        if n < self.size:
            for bracket in self.brackets:
                if self._to_start(bracket):
                    return bracket, 0, n
        self.exhausted = True  # which is seen when a trial is wanted
        return self._promotion()

    def _promotion(self) -> tuple[int, int, int] | None:
        for bracket, rungs in self.brackets.items():
            for k in reversed(range(len(rungs) - 1)):
                for trial in self._on_a_place(bracket, k):
                    if (bracket, k + 1, trial) not in self.asked:
                        return bracket, k + 1, trial
        return None

    def _to_start(self, bracket: int) -> int:
        started = sum((b, rung) == (bracket, 0) for b, rung, _ in self.asked)
        return 0 if self.exhausted else self.brackets[bracket][0].n_trials - started

    def _told(self, bracket: int, k: int) -> dict[int, float]:
        return {t: s for (b, rung, t), s in self.told.items() if (b, rung) == (bracket, k)}

    def _on_a_place(self, bracket: int, k: int) -> list[int]:
        scores = self._told(bracket, k)
        ranking = sorted(
            (-score, trial) for trial, score in scores.items() if math.isfinite(score)
        )
        places = math.floor(len(scores) / self.factor)
        places = max(places, self.brackets[bracket][k + 1].n_trials - self._coming(bracket, k))
        return [trial for _, trial in ranking[: max(0, places)]]

    def _coming(self, bracket: int, k: int) -> int:
        """Return how many may still be told on a rung: whoever can get there, step by step."""
        coming = self._to_start(bracket)
        for j in range(k + 1):
            scores = self._told(bracket, j)
            out = [t for b, r, t in self.asked if (b, r) == (bracket, j) and t not in scores]
            coming += len(out)
            if j == k:
                return coming
            most = math.floor((len(scores) + coming) / self.factor)
            most = max(most, self.brackets[bracket][j + 1].n_trials)
            ranking = sorted((-s, t) for t, s in scores.items() if math.isfinite(s))
            hopeful = [t for _, t in ranking[:most]]
            coming += sum((bracket, j + 1, t) not in self.asked for t in hopeful)
        raise AssertionError


@given(
    high=st.integers(1, 30),
    factor=st.sampled_from([Fraction(2), Fraction(3), Fraction(5, 2), Fraction(4)]),
    iterations=st.integers(1, 2),
    size=st.one_of(st.just(math.inf), st.integers(0, 40)),
    workers=st.integers(1, 30),
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0, 2, 5]),
)
def test_every_answer_follows_from_what_was_told(
    high: int,
    factor: Fraction,
    iterations: int,
    size: float,
    workers: int,
    seed: int,
    share: int,
) -> None:
    rng = random.Random(seed)
    rungs = hyperband_rungs(1, high, factor, iterations=iterations)
    scheduler = AsynchronousHyperbandScheduler(CountingSampler(size), rungs, factor)
    book = ByTheBook(rungs, factor, size)
    busy: list[Job] = []
    while True:
        answer = scheduler.ask() if len(busy) < workers else None
        if answer is not None:
            expected = book.get_job()
            if isinstance(answer, Job):
                assert expected == (answer.bracket, answer.rung, answer.trial)
                book.asked.append((answer.bracket, answer.rung, answer.trial))
                busy.append(answer)
                continue
            assert expected is None
            if answer is DONE:
                break
            assert answer is WAIT
        job = busy.pop(rng.randrange(len(busy)))
        score = rng.choice([math.nan, math.inf]) if share and rng.random() < 1 / share else 0.0
        score = score or rng.randrange(12) / 12  # ties are common
        book.told[job.bracket, job.rung, job.trial] = score
        scheduler.tell(job, Outcome(score))
    assert not busy


@given(
    st.integers(1, 60),
    st.fractions(min_value=1.5, max_value=5, max_denominator=4),
    st.integers(0, 80),
    st.booleans(),
    st.integers(1, 40),
)
def test_no_rung_gets_fewer_than_planned(
    high: int, factor: Fraction, size: int, uses_history: bool, workers: int
) -> None:
    rungs = hyperband_rungs(1, high, factor)
    sampler = CountingSampler(size, uses_history)
    scheduler = AsynchronousHyperbandScheduler(sampler, rungs, factor)
    assert scheduler.plan() == HyperbandScheduler(sampler, rungs).plan()
    run = drive(scheduler, workers, seed=0)
    done = {(rung.bracket, rung.rung): rung for rung in rungs_of(run.asked)}
    for planned in scheduler.plan():
        rung = done.pop((planned.bracket, planned.rung))
        assert rung.n_trials >= planned.n_trials
        assert replace(rung, n_trials=planned.n_trials) == planned
    assert not done


@given(
    size=st.one_of(st.just(math.inf), st.integers(0, 40)),
    uses_history=st.booleans(),
    workers=st.integers(1, 30),
    seed=st.integers(0, 10**6),
    stop=st.integers(0, 80),
)
def test_jobs_and_outcomes_are_all_that_it_depends_on(
    size: float, uses_history: bool, workers: int, seed: int, stop: int
) -> None:
    """A second one that is asked only where the first had a job goes on as the first does."""
    rungs = hyperband_rungs(1, 9, 3)
    first, second = (
        AsynchronousHyperbandScheduler(CountingSampler(size, uses_history), rungs, 3)
        for _ in range(2)
    )
    rng = random.Random(seed)
    busy: list[Job] = []
    for _ in range(stop):
        answer = first.ask() if len(busy) < workers else WAIT
        if isinstance(answer, Job):
            assert second.ask() == answer
            busy.append(answer)
        elif busy:
            job = busy.pop(rng.randrange(len(busy)))
            outcome = Outcome(rng.choice([math.nan, 0.1, 0.2, 0.3, 0.4]))
            for scheduler in (first, second):
                scheduler.tell(job, outcome)
    assert repr(first.trials) == repr(second.trials)
    assert first.ask() == second.ask()


def make(**params: object) -> AsynchronousHyperbandScheduler:
    sampler = CountingSampler(**params)  # type: ignore[arg-type]
    return AsynchronousHyperbandScheduler(sampler, hyperband_rungs(1, 9, 3), 3)


def ask(scheduler: Scheduler) -> Job:
    job = scheduler.ask()
    assert isinstance(job, Job)
    return job


@pytest.mark.parametrize("uses_history", [True, False])
def test_no_worker_waits_while_a_trial_is_to_start(uses_history: bool) -> None:
    scheduler = make(uses_history=uses_history)
    jobs = [ask(scheduler) for _ in range(9 + 5 + 3)]
    assert [job.bracket for job in jobs] == [0] * 9 + [1] * 5 + [2] * 3
    assert scheduler.ask() is WAIT


def test_the_earliest_bracket_promotes_first() -> None:
    scheduler = make()
    for job in [ask(scheduler) for _ in range(14)]:
        scheduler.tell(job, Outcome(job.trial / 100))
    promoted = [ask(scheduler) for _ in range(4)]
    assert [(job.bracket, job.rung, job.trial) for job in promoted] == [
        (0, 1, 8),
        (0, 1, 7),
        (0, 1, 6),
        (1, 1, 13),
    ]


def test_a_slow_trial_holds_up_no_other_bracket() -> None:
    scheduler = make(uses_history=True)
    slow = ask(scheduler)
    while isinstance(job := scheduler.ask(), Job):
        scheduler.tell(job, Outcome(job.trial / 100))
    assert job is WAIT
    others = [trial for trial in scheduler.trials if trial.id != slow.trial]
    assert len(others) == 16
    assert not any(trial.pending for trial in others)
    tops = {trial.bracket for trial in others if trial.resource == 9}
    assert tops == {0, 1, 2}


def test_what_is_certain_is_not_waited_for() -> None:
    """Five of twelve, but four of a third: the fifth goes on when it is certain to."""
    rungs = [Rung(0, 0, 12, 0, 1), Rung(0, 1, 5, 1, 3)]
    scheduler = AsynchronousHyperbandScheduler(CountingSampler(), rungs, 3)
    jobs = [ask(scheduler) for _ in range(12)]
    promoted = []
    for n, job in enumerate(jobs, start=1):
        scheduler.tell(job, Outcome(-job.trial))
        while isinstance(answer := scheduler.ask(), Job):
            promoted.append((n, answer.trial))
    assert promoted == [(3, 0), (6, 1), (9, 2), (11, 3), (12, 4)]


def test_one_bracket_is_asha() -> None:
    rungs = hyperband_rungs(1, 27, 3, brackets=1)
    for workers in (1, 7, 50):
        one = drive(AsynchronousHyperbandScheduler(CountingSampler(), rungs, 3), workers, 1)
        asha = drive(ASHAScheduler(CountingSampler(), 27, ladder(1, 27, 3), 3), workers, 1)
        assert one.events == asha.events


@given(st.integers(1, 20), st.integers(0, 99), st.sampled_from([2, 3]))
def test_few_states_are_kept(workers: int, seed: int, factor: int) -> None:
    """Who cannot be among the places of a rung is let go at once."""
    rungs = hyperband_rungs(1, 16, factor)
    scheduler = AsynchronousHyperbandScheduler(CountingSampler(), rungs, factor)
    rng = random.Random(seed)
    busy: list[tuple[float, int, Job]] = []
    alive: set[int] = set()
    places = sum(rung.n_trials for rung in rungs if rung.rung)
    while True:
        while len(busy) < workers and isinstance(answer := scheduler.ask(), Job):
            heapq.heappush(busy, (rng.random(), answer.trial, answer))
            alive.add(answer.trial)
        if not busy:
            break
        job = heapq.heappop(busy)[2]
        alive -= set(scheduler.tell(job, Outcome(rng.random())))
        assert len(alive) <= workers + 2 * places
    assert not alive


def test_with_history_each_trial_is_suggested_by_itself() -> None:
    scheduler = make(uses_history=True)
    drive(scheduler, workers=4, seed=0)
    assert scheduler.sampler.calls == [(i, 1) for i in range(17)]  # type: ignore[attr-defined]


def test_brackets_tell_who_stood_where() -> None:
    scheduler = make()
    assert scheduler.brackets == []
    run = drive(scheduler, workers=4, seed=1)
    stood = [
        (standing.rung, standing.trials)
        for bracket in scheduler.brackets
        for standing in bracket
    ]
    assert [rung for rung, _ in stood] == rungs_of(run.asked)
    for rung, trials in stood:
        where = (rung.bracket, rung.rung)
        assert trials == tuple(j.trial for j in run.asked if (j.bracket, j.rung) == where)


def test_an_empty_space_is_done_at_once() -> None:
    scheduler = make(size=0)
    assert scheduler.plan() == []
    assert scheduler.ask() is DONE


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least one rung"):
        AsynchronousHyperbandScheduler(CountingSampler(), [], 3)
    with pytest.raises(ValueError, match="factor must be"):
        AsynchronousHyperbandScheduler(CountingSampler(), hyperband_rungs(1, 9, 3), 1)
