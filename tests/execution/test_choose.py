from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor

import joblib
import pytest
from joblib.parallel import BACKENDS

from sk_hpo.execution.batch import BatchExecutor
from sk_hpo.execution.choose import make_executor
from sk_hpo.execution.lanes import LaneExecutor
from sk_hpo.execution.serial import SerialExecutor
from sk_hpo.execution.threads import ThreadExecutor


class Registered(BACKENDS["threading"].__mro__[2]):  # of joblib, but none of its own
    def effective_n_jobs(self, n_jobs):
        return 3


@pytest.fixture
def registered():
    joblib.register_parallel_backend("mine", Registered)
    yield
    del BACKENDS["mine"]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("n_jobs", "backend", "kind", "slots"),
    [
        (None, None, SerialExecutor, 1),
        (1, None, SerialExecutor, 1),
        (2, None, LaneExecutor, 2),
        (2, "threading", ThreadExecutor, 2),
        (None, "threading", SerialExecutor, 1),
        (2, "multiprocessing", LaneExecutor, 2),
        (2, "mine", BatchExecutor, 3),
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


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_a_limit_asks_for_processes(n_jobs):
    with make_executor(n_jobs, limited=True) as executor:
        assert isinstance(executor, LaneExecutor)
        assert executor.slots == (n_jobs or 1)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("backend", ["threading", "mine"])
def test_a_limit_is_refused_where_nothing_can_be_killed(backend):
    with (
        joblib.parallel_config(backend=backend, n_jobs=2),
        pytest.raises(ValueError, match="time limit needs worker processes"),
    ):
        make_executor(None, limited=True)


def test_a_thread_pool_of_the_user_is_used_and_stays_open():
    with ThreadPoolExecutor(3) as pool:
        with make_executor(None, executor=pool) as executor:
            assert isinstance(executor, ThreadExecutor)
            assert executor.slots == 3
        with pytest.raises(ValueError, match="a ThreadPoolExecutor has none"):
            make_executor(None, executor=pool, limited=True)
        assert pool.submit(int).result() == 0


def test_what_cannot_be_an_executor_is_told():
    with pytest.raises(ValueError, match=r"How many calls .* Give n_jobs"):
        make_executor(None, executor=Executor())
    with pytest.raises(TypeError, match="executor='loky' is neither"):
        make_executor(2, executor="loky")
    with pytest.raises(ValueError, match=r"\['cuda:0'\] for one"):
        make_executor(2, devices="cuda:0")
    with pytest.raises(ValueError, match="give a list of names"):
        make_executor(2, devices=[])
