"""Run calls on a `concurrent.futures.Executor`: threads, loky, processes, any other.

Threads see the context itself. Other workers get it from a file (see `shared`), and get
each call as bytes that were pickled when it was submitted: a call is a snapshot, however
long it queues and whatever happens to its arguments meanwhile.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from traceback import format_exc
from typing import Any

import cloudpickle
from joblib import parallel_config

from sk_hpo.execution import shared
from sk_hpo.execution.base import Done, Executor

__all__ = ["PoolExecutor"]

# Worker side: the context that this process loaded last, by the path of its file.
_loaded: dict[str, Any] = {}


def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Run one call; what it would run in parallel itself, it runs one by one.

    The workers are busy with other calls, and one that waits for threads of its own while
    it holds a lock that they want would wait forever.
    """
    with parallel_config(backend="sequential"):
        return function(*args)


def _in_process(path: str, payload: bytes) -> Any:
    """Run one pickled call in a worker process, with the warning filters of the driver."""
    if path not in _loaded:
        _loaded.clear()
        _loaded[path] = shared.load(Path(path))
    context, filters = _loaded[path]
    function, args = cloudpickle.loads(payload)
    with warnings.catch_warnings():
        warnings.filters = list(filters)
        try:
            return _in_thread(function, context, *args)
        except Exception as error:
            if _travels(error):
                raise
            raise RuntimeError(f"{type(error).__name__}: {error}\n{format_exc()}") from None


def _travels(error: Exception) -> bool:
    """Whether an exception survives the way to another process; if not, it breaks the pool."""
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False


class PoolExecutor(Executor):
    """Runs calls on a pool of the standard library's interface.

    Parameters
    ----------
    pool : concurrent.futures.Executor
        Where the calls run.
    slots : int
        Number of its workers.
    owned : bool, default=True
        Whether `close` shuts the pool down. A borrowed pool only has its queued calls
        cancelled.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with PoolExecutor(ThreadPoolExecutor(2), slots=2) as executor:
    ...     executor.share([1, 2, 3])
    ...     executor.submit("sum", sum)
    ...     executor.wait()[0].result()
    6
    """

    def __init__(self, pool: futures.Executor, slots: int, *, owned: bool = True) -> None:
        self.slots = slots
        self.threaded = isinstance(pool, futures.ThreadPoolExecutor)
        self._pool = pool
        self._owned = owned
        self._folder: Path | None = None
        self._context: Any = None
        self._keys: dict[futures.Future[Any], Any] = {}

    def share(self, context: Any) -> None:
        if self.threaded:
            self._context = context
            return
        self._drop_folder()
        self._folder = Path(tempfile.mkdtemp(prefix="sk_hpo-"))
        shared.dump((context, list(warnings.filters)), self._folder / "context")

    def submit(self, key: Any, function: Callable[..., Any], *args: Any) -> None:
        if self.threaded:
            future = self._pool.submit(_in_thread, function, self._context, *args)
        else:
            if self._folder is None:
                self.share(None)
            assert self._folder is not None
            payload = cloudpickle.dumps((function, args))
            future = self._pool.submit(_in_process, str(self._folder / "context"), payload)
        self._keys[future] = key

    def wait(self) -> list[Done]:
        finished, _ = futures.wait(self._keys, return_when=futures.FIRST_COMPLETED)
        # In the order of submission: what a caller sees depends on as little as possible.
        order = [future for future in self._keys if future in finished]
        return [self._done(future) for future in order]

    def _done(self, future: futures.Future[Any]) -> Done:
        key = self._keys.pop(future)
        error = future.exception()
        return Done(key, error=error) if error is not None else Done(key, future.result())

    def close(self) -> None:
        for future in self._keys:
            future.cancel()
        try:
            futures.wait(self._keys)
        finally:  # also when a second Ctrl-C ends the waiting
            self._keys.clear()
            if self._owned:
                self._pool.shutdown(wait=True, cancel_futures=True)
            self._context = None
            self._drop_folder()

    def _drop_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
