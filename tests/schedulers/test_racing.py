from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from contracts.scheduler import CountingSampler, Run, SchedulerContract, drive
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import hyperband_rungs, ladder
from sk_hpo.schedulers.asha import ASHAScheduler
from sk_hpo.schedulers.base import WAIT, Scheduler
from sk_hpo.schedulers.flat import FlatScheduler
from sk_hpo.schedulers.folds import AllFolds, FoldsAsResource, RisingFolds
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.schedulers.racing import FoldScheduler
from sk_hpo.schedulers.rules import Forgiving, Paired, Rule
from sk_hpo.trial import Job, Outcome

N_SPLITS = 5
RULES: list[Rule] = [Forgiving(), Paired(1 / (N_SPLITS - 1))]

Table = Callable[[int, int, int], float]


def table(seed: int, noise: float = 0.1, failing: float = 0.0) -> Table:
    """Return a score of (trial, resource, fold); `noise` is what folds disagree by."""

    def score(trial: int, resource: int, fold: int) -> float:
        rng = random.Random(f"{seed}-{trial}")
        level = rng.random()
        slow = rng.random() / resource
        rng = random.Random(f"{seed}-{trial}-{resource}-{fold}")
        if rng.random() < failing:
            return math.nan
        return level - slow + 0.05 * fold + noise * (rng.random() - 0.5)

    return score


def told(job: Job, score: Table, resource: int | None = None) -> Outcome:
    """Return the outcome of a job over folds, as the evaluator would."""
    assert job.folds is not None
    scores = [math.nan] * N_SPLITS
    results: list[Any] = [None] * N_SPLITS
    for fold in job.folds:
        scores[fold] = score(job.trial, job.stop if resource is None else resource, fold)
        results[fold] = ("ran", job.trial, fold, job.start, job.stop)
    run = [scores[fold] for fold in job.folds]
    bad = not all(map(math.isfinite, run))
    return Outcome(
        math.nan if bad else sum(run) / len(run),
        cost=len(run) * (job.stop - job.start),
        failure="Traceback" if bad else None,
        folds=tuple(results),
        scores=tuple(scores),
    )


def race(scheduler: Scheduler, workers: int, seed: int, score: Table) -> Run:
    """Run on simulated workers with a random order of arrival."""
    rng = random.Random(seed)
    run = Run(scheduler)
    busy: list[Job] = []
    while True:
        while len(busy) < workers and isinstance(answer := scheduler.ask(), Job):
            run.asked.append(answer)
            busy.append(answer)
        if not busy:
            assert scheduler.ask() is not WAIT
            return run
        job = busy.pop(rng.randrange(len(busy)))
        retired = list(scheduler.tell(job, told(job, score)))
        assert not set(retired) & set(run.retired)
        run.retired += retired


def flat(n: int = 20, uses_history: bool = False, batch: int = 1) -> Scheduler:
    return FlatScheduler(CountingSampler(uses_history=uses_history), n, batch)


def hyperband() -> Scheduler:
    return HyperbandScheduler(CountingSampler(), hyperband_rungs(1, 9, 3))


def asha() -> Scheduler:
    return ASHAScheduler(CountingSampler(), 27, ladder(1, 9, 3), 3)


class TestNoRule(SchedulerContract):
    def make(self) -> Scheduler:
        return FoldScheduler(hyperband(), AllFolds(3))


class TestNoRuleWithHistory(SchedulerContract):
    def make(self) -> Scheduler:
        return FoldScheduler(flat(23, uses_history=True, batch=5), AllFolds(3))


class TestNoRuleAsynchronous(SchedulerContract):
    def make(self) -> Scheduler:
        return FoldScheduler(asha(), AllFolds(3))


