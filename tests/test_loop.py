from __future__ import annotations

import math
import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo import loop
from sk_hpo.execution.base import Done, Executor, TimedOut, WorkerLost
from sk_hpo.execution.serial import SerialExecutor
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler
from sk_hpo.trial import Call, Job, Outcome, Reason, Trial


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

    def n_parts(self, job):
        return 3

    def calls(self, jobs, known=()):
        return [
            Call(lambda context, x: [context + x], (10 * job.trial + fold,), ((i, fold),))
            for i, job in enumerate(jobs)
            for fold in range(3)
            if (i, fold) not in known
        ]

    def arrived(self, job, part, value, losses):
        return value

    def lost(self, error, losses):
        return math.nan

    def outcome(self, job, values):
        assert values == sorted(values) or any(map(math.isnan, values))
        return Outcome(float(sum(values)))

    def release(self, trials):
        self.released += list(trials)


class Shuffled(Executor):
    """Finishes calls in random order, some together."""

    def __init__(self, slots, seed):
        self.slots = slots
        self.random = random.Random(seed)
        self.queue = []
        self.limits = []
        self.most = 0

    def share(self, context):
        self.context = context

    def submit(self, key, function, *args, limit=None):
        self.limits.append(limit)
        self.queue.append((key, function, args))
        self.most = max(self.most, len(self.queue))

    def wait(self):
        self.random.shuffle(self.queue)
        n = self.random.randint(1, len(self.queue))
        done, self.queue = self.queue[:n], self.queue[n:]
        return [Done(key, function(self.context, *args)) for key, function, args in done]

    def cancel(self):
        keys = [key for key, *_ in self.queue[self.slots :]]
        self.queue = self.queue[: self.slots]
        return keys

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

    def calls(self, jobs, known=()):
        self.together.append(len(jobs))
        wanted = [
            [(i, fold) for i in range(len(jobs)) for fold in folds if (i, fold) not in known]
            for folds in ((2, 0), (1,))
        ]
        return [
            Call(
                lambda context, xs: [context + x for x in xs],
                ([10 * jobs[i].trial + fold for i, fold in parts],),
                tuple(parts),
            )
            for parts in wanted
            if parts
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
        def calls(self, jobs, known=()):
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


# -- stopping ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_who_stops_it_is_asked_after_each_outcome_and_nothing_more_is_begun(seed):
    heard = []

    def stop(job, outcome):
        if job is not None:
            heard.append((job.trial, outcome.score))
        return "enough" if len(heard) >= 3 else None

    scheduler, evaluator, executor = Stages(9), Threefold(), Shuffled(slots=2, seed=seed)
    executor.share(1)
    assert loop.run(scheduler, evaluator, executor, stop=stop) == "enough"
    assert set(heard) <= set(scheduler.told) <= set(expected(9))
    assert 3 <= len(scheduler.told) < 9
    assert not executor.queue  # what had begun has come back


def test_who_stops_it_before_the_first_job_is_obeyed():
    scheduler = Stages(2)
    assert loop.run(scheduler, Threefold(), SerialExecutor(), stop=lambda *_: "no") == "no"
    assert (scheduler.told, scheduler.out) == ([], set())


def test_a_search_that_is_done_has_no_reason_to_stop():
    executor = SerialExecutor()
    executor.share(1)
    assert loop.run(Stages(2), Threefold(), executor, stop=lambda *_: None) is None


def test_ctrl_c_keeps_what_was_told():
    class Interrupted(SerialExecutor):
        n = 0

        def wait(self):
            self.n += 1
            if self.n == 8:  # two jobs of three parts, and one part of the third
                raise KeyboardInterrupt
            return super().wait()

    scheduler, executor = Stages(5), Interrupted()
    executor.share(1)
    assert loop.run(scheduler, Threefold(), executor) == "interrupt"
    assert scheduler.told == expected(2)


# -- what is lost --------------------------------------------------------------------------


class Fragile(Shuffled):
    """Loses every call that holds the part with number 11."""

    error = WorkerLost("it died")

    def wait(self):
        queued = {key: args for key, _, args in self.queue}
        return [
            Done(done.key, error=self.error) if 11 in ravel(queued[done.key]) else done
            for done in super().wait()
        ]


def ravel(args):
    [of] = args
    return of if isinstance(of, list) else [of]


@pytest.mark.parametrize("error", [WorkerLost("it died"), TimedOut("it hung")])
@pytest.mark.parametrize("make", [Threefold, lambda: Together(100)])
def test_a_part_that_kills_its_worker_costs_its_own_job_only(make, error):
    scheduler, evaluator, executor = Stages(5, 2), make(), Fragile(slots=2, seed=0)
    executor.error = error
    executor.share(1)
    assert loop.run(scheduler, evaluator, executor, limit=2.0) is None
    assert sorted(i for i, _ in scheduler.told) == list(range(7))
    assert {i for i, score in scheduler.told if math.isnan(score)} == {1}
    assert {pair for pair in scheduler.told if pair[0] != 1} == set(expected(7)) - {
        expected(7)[1]
    }
    assert set(executor.limits) <= {2.0 * n for n in range(1, 11)}  # by the parts of a call
    assert min(executor.limits) == 2.0


# -- records -------------------------------------------------------------------------------


class Kept:
    """A record that knows what another one has."""

    def __init__(self, events=()):
        self.events = []
        jobs = {e.number: e.job for e in events if isinstance(e, loop.Asked)}
        self.values = {
            (jobs[e.number].trial, e.part): e.value for e in events if isinstance(e, loop.Came)
        }

    def note(self, event):
        self.events.append(event)

    def known(self, job):
        return {p: self.values[job.trial, p] for p in range(3) if (job.trial, p) in self.values}


class Counted(Threefold):
    def __init__(self):
        super().__init__()
        self.n_run = 0

    def calls(self, jobs, known=()):
        calls = super().calls(jobs, known)
        self.n_run += len(calls)
        return calls


@settings(deadline=None)
@given(seed=st.integers(0, 99), cut=st.integers(0, 60), slots=st.integers(1, 4))
def test_a_run_goes_on_from_any_point_of_its_record(seed, cut, slots):
    sizes = (5, 1, 7, 2)
    record, executor = Kept(), Shuffled(slots, seed)
    executor.share(1)
    whole = Stages(*sizes)
    loop.run(whole, Threefold(), executor, record=record)
    events = record.events[:cut]

    scheduler, evaluator, executor = Stages(*sizes), Counted(), Shuffled(slots, seed + 1)
    executor.share(1)
    begun = loop.go_on(scheduler, evaluator, events)
    n_asked = sum(isinstance(event, loop.Asked) for event in events)
    record = Kept()
    loop.run(scheduler, evaluator, executor, begun=begun, n_asked=n_asked, record=record)
    assert sorted(scheduler.told) == sorted(whole.told) == expected(15)
    assert sorted(evaluator.released) == list(range(15))
    n_known = sum(isinstance(event, loop.Came) for event in events)
    assert evaluator.n_run == 3 * 15 - n_known  # nothing is run twice
    # Both records together are again one that a run can go on from.
    again = Stages(*sizes)
    assert loop.go_on(again, Threefold(), events + record.events) == []
    assert sorted(again.told) == expected(15)


def test_a_scheduler_that_asks_for_something_else_cannot_go_on():
    events = [loop.Asked(0, Job(3, (), 0, 1), Reason())]
    assert loop.go_on(Stages(5), Threefold(), events) is None


@pytest.mark.parametrize("cut", [0, 1, 7, 20, 44, 60])
@pytest.mark.parametrize("make", [Counted, lambda: Together(100)])
def test_what_is_known_of_other_jobs_is_not_run_again(cut, make):
    record, executor = Kept(), Shuffled(2, 0)
    executor.share(1)
    loop.run(Stages(5, 1, 7, 2), Threefold(), executor, record=record)
    known = Kept(record.events[:cut])
    scheduler, evaluator = Stages(6, 9), make()
    loop.run(scheduler, evaluator, executor, record=known)
    assert sorted(scheduler.told) == expected(15)
    if isinstance(evaluator, Counted):
        assert evaluator.n_run == 3 * 15 - len(known.values)
    # What was known is in the new record too.
    assert loop.go_on(Stages(6, 9), Threefold(), known.events) == []
