from __future__ import annotations

import random
from itertools import accumulate, pairwise

import pytest

from sk_hpo import loop
from sk_hpo.execution.base import Done, Executor
from sk_hpo.execution.serial import SerialExecutor
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.trial import Call, Job, Outcome, Trial


class Stages(Scheduler):
    """`sizes[k]` jobs at a time, each stage only after the one before it."""

    def __init__(self, *sizes):
        ends = list(accumulate(sizes, initial=0))
        self.stages = [list(range(*pair)) for pair in pairwise(ends)]
        self.out = set()
        self.told = []
        self.trials = [Trial(i, ()) for i in range(sum(sizes))]

    def ask(self):
        while self.stages and not self.stages[0]:
            if self.out:
                return WAIT
            self.stages.pop(0)
        if not self.stages:
            return WAIT if self.out else DONE
        trial = self.stages[0].pop(0)
        self.out.add(trial)
        return Job(trial, (), 0, 1)

    def tell(self, job, outcome):
        self.out.remove(job.trial)
        self.told.append((job.trial, outcome.score))
        return (job.trial,)

    def plan(self):
        return []


class Threefold:
    """Three parts per job, each a call; the outcome is their sum."""

    appetite = 1

    def __init__(self):
        self.released = []

    def calls(self, jobs):
        return [
            Call(lambda context, x: [context + x], (10 * job.trial + fold,), ((i, fold),))
            for i, job in enumerate(jobs)
            for fold in range(3)
        ]

    def outcome(self, job, values):
        assert values == sorted(values)
        return Outcome(float(sum(values)))

    def release(self, trials):
        self.released += list(trials)


class Shuffled(Executor):
    """Finishes calls in random order, some together."""

    def __init__(self, slots, seed):
        self.slots = slots
        self.random = random.Random(seed)
        self.queue = []
        self.most = 0

    def share(self, context):
        self.context = context

    def submit(self, key, function, *args):
        self.queue.append((key, function, args))
        self.most = max(self.most, len(self.queue))

    def wait(self):
        self.random.shuffle(self.queue)
        n = self.random.randint(1, len(self.queue))
        done, self.queue = self.queue[:n], self.queue[n:]
        return [Done(key, function(self.context, *args)) for key, function, args in done]

    def close(self):
        pass


def expected(n):
    return [(i, 3 * (1 + 10 * i) + 3.0) for i in range(n)]


def test_serial_runs_every_job_once_and_releases_it():
    scheduler, evaluator, executor = Stages(2, 3, 1), Threefold(), SerialExecutor()
    executor.share(1)
    loop.run(scheduler, evaluator, executor)
    assert scheduler.told == expected(6)
    assert evaluator.released == list(range(6))


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_finishing_gives_the_same(seed):
    scheduler, evaluator = Stages(5, 1, 7, 2), Threefold()
    executor = Shuffled(slots=4, seed=seed)
    executor.share(1)
    loop.run(scheduler, evaluator, executor)
    assert sorted(scheduler.told) == expected(15)
    # Asked as late as possible: never more than a job beyond what keeps the slots busy.
    assert executor.most <= 2 * 4 + 3


class Together(Threefold):
    """Two calls for all jobs at hand: folds 2 and 0 of each, and fold 1."""

    def __init__(self, appetite):
        super().__init__()
        self.appetite = appetite
        self.together = []

    def calls(self, jobs):
        self.together.append(len(jobs))
        return [
            Call(
                lambda context, xs: [context + x for x in xs],
                ([10 * job.trial + fold for job in jobs for fold in folds],),
                tuple((i, fold) for i in range(len(jobs)) for fold in folds),
            )
            for folds in ((2, 0), (1,))
        ]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("appetite", [1, 2, 100])
def test_a_call_may_hold_parts_of_many_jobs(seed, appetite):
    scheduler, evaluator = Stages(5, 1, 7, 2), Together(appetite)
    executor = Shuffled(slots=3, seed=seed)
    executor.share(1)
    loop.run(scheduler, evaluator, executor)
    assert sorted(scheduler.told) == expected(15)
    assert sorted(evaluator.released) == list(range(15))
    assert max(evaluator.together) == min(appetite, 7)
    if appetite == 100:
        assert evaluator.together == [5, 1, 7, 2]  # all that may run, and no more


def test_an_error_of_a_call_ends_the_search():
    class Failing(Threefold):
        def calls(self, jobs):
            return [Call(lambda context: 1 / 0, (), ((0, 0),))]

    with pytest.raises(ZeroDivisionError):
        loop.run(Stages(1), Failing(), SerialExecutor())


def test_a_scheduler_that_waits_for_nothing_is_an_error_and_not_a_hang():
    class Stuck(Stages):
        def ask(self):
            return WAIT

    with pytest.raises(RuntimeError, match="waits, but no job is out"):
        loop.run(Stuck(1), Threefold(), SerialExecutor())


def test_nothing_to_do_is_done_at_once():
    scheduler = Stages()
    loop.run(scheduler, Threefold(), SerialExecutor())
    assert scheduler.told == []