def one_after_the_other(n: int, rule: Rule, score: Table) -> dict[int, tuple[float, int]]:
    """Return (score, folds run) of each trial: a race of n trials as a plain loop."""
    best: np.ndarray | None = None
    found: dict[int, tuple[float, int]] = {}
    for trial in range(n):
        every = np.array([score(trial, 1, fold) for fold in range(N_SPLITS)])
        stop = N_SPLITS
        for m in range(1, N_SPLITS):
            if best is not None and m >= rule.least and rule.beaten(every[:m], best):
                stop = m
                break
        if stop == N_SPLITS:
            found[trial] = every.mean(), N_SPLITS
            if best is None or every.mean() > best.mean():
                best = every
        else:
            assert best is not None
            found[trial] = best.mean() + (every[:stop] - best[:stop]).mean(), stop
    return found


@given(st.integers(1, 25), st.integers(1, 12), st.integers(0, 10**6), st.sampled_from(RULES))
def test_a_flat_race_is_one_after_the_other_for_any_workers(
    n: int, workers: int, seed: int, rule: Rule
) -> None:
    score = table(seed, noise=0.4)
    scheduler = FoldScheduler(flat(n), AllFolds(N_SPLITS), rule)
    run = race(scheduler, workers, seed, score)
    expected = one_after_the_other(n, rule, score)
    for trial in scheduler.trials:
        mean, n_folds = expected[trial.id]
        assert trial.outcome.score == pytest.approx(mean, abs=1e-12)
        assert [r is not None for r in trial.outcome.folds] == [
            fold < n_folds for fold in range(N_SPLITS)
        ]
        assert [math.isfinite(s) for s in trial.outcome.scores] == [
            fold < n_folds for fold in range(N_SPLITS)
        ]
        assert trial.outcome.cost == n_folds
    # Folds that the plain loop does not run were never asked for.
    assert sum(len(job.folds or ()) for job in run.asked) == sum(
        n_folds for _, n_folds in expected.values()
    )
    assert sorted(run.retired) == list(range(n))


@pytest.mark.parametrize("rule", RULES, ids=["forgiving", "paired"])
@pytest.mark.parametrize("make", [flat, hyperband])
@pytest.mark.parametrize("rising", [False, True])
def test_workers_and_order_change_nothing(make: Any, rule: Rule, rising: bool) -> None:
    layout = RisingFolds(N_SPLITS, (1, 3, 9)) if rising else AllFolds(N_SPLITS)
    score = table(3, noise=0.3, failing=0.02)
    alone = race(FoldScheduler(make(), layout, rule), 1, 0, score)
    for workers in (2, 7, 100):
        run = race(FoldScheduler(make(), layout, rule), workers, workers, score)
        assert repr(run.scheduler.trials) == repr(alone.scheduler.trials)
        assert set(run.asked) == set(alone.asked)


@pytest.mark.parametrize("rule", RULES, ids=["forgiving", "paired"])
def test_with_history_too(rule: Rule) -> None:
    score = table(5, noise=0.3)
    runs = [
        race(
            FoldScheduler(flat(uses_history=True, batch=4), AllFolds(N_SPLITS), rule),
            workers,
            workers,
            score,
        )
        for workers in (1, 3, 50)
    ]
    assert len({repr(run.scheduler.trials) for run in runs}) == 1


def winner(scheduler: Scheduler, top: int) -> int:
    """Return the best of those that ran all folds at the highest resource."""
    full = [
        (-trial.outcomes[top].score, trial.id)
        for trial in scheduler.trials
        if top in trial.outcomes and all(map(math.isfinite, trial.outcomes[top].scores))
    ]
    return min(full)[1]


@given(st.integers(0, 10**6), st.sampled_from(RULES), st.sampled_from(["flat", "hyperband"]))
def test_without_noise_nothing_is_lost(seed: int, rule: Rule, kind: str) -> None:
    """The promoted are those of the search without a race, and so is the winner."""
    make, top = {"flat": (flat, 1), "hyperband": (hyperband, 9)}[kind]
    score = table(seed, noise=0.0)
    layout = AllFolds(N_SPLITS)
    full = race(FoldScheduler(make(), layout), 3, seed, score)
    raced = race(FoldScheduler(make(), layout, rule), 3, seed, score)
    assert [set(t.outcomes) for t in raced.scheduler.trials] == [
        set(t.outcomes) for t in full.scheduler.trials
    ]
    assert winner(raced.scheduler, top) == winner(full.scheduler, top)
    n_folds = [sum(len(job.folds or ()) for job in run.asked) for run in (raced, full)]
    assert n_folds[0] < n_folds[1]


