"""Run calls here, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from sk_hpo.execution.base import Done, Executor

__all__ = ["SerialExecutor"]


class SerialExecutor(Executor):
    """Runs each call in `wait`, in the order of submission.

    An exception of a call leaves `wait` as it is, with its own traceback: there is no
    worker between the user and the error.

    Examples
    --------
    >>> with SerialExecutor() as executor:
    ...     executor.share(10)
    ...     executor.submit("sum", lambda context, x: context + x, 5)
    ...     [done.result() for done in executor.wait()]
    [15]
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._queue: deque[tuple[Any, Callable[..., Any], tuple[Any, ...]]] = deque()

    def share(self, context: Any) -> None:
        self._context = context

    def submit(self, key: Any, function: Callable[..., Any], *args: Any) -> None:
        self._queue.append((key, function, args))

    def wait(self) -> list[Done]:
        if not self._queue:
            return []
        key, function, args = self._queue.popleft()
        return [Done(key, function(self._context, *args))]

    def wants_more(self, queued: int) -> bool:
        return queued == 0

    def close(self) -> None:
        self._queue.clear()
        self._context = None
