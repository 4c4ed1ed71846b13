"""End the process when a call runs too long, and write down where it hung.

Python's `faulthandler` does it from a thread of its own in C: it needs no interpreter, so
that it ends a fit that holds the GIL or waits in compiled code.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["limited"]

_lock = threading.Lock()
_deadlines: dict[int, tuple[float, IO[str]]] = {}  # by thread: calls may overlap in threads


@contextmanager
def limited(limit: float | None, path: Path) -> Iterator[None]:
    """End this process if the block runs longer than `limit` seconds.

    Parameters
    ----------
    limit : float or None
        Seconds; None for no limit.
    path : Path
        A file that appears with the block and goes with it. If the process is ended, it
        holds a traceback of every thread.
    """
    if limit is None:
        yield
        return
    me = threading.get_ident()
    with open(path, "w") as file:
        with _lock:
            _deadlines[me] = (time.monotonic() + limit, file)
            _arm()
        try:
            yield
        finally:
            with _lock:
                del _deadlines[me]
                _arm()
    path.unlink(missing_ok=True)


def _arm() -> None:
    """Set the one watchdog of the process to the first deadline. The lock is held."""
    if not _deadlines:
        faulthandler.cancel_dump_traceback_later()
        return
    deadline, file = min(_deadlines.values(), key=lambda item: item[0])
    left = max(deadline - time.monotonic(), 1e-3)
    faulthandler.dump_traceback_later(left, exit=True, file=file)
