"""End a worker process when a call runs too long, or when nobody waits for it any more.

A call that runs too long is ended by Python's `faulthandler`, which writes down where it
hung, from a thread of its own in C: it needs no interpreter, so that it ends a fit that
holds the GIL or waits in compiled code.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["limited", "serve"]

_LOOK = 2.0  # seconds between two looks at the driver

_lock = threading.Lock()
_deadlines: dict[int, tuple[float, IO[str]]] = {}  # by thread: calls may overlap in threads


def serve(driver: int) -> None:
    """Begin the life of a worker process whose parent is the process `driver`.

    A terminal sends Ctrl-C to all processes, and the driver decides for all. A driver that
    was killed takes its workers with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
