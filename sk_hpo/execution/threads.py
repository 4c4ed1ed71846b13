"""Run calls in threads of this process, which see the context itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

from sk_hpo.execution.base import Done, no_limit
from sk_hpo.execution.placed import PlacedExecutor, Run
from sk_hpo.execution.worker import sequentially

__all__ = ["ThreadExecutor"]


class ThreadExecutor(PlacedExecutor):
    """Runs calls in the threads of a pool.

    Parameters
    ----------
    pool : concurrent.futures.ThreadPoolExecutor
        Where the calls run.
    slots : int
        Number of its threads.
    devices : sequence of str or None, default=None
        One for each call that runs.
    owned : bool, default=True
        Whether `close` shuts the pool down.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadExecutor(ThreadPoolExecutor(2), slots=2) as executor:
    ...     executor.share([1, 2, 3])
    ...     executor.submit("sum", sum)
    ...     executor.wait()[0].result()
    6
    """

    threaded = True

    def __init__(
        self,
        pool: futures.ThreadPoolExecutor,
        slots: int,
        *,
        devices: Sequence[str] | None = None,
        owned: bool = True,
    ) -> None:
        super().__init__(slots, devices=devices)
        self._pool = pool
        self._owned = owned
        self._context: Any = None

    def share(self, context: Any) -> None:
        self._context = context

    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        no_limit(limit, "a thread")
        super().submit(key, function, *args)

    def _work(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return (function, self._context, *args)

    def _start(self, run: Run) -> None:
        run.handle = self._pool.submit(sequentially, run.device, *run.call.work)
        run.handle.add_done_callback(lambda _: self._landed(run, healthy=True))

    def _fate(self, run: Run) -> Done:
        error = run.handle.exception()
        value = None if error is not None else run.handle.result()
        return Done(run.call.key, value, error)

    def close(self) -> None:
        handles = [run.handle for run in self._drop()]
        for handle in handles:
            handle.cancel()
        try:
            futures.wait(handles)  # a thread cannot be stopped
        finally:  # also when a second Ctrl-C ends the waiting
            self._context = None
            if self._owned:
                self._pool.shutdown(wait=False)
