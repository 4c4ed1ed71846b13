"""Run calls here, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sk_hpo.execution.base import Done, Executor, no_limit

__all__ = ["SerialExecutor"]


class SerialExecutor(Executor):
    """Runs each call in `wait`, in the order of submission.

    An exception of a call leaves `wait` as it is, with its own traceback: there is no
    worker between the user and the error.

    Parameters
    ----------
    devices : sequence of str or None, default=None
        The first is passed to every call as ``device``.

    Examples
    --------
    >>> with SerialExecutor() as executor:
    ...     executor.share(10)
    ...     executor.submit("sum", lambda context, x: context + x, 5)
    ...     [done.result() for done in executor.wait()]
    [15]
    """

    def __init__(self, devices: Sequence[str] | None = None) -> None:
        self._placed = {"device": devices[0]} if devices else {}
        self._context: Any = None
        self._queue: deque[tuple[Any, Callable[..., Any], tuple[Any, ...]]] = deque()

    def share(self, context: Any) -> None:
        self._context = context

    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        no_limit(limit, "this process")
        self._queue.append((key, function, args))

    def wait(self) -> list[Done]:
        if not self._queue:
            return []
        key, function, args = self._queue.popleft()
        return [Done(key, function(self._context, *args, **self._placed))]

    def cancel(self) -> list[Any]:
        keys = [key for key, _, _ in self._queue]
        self._queue.clear()
        return keys

    def wants_more(self, queued: int) -> bool:
        return queued == 0

    def close(self) -> None:
        self._queue.clear()
        self._context = None
