from __future__ import annotations

import builtins

import joblib
import pytest
from contracts.executor import ProcessContract, add

from sk_hpo.execution.choose import make_executor

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    own = builtins.print  # Ray puts its own in its place
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()
    builtins.print = own


class TestRay(ProcessContract):
    def make(self, **options):
        return make_executor(None, executor="ray", **options)

    def test_knows_the_cluster(self):
        with self.make() as executor:
            assert executor.slots == 2
            assert not executor.threaded
            assert executor.shared_disk
        with make_executor(1, executor="ray") as executor:
            assert executor.slots == 1

    def test_the_active_backend_gives_tasks(self):
        from ray.util.joblib import register_ray

        register_ray()
        with joblib.parallel_config(backend="ray"), make_executor(-1) as executor:
            assert type(executor).__name__ == "RayExecutor"
            assert executor.slots == 2
            executor.share(1)
            executor.submit(0, add, 1)
            assert executor.wait()[0].result() == 2
