"""Processor time of a process and of all that it starts."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

__all__ = ["CpuMeter"]


class CpuMeter:
    """Adds up processor time while it is entered.

    Other processes are looked at in Linux's ``/proc``, several times a second, since those
    that were not waited for leave no account; elsewhere they are not counted.

    Parameters
    ----------
    interval : float, default=0.25
        Seconds between looks. The last moments of a process that ends between two are lost.

    Attributes
    ----------
    seconds : float
        When it has been left: processor seconds.
    """

    def __init__(self, interval: float = 0.25) -> None:
        self._interval = interval

    def __enter__(self) -> CpuMeter:
        self._begin = time.process_time()
        self._first = descendants(os.getpid())
        self._last = dict(self._first)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()
        self._last |= descendants(os.getpid())
        others = sum(self._last.values()) - sum(self._first.values())
        self.seconds = time.process_time() - self._begin + others

    def _look(self) -> None:
        while not self._end.wait(self._interval):
            self._last |= descendants(os.getpid())


def descendants(root: int) -> dict[int, float]:
    """Return the processor seconds so far of each living process that `root` began."""
    parents, seconds = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        pid = int(file.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    found: dict[int, float] = {}
    family = {root}
    while family:
        family = {pid for pid, parent in parents.items() if parent in family}
        found |= {pid: seconds[pid] for pid in family}
    return found
