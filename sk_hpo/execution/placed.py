"""The driver's half of every executor whose calls run elsewhere.

A call waits in a queue here until a place is free; a place runs one call at a time, and
has its own device where there are devices. What has been sent is known to run, so that a
worker's death costs what its place ran and nothing else. Where several places die
together nobody can tell who killed them: each of these calls is tried again alone.

Engines give `_start` (send a run, and call `_landed` when it has ended, from any thread)
and `_fate` (what came of it).
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle

from sk_hpo.execution import warned
from sk_hpo.execution.base import Done, Executor, TimedOut, WorkerLost

__all__ = ["Call", "Lost", "PlacedExecutor", "Run"]


@dataclass(eq=False, slots=True)
class Call:
    """What was submitted, until it is done."""

    number: int
    key: Any
    work: Any
    limit: float | None
    losses: int = 0
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The fate of a run whose worker died.

    Attributes
    ----------
    why : str
        What is known of the death.
    trace : str
        Where the call hung, if it was stopped for running too long.
    guilt : "sure", "maybe" or "none"
        Whether the call may have killed the worker.
    """

    why: str
    trace: str = ""
    guilt: str = "sure"


@dataclass(eq=False, slots=True)
class Run:
    """One attempt at a call, in one place.

    `handle` and `sent_to` are the engine's own; `fate` is known before the run lands if it
    was settled together with others.
    """

    call: Call
    place: int
    device: str | None
    handle: Any = None
    sent_to: Any = None
    fate: Done | Lost | None = None
    settled: bool = False


