"""Run calls on worker processes of our own, each of them a pool of one.

A worker that dies takes nothing else with it, and what it ran is known. Workers are
loky's, as joblib's are, and stay warm between searches as joblib's do.

Where calls are short, the next one is sent before a worker is done, which then need not wait
for the driver to hear of it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent import futures
from multiprocessing.util import Finalize
from typing import Any

from joblib.externals import loky

from sk_hpo.execution.placed import Run
from sk_hpo.execution.pool import ProcessExecutor
from sk_hpo.execution.worker import begin, forget

__all__ = ["LaneExecutor"]

# The longest call that the next one waits behind, in seconds: a search that is told to stop
# runs what was sent.
_SHORT = 0.25

# An idle worker goes after this many seconds; joblib's own value.
_IDLE = 300

_lock = threading.Lock()
_warm: dict[Any, list[futures.Executor]] = {}  # idle lanes, by process and environment


class LaneExecutor(ProcessExecutor):
    """Runs each call in one of `slots` worker processes.

    Parameters
    ----------
    slots : int
        How many.
    environment : mapping of str to str, default={}
        Their environment variables, beside those of this process.
    devices : sequence of str or None, default=None
        One for each worker; there are no more workers than devices.
    max_retries : int, default=2
        How often a call is tried again after its worker died.

    Examples
    --------
    >>> with LaneExecutor(2) as executor:
    ...     executor.share([1, 2, 3])
    ...     executor.submit("sum", sum)
    ...     executor.wait()[0].result()
    6
    """

    def __init__(
        self,
        slots: int,
        *,
        environment: Mapping[str, str] | None = None,
        devices: Sequence[str] | None = None,
        max_retries: int = 2,
    ) -> None:
        super().__init__(slots, devices=devices, max_retries=max_retries)
        self._environment = dict(environment or {})
        self._lanes = _take(self.slots, self._environment)
        self._used: set[int] = set()
        self._sent: dict[Run, float] = {}
        self._double: set[int] = set()  # places that are in `_free` twice, but for what runs

    def _take_place(self) -> int:
        load = Counter(run.place for run in self._running)
        place = min(reversed(self._free), key=load.__getitem__)
        self._free.remove(place)
        return place

    def _start(self, run: Run) -> None:
        self._sent[run] = time.monotonic()
        super()._start(run)

    def _release(self, run: Run) -> None:
        super()._release(run)
        sent = self._sent.pop(run, None)
        if sent is None:
            return
        short = time.monotonic() - sent < _SHORT
        if short and run.place not in self._double:
            self._double.add(run.place)
            self._free.append(run.place)
        elif not short and run.place in self._double:
            self._double.remove(run.place)
            self._free.remove(run.place)

    def _begun(self, fallen: list[Run]) -> list[Run]:
        return fallen[:1]

    def _pool(self, place: int) -> futures.Executor:
        self._used.add(place)
        return self._lanes[place]

    def _renew(self, pool: futures.Executor) -> bool:
        # Its process is dead and its thread ends by itself: there is nothing to wait for.
        pool.shutdown(wait=False)
        self._lanes = [_lane(self._environment) if p is pool else p for p in self._lanes]
        return True

    def close(self) -> None:
        running = self._drop()
        for run in running:
            # loky trips over a call that goes between its submission and its beginning.
            while not (run.handle.running() or run.handle.done()):
                time.sleep(0.001)
        busy = {id(run.sent_to[0]) for run in running}
        lanes, self._lanes = self._lanes, []
        try:
            for place, lane in enumerate(lanes):
                if id(lane) not in busy:
                    _keep(lane, self._environment, loaded=place in self._used)
            for lane in lanes:
                if id(lane) in busy:  # nobody wants what it runs
                    lane.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]
        finally:
            self._drop_folder()


def _lane(environment: Mapping[str, str]) -> futures.Executor:
    pool: futures.Executor = loky.ProcessPoolExecutor(
        1,
        timeout=_IDLE,
        env=dict(environment),
        initializer=begin,
        initargs=(os.getpid(),),
    )
    return pool


def _take(n: int, environment: Mapping[str, str]) -> list[futures.Executor]:
    """Return `n` lanes, the warm ones first; those of other settings go."""
    mine = _key(environment)
    with _lock:
        found = [_warm[mine].pop() for _ in range(min(n, len(_warm.get(mine, ()))))]
        others = [_warm.pop(key) for key in list(_warm) if key != mine]
    for lane in (lane for lanes in others for lane in lanes):
        lane.shutdown(wait=False)
    return found + [_lane(environment) for _ in range(n - len(found))]


def _keep(lane: futures.Executor, environment: Mapping[str, str], *, loaded: bool) -> None:
    """Keep an idle lane for the next search, without the data of this one."""
    if loaded:
        try:
            lane.submit(forget)
        except futures.BrokenExecutor:
            return
    with _lock:
        if not any(pid == os.getpid() for pid, _ in _warm):
            # A process that `multiprocessing` has begun waits for its children before it ends.
            Finalize(None, _end_all, exitpriority=100)
        _warm.setdefault(_key(environment), []).append(lane)


def _end_all() -> None:
    with _lock:
        mine = [_warm.pop(key) for key in list(_warm) if key[0] == os.getpid()]
    for lane in (lane for lanes in mine for lane in lanes):
        lane.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]


def _key(environment: Mapping[str, str]) -> Any:
    return os.getpid(), tuple(sorted(environment.items()))