@given(st.integers(0, 10**6), st.sampled_from(RULES), st.booleans(), st.integers(1, 20))
def test_who_is_dropped_ranks_below_those_that_go_on(
    seed: int, rule: Rule, rising: bool, workers: int
) -> None:
    layout = RisingFolds(N_SPLITS, (1, 3, 9)) if rising else AllFolds(N_SPLITS)
    scheduler = FoldScheduler(hyperband(), layout, rule)
    race(scheduler, workers, seed, table(seed, noise=0.5, failing=0.03))
    for bracket in scheduler.brackets:
        for below, above in pairwise(bracket):
            stop, start = below.rung.resource, below.rung.start
            wanted = len(layout.steps(start, stop))
            full = {
                trial: scheduler.trials[trial].outcomes[stop]
                for trial in below.trials
                if sum(map(math.isfinite, scheduler.trials[trial].outcomes[stop].scores))
                == wanted
            }
            assert set(above.trials) <= set(full)
            assert len(above.trials) == min(
                above.rung.n_trials, sum(not o.failed for o in full.values())
            )
            cut = min((full[trial].score for trial in above.trials), default=-math.inf)
            for trial in set(below.trials) - set(full):
                outcome = scheduler.trials[trial].outcomes[stop]
                assert outcome.failed or outcome.score < cut


def test_without_a_rule_each_job_is_whole_and_folds_rise() -> None:
    scheduler = FoldScheduler(hyperband(), RisingFolds(N_SPLITS, (1, 3, 9)))
    run = race(scheduler, 3, 0, table(0))
    reached: dict[tuple[int, int], int] = {}
    for job in run.asked:
        for fold in job.folds or ():
            assert reached.get((job.trial, fold), 0) == job.start < job.stop
            reached[job.trial, fold] = job.stop
    for trial in scheduler.trials:
        for resource, outcome in trial.outcomes.items():
            n_folds = {1: 2, 3: 4, 9: 5}[resource]
            assert [r is not None for r in outcome.folds] == [
                fold < n_folds for fold in range(N_SPLITS)
            ]
            ran = [table(0)(trial.id, resource, fold) for fold in range(n_folds)]
            assert outcome.score == pytest.approx(sum(ran) / n_folds)


def folds_ladder() -> Scheduler:
    return HyperbandScheduler(CountingSampler(), hyperband_rungs(1, N_SPLITS, 2))


@pytest.mark.parametrize("rule", [None, *RULES], ids=["no rule", "forgiving", "paired"])
@pytest.mark.parametrize("workers", [1, 4, 50])
def test_folds_as_a_resource_run_each_fold_once(rule: Rule | None, workers: int) -> None:
    scheduler = FoldScheduler(folds_ladder(), FoldsAsResource(N_SPLITS), rule)
    run = race(scheduler, workers, workers, table(1))
    done = [(job.trial, fold) for job in run.asked for fold in job.folds or ()]
    assert len(done) == len(set(done))
    assert {(job.start, job.stop, job.resumable) for job in run.asked} == {(0, 1, False)}
    n_full = 0
    for trial in scheduler.trials:
        for resource, outcome in trial.outcomes.items():
            ran = [fold for t, fold in done if t == trial.id and fold < resource]
            # The folds of earlier rungs are there too, and as they were.
            assert [fold for fold, r in enumerate(outcome.folds) if r] == sorted(ran)
            mean = np.mean([table(1)(trial.id, 1, fold) for fold in ran])
            if len(ran) == resource:
                n_full += 1
                assert outcome.score == pytest.approx(mean)
    assert n_full
    spent = sum(outcome.cost for t in scheduler.trials for outcome in t.outcomes.values())
    assert spent == len(done)


