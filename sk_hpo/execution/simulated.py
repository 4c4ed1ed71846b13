"""Run calls by a clock that only counts: thousands of workers, and no time passes.

As the simulated back end of Salinas, Seeger, Klein, Perrone, Wistuba, Archambeau: Syne
Tune: A Library for Large Scale Hyperparameter Tuning and Reproducible Research, AutoML
2022, section 4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from sk_hpo.execution.base import Done, Executor, TimedOut

__all__ = ["SimulatedExecutor"]


@dataclass(slots=True)
class _Call:
    """What was submitted, and what became of it."""

    key: Any
    function: Callable[..., Any]
    args: tuple[Any, ...]
    limit: float | None
    begin: float = 0.0
    late: bool = False


class SimulatedExecutor(Executor):
    """Gives each call a duration, and runs it here when the clock has come to its end.

    Workers take calls in the order of submission, each as soon as one is free. What a
    function raises is its call's error: one that raises `WorkerLost` plays a worker's
    death.

    Parameters
    ----------
    slots : int
        Number of workers, at least 1.
    duration : callable
        ``duration(*args)`` returns how long the call ``function(context, *args)`` takes, in
        whatever unit the clock shall have; finite and at least 0.

    Attributes
    ----------
    clock : float
        Time since the beginning: when the calls that `wait` returned last were finished.

    Raises
    ------
    ValueError
        If `slots` is less than 1; by `wait` or `submit`, if a duration is out of range.

    Examples
    --------
    >>> from sk_hpo.execution.simulated import SimulatedExecutor
    >>> executor = SimulatedExecutor(slots=2, duration=lambda hours: hours)
    >>> for hours in (3.0, 1.0, 4.0):
    ...     executor.submit(hours, lambda context, hours: None, hours)
    >>> [(executor.wait()[0].key, executor.clock) for _ in range(3)]
    [(1.0, 1.0), (3.0, 3.0), (4.0, 5.0)]
    >>> executor.utilisation
    0.8
    """

    def __init__(self, slots: int, duration: Callable[..., float]) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, got {slots!r}.")
        self.slots = slots
        self.clock = 0.0
        self._duration = duration
        self._context: Any = None
        self._queue: deque[_Call] = deque()
        # A heap by the end, and where ends are equal by the order of beginning.
        self._running: list[tuple[float, int, _Call]] = []
        self._n_begun = 0
        self._busy = 0.0  # of calls that are finished, summed over workers

    @property
    def utilisation(self) -> float:
        """Which share of the workers' time until now has been spent on calls; 0 at first."""
        if not self.clock:
            return 0.0
        busy = self._busy + sum(self.clock - call.begin for *_, call in self._running)
        return busy / (self.slots * self.clock)

    def share(self, context: Any) -> None:
        self._context = context

    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        self._queue.append(_Call(key, function, args, limit))
        self._begin()

    def wait(self) -> list[Done]:
        """Turn the clock to the next end of a call; return all calls that end then."""
        done: list[Done] = []
        while self._running and (not done or self._running[0][0] == self.clock):
            self.clock, _, call = heappop(self._running)
            self._busy += self.clock - call.begin
            done.append(self._run(call))
            self._begin()
        return done

    def cancel(self) -> list[Any]:
        keys = [call.key for call in self._queue]
        self._queue.clear()
        return keys

    def close(self) -> None:
        self._queue.clear()
        self._running.clear()
        self._context = None

    def wants_more(self, queued: int) -> bool:
        """Whether a worker is free: its call is there as soon as it is asked for."""
        return queued < self.slots

    def _begin(self) -> None:
        """Let free workers take calls."""
        while self._queue and len(self._running) < self.slots:
            call = self._queue.popleft()
            length = self._duration(*call.args)
            if not 0.0 <= length < float("inf"):
                raise ValueError(f"The call {call.key!r} has the duration {length!r}.")
            if call.limit is not None and length > call.limit:
                length, call.late = call.limit, True
            call.begin = self.clock
            heappush(self._running, (self.clock + length, self._n_begun, call))
            self._n_begun += 1

    def _run(self, call: _Call) -> Done:
        if call.late:
            return Done(call.key, error=TimedOut(f"It took longer than {call.limit!r}."))
        try:
            return Done(call.key, call.function(self._context, *call.args))
        except Exception as error:
            return Done(call.key, error=error)
