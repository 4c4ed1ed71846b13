"""Run calls as Ray tasks; the context is put into Ray's object store once."""

from __future__ import annotations

import socket
import tempfile
import uuid
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sk_hpo.execution import shared
from sk_hpo.execution.base import Done
from sk_hpo.execution.placed import Lost, PlacedExecutor, Run
from sk_hpo.execution.worker import Ticket, run_call

__all__ = ["RayExecutor"]


def _begin(ticket: Ticket, packed: Sequence[Any]) -> bytes:
    """Run a call on a worker; `packed` is in a list lest Ray should fetch it each time."""
    trace = Path(tempfile.gettempdir(), ticket.trace)
    return run_call(ticket._replace(trace=trace), lambda: shared.unpack(ray.get(packed[0])))


def _host() -> str:
    return socket.gethostname()


def _look(name: Path) -> str:
    """Return where a call hung, if this machine knows."""
    trace = Path(tempfile.gettempdir(), name)
    try:
        found = trace.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    trace.unlink()
    return found


class RayExecutor(PlacedExecutor):
    """Runs each call as a task of one CPU.

    Parameters
    ----------
    slots : int or None, default=None
        How many calls run at once; None or -1 for as many as the cluster has CPUs.
    devices : sequence of str or None, default=None
        One for each call that runs, wherever that is: names that every node knows.
    max_retries : int, default=2
        How often a call is tried again after its worker died.
    """

    def __init__(
        self,
        slots: int | None = None,
        *,
        devices: Sequence[str] | None = None,
        max_retries: int = 2,
    ) -> None:
        if not ray.is_initialized():
            ray.init()
        cpus = int(ray.cluster_resources().get("CPU", 1))
        slots = cpus if slots is None or slots < 0 else slots
        super().__init__(slots, devices=devices, max_retries=max_retries)
        self.shared_disk = set(self._everywhere(_host)) == {_host()}
        # Tries are counted here, as on every engine.
        self._task = ray.remote(_begin).options(max_retries=0)
        self._name = f"sk_hpo-{uuid.uuid4().hex}"
        self._homes: dict[str, Any] = {}

    def share(self, context: Any) -> None:
        self._home = f"{self._name}-{len(self._homes)}"
        self._homes[self._home] = ray.put(shared.pack((context, list(warnings.filters))))

    # -- sending and receiving ------------------------------------------------------------

    def _start(self, run: Run) -> None:
        call = run.call
        home, payload = call.work
        trace = Path(f"{self._name}-{call.number}.trace")
        ticket = Ticket(home, payload, run.device, call.limit, trace)
        run.sent_to = self._task.remote(ticket, [self._homes[home]])
        run.handle = run.sent_to.future()
        run.handle.add_done_callback(
            lambda future: self._landed(run, healthy=not future.exception())
        )

    def _fate(self, run: Run) -> Done | Lost:
        error = run.handle.exception()
        if error is None:
            return self._done(run, run.handle.result())
        if not isinstance(error, ray.exceptions.RayError) or isinstance(
            error, (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError)
        ):
            return Done(run.call.key, error=error)
        trace = ""
        if run.call.limit is not None:
            name = Path(f"{self._name}-{run.call.number}.trace")
            trace = "".join(self._everywhere(_look, name))
        return Lost(str(error), trace)

    def _everywhere(self, function: Callable[..., Any], *args: Any) -> list[Any]:
        """Return what `function` returns on each node."""
        task, on = ray.remote(num_cpus=0)(function), NodeAffinitySchedulingStrategy
        nodes = [on(node["NodeID"], soft=True) for node in ray.nodes() if node["Alive"]]
        return [ray.get(task.options(scheduling_strategy=node).remote(*args)) for node in nodes]

    def close(self) -> None:
        for run in self._drop():
            ray.cancel(run.sent_to, force=True)
        self._homes.clear()
        self._home = ""
