"""Run calls through `joblib.Parallel`, for backends that others have registered.

All calls that are queued run together, and `wait` returns when the last has finished: a
barrier, but one that works on any backend. Errors come back as values: a joblib backend
whose calls raise ends its workers in the middle of what they do.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from joblib import Parallel, delayed

from sk_hpo.execution.base import Done, Executor, no_limit
from sk_hpo.execution.worker import portable

__all__ = ["BatchExecutor"]


def _call(
    home: tuple[int, list[Any]],
    context: Any,
    function: Callable[..., Any],
    args: Any,
    placed: dict[str, str],
) -> tuple[Any, BaseException | None]:
    """Run one call; in another process, with the warning filters of the driver."""
    driver, filters = home
    here = os.getpid() == driver
    try:
        if here:
            return function(context, *args, **placed), None
        with warnings.catch_warnings():
            warnings.filters = filters
            return function(context, *args, **placed), None
    except Exception as error:
        return None, error if here else portable(error)


class BatchExecutor(Executor):
    """Runs all queued calls in one go on joblib's active backend.

    Parameters
    ----------
    slots : int
        What `joblib.effective_n_jobs` gives.
    n_jobs : int or None, default=None
        As in `joblib.Parallel`.
    pre_dispatch : int or str, default="2*n_jobs"
        As in `joblib.Parallel`.
    devices : sequence of str or None, default=None
        One for each call of a batch; there are no more calls in a batch than devices.
    """

    threaded = True  # nothing is known of the backend
    shared_disk = False

    def __init__(
        self,
        slots: int,
        n_jobs: int | None = None,
        pre_dispatch: int | str = "2*n_jobs",
        devices: Sequence[str] | None = None,
    ) -> None:
        self.slots = slots if devices is None else min(slots, len(devices))
        self._devices = devices
        self._parallel = Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch)
        self._context: Any = None
        self._queue: list[tuple[Any, Callable[..., Any], tuple[Any, ...]]] = []

    def share(self, context: Any) -> None:
        self._context = context

    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        no_limit(limit, "a joblib backend")
        self._queue.append((key, function, args))

    def wait(self) -> list[Done]:
        n = len(self._queue) if self._devices is None else self.slots
        batch, self._queue = self._queue[:n], self._queue[n:]
        if not batch:
            return []
        placed = [{"device": name} for name in self._devices or ()] or [{}] * len(batch)
        home = (os.getpid(), list(warnings.filters))
        values = self._parallel(
            delayed(_call)(home, self._context, function, args, where)
            for (_, function, args), where in zip(batch, placed, strict=False)
        )
        return [
            Done(key, value, error)
            for (key, _, _), (value, error) in zip(batch, values, strict=True)
        ]

    def cancel(self) -> list[Any]:
        keys = [key for key, _, _ in self._queue]
        self._queue.clear()
        return keys

    def wants_more(self, queued: int) -> bool:
        return True

    def close(self) -> None:
        self._queue.clear()
        self._context = None
