"""Run calls through `joblib.Parallel`, for every backend that joblib knows.

All calls that are queued run together, and `wait` returns when the last has finished: a
barrier, but one that works on dask, ray, multiprocessing and any backend that a user has
registered.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

from joblib import Parallel, delayed

from sk_hpo.execution.base import Done, Executor

__all__ = ["BatchExecutor"]


def _call(
    home: tuple[int, list[Any]], context: Any, function: Callable[..., Any], args: Any
) -> Any:
    """Run one call; in another process, with the warning filters of the driver."""
    driver, filters = home
    if os.getpid() == driver:
        return function(context, *args)
    with warnings.catch_warnings():
        warnings.filters = filters
        return function(context, *args)


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
    """

    def __init__(
        self, slots: int, n_jobs: int | None = None, pre_dispatch: int | str = "2*n_jobs"
    ) -> None:
        self.slots = slots
        self.threaded = True  # a Dask worker runs its tasks in threads
        self._parallel = Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch)
        self._context: Any = None
        self._queue: list[tuple[Any, Callable[..., Any], tuple[Any, ...]]] = []

    def share(self, context: Any) -> None:
        self._context = context

    def submit(self, key: Any, function: Callable[..., Any], *args: Any) -> None:
        self._queue.append((key, function, args))

    def wait(self) -> list[Done]:
        queue, self._queue = self._queue, []
        if not queue:
            return []
        home = (os.getpid(), list(warnings.filters))
        values = self._parallel(
            delayed(_call)(home, self._context, function, args) for _, function, args in queue
        )
        return [Done(key, value) for (key, _, _), value in zip(queue, values, strict=True)]

    def wants_more(self, queued: int) -> bool:
        return True

    def close(self) -> None:
        self._queue.clear()
        self._context = None
