"""Run calls on process pools of the standard library's interface.

Workers get the context from a file (see `shared`). A pool whose worker dies takes its
other workers with it: `PoolExecutor` shares one pool among all places, as a user passes
it; in `lanes` every place has a pool of its own.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from sk_hpo.execution import shared
from sk_hpo.execution.base import Done, WorkerLost
from sk_hpo.execution.placed import Lost, PlacedExecutor, Run
from sk_hpo.execution.worker import Ticket, run_beside_file

__all__ = ["PoolExecutor", "ProcessExecutor"]


class ProcessExecutor(PlacedExecutor):
    """Base of executors whose places are workers of process pools.

    A subclass gives `_pool` and `_renewed`.
    """

    def __init__(
        self, slots: int, *, devices: Sequence[str] | None = None, max_retries: int = 2
    ) -> None:
        super().__init__(slots, devices=devices, max_retries=max_retries)
        self._folder: Path | None = None
        self._files = 0

    @abstractmethod
    def _pool(self, place: int) -> futures.Executor:
        """Return the pool that runs the calls of a place."""

    @abstractmethod
    def _renew(self, pool: futures.Executor) -> bool:
        """Put a new pool in place of a broken one; return whether there is a way."""

    def share(self, context: Any) -> None:
        path = self._file("context")
        shared.dump((context, list(warnings.filters)), path)
        self._home = str(path)

    def _file(self, suffix: str) -> Path:
        """Return the path of a new file in the folder of this executor."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sk_hpo-"))
        self._files += 1
        return self._folder / f"{self._files}.{suffix}"

    def _drop_folder(self) -> None:
        self._home = ""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # -- sending and receiving ------------------------------------------------------------

    def _start(self, run: Run) -> None:
        call, pool, trace = run.call, self._pool(run.place), self._file("trace")
        home, payload = call.work
        ticket = Ticket(home, payload, run.device, call.limit, trace)
        try:
            run.handle = pool.submit(run_beside_file, ticket)
            run.sent_to = (pool, trace)
        except Exception as error:  # it has not begun
            run.handle = futures.Future()
            run.handle.set_exception(error)
            run.sent_to = (pool, None)
        run.handle.add_done_callback(lambda _: self._landed(run, healthy=not _broken(run)))

    def _fate(self, run: Run) -> Done | Lost:
        if _broken(run):
            self._bury(run.sent_to[0], str(run.handle.exception()))
            assert run.fate is not None
            return run.fate
        try:
            return self._done(run, run.handle.result())
        except (Exception, futures.CancelledError) as error:
            return Done(run.call.key, error=error)

    def _bury(self, pool: futures.Executor, why: str) -> None:
        """Settle the fates of all that ran on a broken pool, and have a new one."""
        with self._lock:
            fallen = [
                run
                for run in self._running
                if run.sent_to[0] is pool and (_broken(run) or not run.handle.done())
            ]
            renewed = self._renew(pool)
        begun = self._begun([run for run in fallen if run.sent_to[1] is not None])
        traces = {run: _read(run.sent_to[1]) for run in begun}
        others = "none" if any(traces.values()) else "sure" if len(begun) == 1 else "maybe"
        for run in fallen:
            trace = traces.get(run, "")
            guilt = "sure" if trace else others if run in traces else "none"
            run.fate = Lost(why, trace, guilt)
            if not renewed and not trace:
                run.fate = Done(run.call.key, error=WorkerLost(_CANNOT_RENEW.format(why)))

    def _begun(self, fallen: list[Run]) -> list[Run]:
        """Return those of the runs on a broken pool, in the order of sending, that may run."""
        return fallen


_CANNOT_RENEW = (
    "A worker of the executor that you passed died, and all its workers with it. {}\n"
    "An executor of its kind cannot be started again from here: pass n_jobs instead, or a "
    "ProcessPoolExecutor."
)


def _broken(run: Run) -> bool:
    """Whether a run ended because its pool broke."""
    future = run.handle
    return (
        future.done()
        and not future.cancelled()
        and isinstance(future.exception(), futures.BrokenExecutor)
    )


def _read(trace: Path) -> str:
    try:
        return trace.read_text(errors="replace")
    except FileNotFoundError:
        return ""


class PoolExecutor(ProcessExecutor):
    """Runs calls on one pool of processes.

    Parameters
    ----------
    pool : concurrent.futures.Executor
        Where the calls run; its workers must see the temporary folder of this machine. A
        `concurrent.futures.ProcessPoolExecutor` that breaks is replaced by a new one.
    slots : int
        Number of its workers.
    devices : sequence of str or None, default=None
        One for each call that runs.
    max_retries : int, default=2
        How often a call is tried again after its worker died.
    owned : bool, default=True
        Whether `close` shuts the pool down. A borrowed pool only has its queued calls
        cancelled.
    """

    def __init__(
        self,
        pool: futures.Executor,
        slots: int,
        *,
        devices: Sequence[str] | None = None,
        max_retries: int = 2,
        owned: bool = True,
    ) -> None:
        super().__init__(slots, devices=devices, max_retries=max_retries)
        self._only = pool
        self._owned = owned

    def _pool(self, place: int) -> futures.Executor:
        return self._only

    def _renew(self, pool: futures.Executor) -> bool:
        if pool is not self._only:
            return True
        if not isinstance(pool, futures.ProcessPoolExecutor):
            return False
        self._only = _again(pool)
        if self._owned:
            pool.shutdown(wait=False)
        self._owned = True
        return True

    def close(self) -> None:
        handles = [run.handle for run in self._drop()]
        for handle in handles:
            handle.cancel()
        try:
            futures.wait(handles)
        finally:  # also when a second Ctrl-C ends the waiting
            if self._owned:
                self._only.shutdown(wait=True, cancel_futures=True)
            self._drop_folder()


def _again(pool: Any) -> futures.ProcessPoolExecutor:
    """Return a new pool that was made like `pool`, a ProcessPoolExecutor."""
    return futures.ProcessPoolExecutor(
        pool._max_workers,
        mp_context=pool._mp_context,
        initializer=pool._initializer,
        initargs=pool._initargs,
        max_tasks_per_child=pool._max_tasks_per_child,
    )