class PlacedExecutor(Executor):
    """Base of executors with places.

    Parameters
    ----------
    slots : int
        How many calls may run at the same time.
    devices : sequence of str or None, default=None
        One for each place; there are no more places than devices.
    max_retries : int, default=2
        How often a call is tried again after its worker died.
    """

    def __init__(
        self, slots: int, *, devices: Sequence[str] | None = None, max_retries: int = 2
    ) -> None:
        self.slots = slots if devices is None else min(slots, len(devices))
        self._devices = devices
        self._max_retries = max_retries
        self._submitted = 0
        self._open: dict[int, Call] = {}
        self._queue: deque[Call] = deque()
        self._suspects: deque[Call] = deque()
        self._free = list(reversed(range(self.slots)))
        self._running: dict[Run, None] = {}
        self._landings: deque[Run] = deque()
        self._news = threading.Event()
        self._ready: list[tuple[int, Done]] = []
        self._shown: set[Any] = set()
        self._lock = threading.RLock()
        self._home = ""  # name of what is shared; set by `share`

    # -- what an engine gives -------------------------------------------------------------

    @abstractmethod
    def _start(self, run: Run) -> None:
        """Send a run to a worker."""

    @abstractmethod
    def _fate(self, run: Run) -> Done | Lost:
        """Return what came of a run that has landed."""

    def _work(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return a call as it is kept: with what it shares with others, and a snapshot.

        Whatever happens to its arguments meanwhile, or is shared after it.
        """
        if not self._home:
            self.share(None)
        return self._home, cloudpickle.dumps((function, args))

    def _landed(self, run: Run, *, healthy: bool) -> None:
        """Note that a run has ended; if its place is `healthy`, send the next one there.

        The next call goes out before the driver looks at this one: a worker does not wait
        for a driver that is busy.
        """
        if healthy:
            with self._lock:
                self._release(run)
                self._dispatch()
        self._landings.append(run)
        self._news.set()

    # -- the contract ---------------------------------------------------------------------

    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        call = Call(self._submitted, key, self._work(function, args), limit)
        self._submitted += 1
        with self._lock:
            self._open[call.number] = call
            self._queue.append(call)
            self._dispatch()

    def wait(self) -> list[Done]:
        while self._open and not self._ready:
            self._news.wait(1)
            self._news.clear()
            while self._landings:
                # Taken out last: an interrupt on the way loses nothing.
                self._settle(self._landings[0])
                self._landings.popleft()
        # In the order of submission: what a caller sees depends on as little as possible.
        ready, self._ready = sorted(self._ready, key=lambda item: item[0]), []
        return [done for _, done in ready]

    def cancel(self) -> list[Any]:
        with self._lock:
            calls = sorted((*self._queue, *self._suspects), key=lambda call: call.number)
            self._queue.clear()
            self._suspects.clear()
            for call in calls:
                del self._open[call.number]
        return [call.key for call in calls]

    def _drop(self) -> list[Run]:
        """Forget all calls; return what still runs."""
        with self._lock:
            self._queue.clear()
            self._suspects.clear()
            self._open.clear()
            self._ready.clear()
            return [run for run in self._running if run.handle is not None]

    # -- sending --------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Send calls to free places. The lock is held."""
        while self._free and (call := self._next()) is not None:
            place = self._take_place()
            device = None if self._devices is None else self._devices[place]
            run = Run(call, place, device)
            self._running[run] = None
            try:
                self._start(run)
            except Exception as error:  # of an engine that was shut down, say
                run.fate = Done(call.key, error=error)
                self._landings.append(run)
                self._news.set()

    def _take_place(self) -> int:
        """Return a free place, free no more. The lock is held."""
        return self._free.pop()

    def _next(self) -> Call | None:
        """Return the next call to send; a suspect only if nothing else runs."""
        if any(run.call.suspect for run in self._running):
            return None
        if self._suspects:
            return None if self._running else self._suspects.popleft()
        return self._queue.popleft() if self._queue else None

    def _release(self, run: Run) -> None:
        """Free the place of a run. The lock is held."""
        if run in self._running:
            del self._running[run]
            self._free.append(run.place)

    # -- receiving ------------------------------------------------------------------------

    def _settle(self, run: Run) -> None:
        """Turn the fate of a run into a result, or send its call again."""
        call = run.call
        if call.number not in self._open or run.settled:
            return
        fate = run.fate or self._fate(run)
        with self._lock:
            run.settled = True
            self._release(run)
            done = self._after(call, fate) if isinstance(fate, Lost) else fate
            if done is not None:
                del self._open[call.number]
                self._ready.append((call.number, replace(done, losses=call.losses)))
            self._dispatch()

    def _after(self, call: Call, lost: Lost) -> Done | None:
        """Return what a call ends with after its worker died; None if it is tried again."""
        if lost.trace:
            message = f"The call ran longer than {call.limit} s and was stopped here:\n"
            return Done(call.key, error=TimedOut(message + _stack(lost.trace)))
        if lost.guilt == "sure" or (lost.guilt == "maybe" and call.suspect):
            call.losses += 1
        if lost.guilt == "maybe":
            call.suspect = True  # and runs alone from now on
        if call.losses > self._max_retries:
            return Done(call.key, error=WorkerLost(_obituary(call.losses, lost.why)))
        (self._suspects if call.suspect else self._queue).appendleft(call)
        return None

    def _done(self, run: Run, report: bytes) -> Done:
        """Return what a worker reports, having shown the user its warnings."""
        try:
            value, error, found = cloudpickle.loads(report)
            warned.show(found, self._shown)
        except Exception as raised:  # a value that only workers know, or a new filter
            return Done(run.call.key, error=raised)
        return Done(run.call.key, value, error)


def _stack(trace: str) -> str:
    """Return the frames of the thread that ran the call, down to where we called it.

    Without times and numbers of threads: calls that hung alike tell the same.
    """
    for thread in trace.split("\n\n"):
        frames, ours, _ = thread.partition(_OURS)
        if ours:
            told = frames[: frames.rindex("\n") + 1]
            lines = told.splitlines(keepends=True)
            return "".join(line for line in lines if line.startswith("  File"))
    return trace


# Where `watchdog` and `worker` are, as a traceback names them.
_OURS = f'{Path(__file__).parent / "worker.py"}"'


def _obituary(deaths: int, why: str) -> str:
    times = "once" if deaths == 1 else f"{deaths} times"
    return (
        f"The worker process that ran this call died, {times} in as many tries, and no other "
        f"call is to blame. {why}\nMost often the system had no more memory (run fewer "
        "calls at once, or train on less), or compiled code crashed (run the call in this "
        "process to see where)."
    )