def test_folds_as_a_resource_means_are_over_the_same_folds() -> None:
    """On a rung r everyone has the first r folds, and the best of these go on."""
    scheduler = FoldScheduler(folds_ladder(), FoldsAsResource(N_SPLITS))
    score = table(2, noise=1.0)
    race(scheduler, 5, 2, score)
    for bracket in scheduler.brackets:
        for below, above in pairwise(bracket):
            r = below.rung.resource
            means = {t: sum(score(t, 1, fold) for fold in range(r)) / r for t in below.trials}
            best = sorted(means, key=lambda t: -means[t])[: above.rung.n_trials]
            assert list(above.trials) == best


def test_a_fold_that_fails_ends_the_race_of_its_trial() -> None:
    scheduler = FoldScheduler(flat(2), AllFolds(N_SPLITS), Forgiving())
    fails = table(0, failing=0.0)

    def score(trial: int, resource: int, fold: int) -> float:
        return math.nan if (trial, fold) == (1, 1) else fails(0, 1, fold)

    run = race(scheduler, 1, 0, score)
    assert [job.folds for job in run.asked] == [(0, 1, 2, 3, 4), (0,), (1,)]
    assert scheduler.trials[1].outcome.failed
    assert scheduler.trials[1].outcome.failure == "Traceback"


def test_first_folds_are_run_while_others_are_judged() -> None:
    scheduler = FoldScheduler(flat(4), AllFolds(N_SPLITS), Forgiving())
    jobs = [scheduler.ask() for _ in range(4)]
    assert [job.folds for job in jobs if isinstance(job, Job)] == [tuple(range(5))] + 3 * [(0,)]
    assert scheduler.ask() is WAIT
    for job in jobs[1:]:
        assert isinstance(job, Job)
        assert list(scheduler.tell(job, told(job, lambda *where: 0.5))) == []
    assert scheduler.ask() is WAIT  # the rival is not known
    assert isinstance(jobs[0], Job)
    # It was best, and the others are worse than its worst fold: all is decided at once.
    assert sorted(scheduler.tell(jobs[0], told(jobs[0], lambda *where: 0.75))) == [0, 1, 2, 3]


def test_asynchronously_nobody_waits_for_a_rival() -> None:
    scheduler = FoldScheduler(asha(), AllFolds(N_SPLITS), Forgiving())
    slow = scheduler.ask()
    while isinstance(job := scheduler.ask(), Job):
        scheduler.tell(job, told(job, table(0, noise=0.0)))
    assert isinstance(slow, Job)
    assert {t.id for t in scheduler.trials if t.pending} == {slow.trial}
    assert len(scheduler.trials) == 27


@pytest.mark.parametrize("workers", [1, 5, 40])
@pytest.mark.parametrize("rule", RULES, ids=["forgiving", "paired"])
def test_asha_never_promotes_who_was_dropped(workers: int, rule: Rule) -> None:
    scheduler = FoldScheduler(asha(), AllFolds(N_SPLITS), rule)
    run = race(scheduler, workers, 1, table(4, noise=0.2))
    dropped = 0
    for trial in scheduler.trials:
        for resource, outcome in trial.outcomes.items():
            if not all(map(math.isfinite, outcome.scores)):
                dropped += 1
                assert resource == trial.resource
    assert dropped
    assert sorted(run.retired) == list(range(27))
    assert any(9 in trial.outcomes for trial in scheduler.trials)


def test_a_job_that_is_not_out_is_an_error() -> None:
    scheduler = FoldScheduler(flat(2), AllFolds(N_SPLITS), Forgiving())
    job = scheduler.ask()
    assert isinstance(job, Job)
    outcome = told(job, table(0))
    for stranger in (replace(job, folds=(0,)), replace(job, folds=None), replace(job, stop=2)):
        with pytest.raises(ValueError, match="not outstanding"):
            scheduler.tell(stranger, outcome)
    scheduler.tell(job, outcome)
    with pytest.raises(ValueError, match="not outstanding"):
        scheduler.tell(job, outcome)


def test_the_plan_is_that_of_the_inner_one() -> None:
    assert FoldScheduler(hyperband(), AllFolds(3), Forgiving()).plan() == hyperband().plan()
    run = drive(FoldScheduler(hyperband(), AllFolds(3)), 2, 0)
    assert len(run.asked) == sum(rung.n_trials for rung in hyperband().plan())
