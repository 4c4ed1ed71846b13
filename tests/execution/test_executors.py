from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from multiprocessing import get_context
from pathlib import Path
from textwrap import dedent

import joblib
import numpy as np
import pytest
from contracts.executor import (
    NoLimitContract,
    ProcessContract,
    add,
    die,
    drain,
    lines,
    overwrite,
    wait_for,
    when,
    where,
)

import sk_hpo
from sk_hpo.execution.base import WorkerLost
from sk_hpo.execution.batch import BatchExecutor
from sk_hpo.execution.choose import make_executor
from sk_hpo.execution.lanes import LaneExecutor
from sk_hpo.execution.serial import SerialExecutor
from sk_hpo.execution.threads import ThreadExecutor
from sk_hpo.execution.worker import forget


class TestSerial(NoLimitContract):
    def make(self, **options):
        return SerialExecutor(**options)

    def test_runs_in_this_thread_and_in_order(self):
        ran = []
        with self.make() as executor:
            executor.share(ran)
            for i in range(3):
                executor.submit(i, lambda context, i: context.append(i), i)
            assert [executor.wait()[0].key for _ in range(3)] == [0, 1, 2]
        assert ran == [0, 1, 2]


class TestThreads(NoLimitContract):
    def make(self, **options):
        return ThreadExecutor(ThreadPoolExecutor(2), slots=2, **options)

    def test_two_calls_run_at_the_same_time(self):
        barrier = threading.Barrier(2, timeout=30)
        with self.make() as executor:
            executor.share(barrier)
            for i in range(2):
                executor.submit(i, lambda context: context.wait())
            found = drain(executor, range(2))
        assert sorted(done.result() for done in found.values()) == [0, 1]


