"""Run calls on a Dask cluster.

Dask itself runs a task again when its worker dies, and gives it up after a number of
deaths that the cluster's settings say. So that tries are counted here, a call leaves a
file on its worker's disk while it runs: the next try finds it, and reports instead of
running.

Workers that see the disk of this machine get the context from a file, others by Dask's
``scatter``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import distributed

from sk_hpo.execution import shared
from sk_hpo.execution.base import Done, no_limit
from sk_hpo.execution.placed import Lost, PlacedExecutor, Run
from sk_hpo.execution.worker import Ticket, run_beside_file, run_call

__all__ = ["DaskExecutor"]


def _begin(ticket: Ticket, packed: Any) -> bytes | Lost:
    """Run a call on a worker, unless it was begun before on this machine.

    What is shared is in the array `packed`; if that is None, in the file of its name.
    """
    folder = Path(tempfile.gettempdir()) / ticket.trace.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    trace = folder / ticket.trace.name
    if trace.exists():
        found = trace.read_text(errors="replace")
        trace.unlink()
        alone = distributed.get_worker().state.nthreads == 1
        return Lost("The log of the worker may say more.", found, "sure" if alone else "maybe")
    trace.touch()
    try:
        ticket = ticket._replace(trace=trace)
        if packed is None:
            return run_beside_file(ticket)
        return run_call(ticket, lambda: shared.unpack(packed))
    finally:
        trace.unlink(missing_ok=True)


def _pid() -> int:
    return os.getpid()


def _look(folder: str, name: str) -> str:
    """Return where a call hung, if this machine knows."""
    try:
        return (Path(tempfile.gettempdir()) / folder / name).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _sees(path: str) -> bool:
    return os.path.exists(path)


async def _clean(folder: str) -> None:
    shutil.rmtree(Path(tempfile.gettempdir()) / folder, ignore_errors=True)


class DaskExecutor(PlacedExecutor):
    """Runs each call as a task of its own.

    Parameters
    ----------
    client : distributed.Client
        Stays open.
    slots : int or None, default=None
        How many calls run at once; None for one on each thread of the cluster.
    devices : sequence of str or None, default=None
        One for each call that runs, wherever that is: names that every worker knows.
    max_retries : int, default=2
        How often a call is tried again after its worker died.
    """

    threaded = True  # a worker may have several threads

    def __init__(
        self,
        client: Any,
        slots: int | None = None,
        *,
        devices: Sequence[str] | None = None,
        max_retries: int = 2,
    ) -> None:
        if client.asynchronous:
            raise ValueError("The Dask client is asynchronous; give one that is not.")
        client.wait_for_workers(1)
        threads = client.nthreads()
        n = sum(threads.values())
        slots = n if slots is None or slots < 0 else slots
        super().__init__(slots, devices=devices, max_retries=max_retries)
        # LocalCluster(processes=False): nothing here may kill a worker.
        self.in_process = os.getpid() in client.run(_pid).values()
        self.threaded = self.in_process or max(threads.values()) > 1
        self._client = client
        self._folder = f"sk_hpo-{uuid.uuid4().hex}"  # each in its own temporary folder
        self._disk = Path(tempfile.mkdtemp(prefix="sk_hpo-"))
        self.shared_disk = all(client.run(_sees, str(self._disk)).values())
        self._homes: dict[str, tuple[Any, Any]] = {}  # name -> context, its future

    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        if self.in_process:
            no_limit(limit, "a Dask worker that is a thread of this process")
        super().submit(key, function, *args, limit=limit)

    def share(self, context: Any) -> None:
        self._home = str(self._disk / f"{len(self._homes)}.context")
        kept = (context, list(warnings.filters))
        if self.shared_disk:
            shared.dump(kept, Path(self._home))
            self._homes[self._home] = (None, None)
        else:
            self._scatter(self._home, kept)

    def _scatter(self, home: str, context: Any) -> None:
        packed = shared.pack(context)
        future = self._client.scatter(packed, broadcast=True, hash=False)
        self._homes[home] = (context, future)

    # -- sending and receiving ------------------------------------------------------------

    def _start(self, run: Run) -> None:
        call = run.call
        home, payload = call.work
        trace = Path(self._folder, f"{call.number}.trace")
        ticket = Ticket(home, payload, run.device, call.limit, trace)
        run.sent_to = self._homes[home][1]
        key = f"{self._folder}-{call.number}-{uuid.uuid4().hex}"
        run.handle = self._client.submit(_begin, ticket, run.sent_to, key=key, pure=False)
        run.handle.add_done_callback(
            lambda future: self._landed(run, healthy=future.status == "finished")
        )

    def _fate(self, run: Run) -> Done | Lost:
        call = run.call
        try:
            report = run.handle.result()
        except distributed.KilledWorker as error:
            found = self._client.run(_look, self._folder, f"{call.number}.trace")
            return Lost(str(error), next(filter(None, found.values()), ""))
        except futures.CancelledError as error:
            # All workers that had the data are gone.
            self._again(run)
            return Lost(str(error), guilt="none")
        except Exception as error:
            return Done(call.key, error=error)
        finally:
            run.handle.release()
        return report if isinstance(report, Lost) else self._done(run, report)

    def _again(self, run: Run) -> None:
        """Scatter the data of a run again, unless that was done for another run."""
        home = run.call.work[0]
        context, future = self._homes[home]
        if future is run.sent_to:
            self._scatter(home, context)

    def close(self) -> None:
        self._client.cancel([run.handle for run in self._drop()])
        self._homes.clear()  # and with its future the scattered data
        self._home = ""
        shutil.rmtree(self._disk, ignore_errors=True)
        self._client.run(_clean, self._folder, wait=False, on_error="ignore")
