from __future__ import annotations

import os
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import joblib
import numpy as np
import pytest
from contracts.executor import ExecutorContract, add, overwrite, where

from sk_hpo.execution import shared
from sk_hpo.execution.batch import BatchExecutor
from sk_hpo.execution.choose import make_executor
from sk_hpo.execution.pool import PoolExecutor
from sk_hpo.execution.serial import SerialExecutor


class TestSerial(ExecutorContract):
    def make(self):
        return SerialExecutor()

    def test_runs_in_this_thread_and_in_order(self):
        ran = []
        with self.make() as executor:
            executor.share(ran)
            for i in range(3):
                executor.submit(i, lambda context, i: context.append(i), i)
            assert [executor.wait()[0].key for _ in range(3)] == [0, 1, 2]
        assert ran == [0, 1, 2]


class TestThreads(ExecutorContract):
    def make(self):
        return PoolExecutor(ThreadPoolExecutor(2), slots=2)

    def test_two_calls_run_at_the_same_time(self):
        barrier = threading.Barrier(2, timeout=30)
        with self.make() as executor:
            executor.share(barrier)
            for i in range(2):
                executor.submit(i, lambda context: context.wait())
            found = []
            while len(found) < 2:
                found += [done.result() for done in executor.wait()]
        assert sorted(found) == [0, 1]


class TestLoky(ExecutorContract):
    def make(self):
        return make_executor(2)

    def test_runs_elsewhere(self):
        with self.make() as executor:
            assert not executor.threaded
            executor.submit(0, where)
            assert executor.wait()[0].result()[0] != os.getpid()

    def test_a_worker_may_write_to_arrays_and_no_one_else_sees_it(self):
        data = np.zeros(100_000)
        with self.make() as executor:
            executor.share(data)
            executor.submit(0, overwrite)
            assert executor.wait()[0].result() == 100_000.0
        assert data.sum() == 0.0

    def test_a_call_is_a_snapshot(self):
        argument = [1]
        with self.make() as executor:
            executor.share([])
            executor.submit(0, add, argument)
            argument.append(2)
            assert executor.wait()[0].result() == [1]

    def test_warning_filters_travel(self):
        def warn(context):
            warnings.warn("filtered", RuntimeWarning, stacklevel=1)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with self.make() as executor:
                executor.share(None)
                executor.submit(0, warn)
                with pytest.raises(RuntimeWarning, match="filtered"):
                    executor.wait()[0].result()

    def test_inner_threads_and_jobs_do_not_exceed_the_cores(self, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        with self.make() as executor:
            executor.share(None)
            executor.submit(0, lambda context: os.environ["OMP_NUM_THREADS"])
            threads = int(executor.wait()[0].result())
        assert threads == max(1, joblib.cpu_count() // 2)


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__("only one argument travels")


def test_an_exception_that_cannot_travel_is_told_and_the_pool_lives():
    def fail(context):
        raise Unpicklable(1, 2)

    with make_executor(2) as executor:
        executor.share(1)
        executor.submit(0, fail)
        with pytest.raises(RuntimeError, match=r"(?s)Unpicklable: only one argument.*in fail"):
            executor.wait()[0].result()
        executor.submit(1, add, 1)
        assert executor.wait()[0].result() == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestProcesses(ExecutorContract):
    def make(self):
        pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
        return PoolExecutor(pool, slots=2)


class TestBatch(ExecutorContract):
    def make(self):
        return BatchExecutor(2, n_jobs=2)

    def test_an_error_reaches_the_caller(self):
        # All calls of a batch end together, so the error ends the wait itself.
        def fail(context):
            raise KeyError("this call fails")

        with self.make() as executor:
            executor.submit(0, fail)
            with pytest.raises(KeyError):
                executor.wait()


@pytest.mark.parametrize(
    ("n_jobs", "backend", "kind", "slots"),
    [
        (None, None, SerialExecutor, 1),
        (1, None, SerialExecutor, 1),
        (2, None, PoolExecutor, 2),
        (2, "threading", PoolExecutor, 2),
        (None, "threading", SerialExecutor, 1),
        (2, "multiprocessing", BatchExecutor, 2),
        (-1, "loky", None, joblib.cpu_count()),
    ],
)
def test_joblib_settings_choose_the_executor(n_jobs, backend, kind, slots):
    if backend is None:
        executor = make_executor(n_jobs)
    else:
        with joblib.parallel_config(backend=backend):
            executor = make_executor(n_jobs)
    with executor:
        assert executor.slots == slots
        assert kind is None or isinstance(executor, kind)


def test_parallel_config_gives_the_number_of_jobs():
    with joblib.parallel_config(backend="threading", n_jobs=3), make_executor(None) as executor:
        assert executor.slots == 3
        assert executor.threaded


def test_a_search_inside_a_worker_does_not_start_more_processes():
    def inner(context):
        with make_executor(2) as executor:
            return type(executor).__name__

    with make_executor(2) as executor:
        executor.share(None)
        executor.submit(0, inner)
        assert executor.wait()[0].result() == "SerialExecutor"


def test_shared_objects_keep_values_order_and_layout(tmp_path):
    fortran = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    obj = {"a": np.arange(5), "b": [fortran, "text"], "c": np.zeros((0, 3))}
    obj["f"] = lambda x: x + 1
    shared.dump(obj, tmp_path / "file")
    back = shared.load(tmp_path / "file")
    np.testing.assert_array_equal(back["a"], obj["a"])
    np.testing.assert_array_equal(back["b"][0], fortran)
    assert back["b"][0].flags.f_contiguous
    assert back["c"].shape == (0, 3)
    assert back["f"](1) == 2
    assert back["a"].flags.writeable
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_shared_files_are_never_overwritten(tmp_path):
    shared.dump(1, tmp_path / "file")
    with pytest.raises(FileExistsError):
        shared.dump(2, tmp_path / "file")


def test_closing_waits_for_what_runs_and_cancels_the_rest():
    started = []

    def slow(context, i):
        context.append(i)
        time.sleep(0.05)

    executor = PoolExecutor(ThreadPoolExecutor(1), slots=1)
    executor.share(started)
    for i in range(50):
        executor.submit(i, slow, i)
    executor.close()
    assert len(started) < 50


def test_joblib_works_before_and_after():
    def pid(context=None):
        return os.getpid()

    for _ in range(2):
        pids = joblib.Parallel(n_jobs=2)(joblib.delayed(pid)() for _ in range(4))
        assert os.getpid() not in pids
        with make_executor(2) as executor:
            executor.share(None)
            executor.submit(0, pid)
            assert executor.wait()[0].result() != os.getpid()