class TestLoky(ProcessContract):
    def make(self, **options):
        return make_executor(2, **options)

    def test_a_worker_may_write_to_arrays_and_no_one_else_sees_it(self):
        data = np.zeros(100_000)
        with self.make() as executor:
            executor.share(data)
            executor.submit(0, overwrite)
            assert executor.wait()[0].result() == 100_000.0
        assert data.sum() == 0.0

    def test_inner_threads_and_jobs_do_not_exceed_the_cores(self, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        with self.make() as executor:
            executor.share(None)
            executor.submit(0, lambda context: os.environ["OMP_NUM_THREADS"])
            threads = int(executor.wait()[0].result())
        assert threads == max(1, joblib.cpu_count() // 2)

    def test_workers_stay_warm_without_the_data(self, tmp_path):
        pids = []
        for _ in range(2):
            with self.make() as executor:
                executor.share(None)
                for i in range(6):
                    executor.submit(i, where)
                pids += [done.result()[0] for done in drain(executor, range(6)).values()]
        assert len(set(pids)) <= 2

        def loaded(context):
            return list(sys.modules["sk_hpo.execution.worker"]._loaded.values())

        with self.make() as executor:
            executor.submit(0, loaded)
            assert [context for context, _ in executor.wait()[0].result()] == [None]

    def test_a_death_leaves_its_neighbours_alone(self, tmp_path):
        note, gate, innocent = tmp_path / "note", tmp_path / "gate", tmp_path / "innocent"
        with self.make(max_retries=0) as executor:
            executor.submit("neighbour", wait_for, gate, innocent)
            while not innocent.exists():
                time.sleep(0.01)
            executor.submit("dies", die, note, "exit")
            (done,) = executor.wait()
            assert isinstance(done.error, WorkerLost)
            gate.touch()
            assert executor.wait()[0].result() == "through"
        assert len(innocent.read_text().split()) == 1


class TestLanes:
    """What calls do that were sent ahead, since those before them were short."""

    @pytest.fixture
    def executor(self):
        with LaneExecutor(1, max_retries=0) as executor:
            executor.share(0)
            for key in range(3):  # the first one waits for its worker to start
                executor.submit(key, add, key)
                executor.wait()
            yield executor

    def test_a_worker_does_not_wait_for_a_driver_that_is_busy(self, executor, tmp_path):
        gate, notes = tmp_path / "gate", [tmp_path / "0", tmp_path / "1"]
        for key, note in enumerate(notes):
            executor.submit(key, wait_for, gate, note)
        with executor._lock:  # no call is sent
            gate.touch()
            assert wait_for(None, notes[1]) == "through"
        drain(executor, range(2))

    def test_what_stays_is_not_searched_for_garbage(self, executor):
        executor.submit("during", lambda context: gc.get_freeze_count())
        assert executor.wait()[0].result() > 10_000
        executor._lanes[0].submit(forget).result()
        assert executor._lanes[0].submit(gc.get_freeze_count).result() == 0

    def test_one_that_waited_behind_a_killer_is_not_charged(self, executor, tmp_path):
        executor.submit("dies", die, tmp_path / "note", "exit")
        for key in range(4):
            executor.submit(key, add, key)
        found = drain(executor, ["dies", *range(4)])
        assert isinstance(found.pop("dies").error, WorkerLost)
        assert [(done.result(), done.losses) for done in found.values()] == [
            (key, 0) for key in found
        ]

    @pytest.mark.parametrize(("seconds", "unsent"), [(0.0, [2]), (0.5, [1, 2])])
    def test_after_a_long_call_nothing_is_sent_ahead(self, executor, tmp_path, seconds, unsent):
        executor.submit("last", lambda context: time.sleep(seconds))
        executor.wait()
        executor.submit(0, wait_for, tmp_path / "gate")
        for key in (1, 2):
            executor.submit(key, add, key)
        assert executor.cancel() == unsent
        (tmp_path / "gate").touch()
        drain(executor, {0, 1, 2} - set(unsent))


class Spawned:
    """A user's pool, which stays broken if it breaks; then the user makes another."""

    def __init__(self, factory):
        self.factory = factory
        self.pools = []

    def get(self):
        try:
            self.pools[-1].submit(int).result()
        except (IndexError, BrokenExecutor):
            self.pools.append(ProcessPoolExecutor(2, mp_context=get_context("spawn")))
            self.start_both()
        return self.pools[-1]

    def start_both(self):
        """Have two workers that the pool knows.

        The standard library's pool does not see the death of a worker that was started after
        its manager has begun to wait, until another call ends.
        """
        folder = self.factory.mktemp("spawned")
        gate, note = folder / "gate", folder / "note"
        calls = [self.pools[-1].submit(wait_for, None, gate, note) for _ in range(2)]
        with when(lambda: lines(note) == 2, gate.touch):
            for call in calls:
                call.result()


@pytest.fixture(scope="module")
def spawned(tmp_path_factory):
    spawned = Spawned(tmp_path_factory)
    yield spawned
    for pool in spawned.pools:
        pool.shutdown()


class TestProcesses(ProcessContract):
    closing_kills = False

    @pytest.fixture(autouse=True)
    def pool(self, spawned):
        self.spawned = spawned

    def make(self, **options):
        return make_executor(None, executor=self.spawned.get(), **options)

    def test_those_who_died_with_a_killer_are_not_charged(self, tmp_path):
        note, gate, innocent = tmp_path / "note", tmp_path / "gate", tmp_path / "innocent"
        with self.make(max_retries=0) as executor:
            executor.submit("neighbour", wait_for, gate, innocent)
            while not innocent.exists():
                time.sleep(0.01)
            executor.submit("dies", die, note, "kill")
            # One of them is tried again alone, and the neighbour waits for this gate.
            with when(lambda: lines(note) + lines(innocent) > 2, gate.touch):
                found = drain(executor, ["neighbour", "dies"])
            assert found["neighbour"].result() == "through"
            assert isinstance(found["dies"].error, WorkerLost)
        assert lines(note) == lines(innocent) == 2  # once among others, once alone


class Fragile(Executor):
    """Of a kind that is not known here."""

    def __init__(self):
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def submit(self, *args, **kwargs):
        return self.pool.submit(*args, **kwargs)

    def shutdown(self, *args, **kwargs):
        self.pool.shutdown(*args, **kwargs)


def test_a_broken_pool_of_an_unknown_kind_is_told(tmp_path):
    with Fragile() as pool, make_executor(1, executor=pool) as executor:
        for key in ("dies", "after"):
            executor.submit(key, die, tmp_path / "note", "exit", 1)
        for done in drain(executor, ["dies", "after"]).values():
            with pytest.raises(WorkerLost, match="pass n_jobs instead"):
                done.result()


def test_a_pool_that_was_shut_down_is_told():
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    pool.shutdown()
    with make_executor(None, executor=pool) as executor:
        executor.submit(0, add, 1)
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.wait()[0].result()


class TestBatch(NoLimitContract):
    def make(self, **options):
        return BatchExecutor(2, n_jobs=2, **options)

    test_the_context_reaches_each_worker_once = None  # joblib decides
    test_a_warning_of_many_calls_reaches_the_user_once = None

    def test_cancelled_calls_never_come_back(self, tmp_path):
        with self.make() as executor:
            for i in range(5):
                executor.submit(i, add, i)
            assert executor.cancel() == list(range(5))
            assert executor.wait() == []

    def test_an_error_does_not_end_the_calls_beside_it(self):
        def fail(context):
            raise KeyError("this call fails")

        with self.make() as executor:
            executor.share(1)
            executor.submit(0, fail)
            executor.submit(1, add, 1)
            found = drain(executor, range(2))
        assert isinstance(found[0].error, KeyError)
        assert found[1].result() == 2


def test_closing_waits_for_threads_and_cancels_the_rest():
    started = []

    def slow(context, i):
        context.append(i)
        time.sleep(0.05)

    executor = ThreadExecutor(ThreadPoolExecutor(1), slots=1)
    executor.share(started)
    for i in range(50):
        executor.submit(i, slow, i)
    executor.close()
    before = len(started)
    assert before < 50
    time.sleep(0.1)
    assert len(started) == before


def test_joblib_works_before_and_after_a_dead_worker(tmp_path):
    def pid(context=None):
        return os.getpid()

    for i in range(2):
        pids = joblib.Parallel(n_jobs=2)(joblib.delayed(pid)() for _ in range(4))
        assert os.getpid() not in pids
        with make_executor(2) as executor:
            executor.share(None)
            executor.submit(0, die, tmp_path / str(i), "kill", 1)
            assert executor.wait()[0].result() == "alive"


def test_a_script_ends_with_warm_workers_and_says_nothing():
    script = """
        from sk_hpo.execution.choose import make_executor
        if __name__ == "__main__":
            with make_executor(2) as executor:
                executor.share([1, 2])
                executor.submit(0, sum)
                print(executor.wait()[0].result())
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(script)],
        env={**os.environ, "PYTHONPATH": str(Path(sk_hpo.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("3\n", "", 0)
