from __future__ import annotations

import os
import signal

import joblib
import pytest
from contracts.executor import Counted, ProcessContract, add, drain, lines, use

from sk_hpo.execution.choose import make_executor

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def other_machine(monkeypatch):
    """Make it seem that the workers do not see the driver's temporary folder."""
    monkeypatch.setattr("sk_hpo.execution.dask_client._sees", lambda path: False)


class TestDask(ProcessContract):
    closing_kills = True  # closing does not wait

    @pytest.fixture(autouse=True)
    def use_client(self, client):
        self.client = client
        client.wait_for_workers(2)

    def make(self, **options):
        return make_executor(None, executor=self.client, **options)

    def test_knows_the_cluster(self):
        with self.make() as executor:
            assert executor.slots == 2
            assert not executor.threaded
            assert executor.shared_disk
        with make_executor(1, executor=self.client) as executor:
            assert executor.slots == 1

    def test_the_active_backend_gives_the_client(self):
        with (
            joblib.parallel_config(backend="dask", client=self.client),
            make_executor(None) as executor,
        ):
            assert type(executor).__name__ == "DaskExecutor"
            executor.share(1)
            executor.submit(0, add, 1)
            assert executor.wait()[0].result() == 2

    def test_without_a_shared_disk_data_is_scattered(self, tmp_path, other_machine):
        note = tmp_path / "note"
        with self.make() as executor:
            assert not executor.shared_disk
            executor.share(Counted(note))
            for i in range(8):
                executor.submit(i, use, i)
            drain(executor, range(8))
            assert lines(note) <= 2

    def test_scattered_data_that_died_with_all_workers_is_sent_again(
        self, tmp_path, other_machine
    ):
        note = tmp_path / "note"
        with self.make() as executor:
            executor.share(Counted(note))
            for pid in self.client.run(os.getpid).values():
                os.kill(pid, signal.SIGKILL)
            for i in range(4):
                executor.submit(i, use, i)
            found = drain(executor, range(4))
            assert [found[i].result() for i in range(4)] == list(range(4))
        pids = note.read_text().split()
        assert len(pids) == len(set(pids))
