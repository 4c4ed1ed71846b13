from __future__ import annotations

import math
from typing import Any

import pytest
from contracts.executor import ExecutorContract
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.execution.base import TimedOut, WorkerLost
from sk_hpo.execution.simulated import SimulatedExecutor


def as_long_as(hours: float, *rest: Any) -> float:
    return hours


class Simulated(ExecutorContract):
    # Nothing that is simulated needs a device.
    test_each_running_call_has_a_device_of_its_own = None  # type: ignore[assignment]


class TestOneWorker(Simulated):
    def make(self) -> SimulatedExecutor:
        return SimulatedExecutor(1, lambda *args: 1.0)


class TestManyWorkersAndCallsThatTakeNoTime(Simulated):
    def make(self) -> SimulatedExecutor:
        return SimulatedExecutor(50, lambda *args: 0.0)


def run(executor: SimulatedExecutor, lengths: list[float]) -> list[tuple[Any, float]]:
    """Return (number of the call, when it ended) in the order of the ends."""
    for i, hours in enumerate(lengths):
        executor.submit(i, lambda context, hours: None, hours)
    ends = []
    while done := executor.wait():
        ends += [(d.key, executor.clock) for d in done]
    return ends


def minute_by_minute(slots: int, lengths: list[int]) -> tuple[dict[int, int], int]:
    """Let each worker do its work step by step; return when calls ended, and time worked."""
    left: list[tuple[int, int] | None] = [None] * slots
    queue = list(enumerate(lengths))
    ends: dict[int, int] = {}
    clock = worked = 0
    while True:
        for worker in range(slots):
            while left[worker] is None and queue:
                call, length = queue.pop(0)
                if length:
                    left[worker] = call, length
                else:
                    ends[call] = clock
        if not any(left):
            return ends, worked
        clock += 1
        for worker in range(slots):
            if (now := left[worker]) is not None:
                worked += 1
                left[worker] = (now[0], now[1] - 1) if now[1] > 1 else None
                if now[1] == 1:
                    ends[now[0]] = clock


@given(st.integers(1, 6), st.lists(st.integers(0, 9), max_size=25))
def test_ends_and_utilisation_are_those_of_a_clock_that_ticks(
    slots: int, lengths: list[int]
) -> None:
    executor = SimulatedExecutor(slots, as_long_as)
    ends = run(executor, [float(length) for length in lengths])
    expected, worked = minute_by_minute(slots, lengths)
    assert dict(ends) == expected
    assert [end for _, end in ends] == sorted(expected.values())
    makespan = max(expected.values(), default=0)
    assert executor.clock == makespan
    share = worked / (slots * makespan) if makespan else 0.0
    assert executor.utilisation == pytest.approx(share)


def test_a_call_is_run_when_it_ends() -> None:
    executor = SimulatedExecutor(2, as_long_as)
    for hours in (2.0, 1.0, 3.0):
        executor.submit(hours, lambda context, hours: executor.clock, hours)
    assert [executor.wait()[0].result() for _ in range(3)] == [1.0, 2.0, 4.0]


def test_calls_that_end_together_come_together_in_the_order_of_beginning() -> None:
    executor = SimulatedExecutor(3, as_long_as)
    for key, hours in [("b", 1.0), ("a", 1.0), ("c", 2.0), ("d", 1.0)]:
        executor.submit(key, lambda context, hours: None, hours)
    assert [[done.key for done in executor.wait()] for _ in range(2)] == [
        ["b", "a"],
        ["c", "d"],
    ]


def test_utilisation_counts_what_is_running() -> None:
    executor = SimulatedExecutor(2, as_long_as)
    assert executor.utilisation == 0.0
    for hours in (1.0, 4.0):
        executor.submit(hours, lambda context, hours: None, hours)
    executor.wait()
    assert executor.utilisation == 1.0
    executor.wait()
    assert executor.utilisation == 5 / 8


def test_what_has_not_begun_can_be_withdrawn() -> None:
    executor = SimulatedExecutor(2, as_long_as)
    for i in range(5):
        executor.submit(i, lambda context, hours: None, 1.0)
    assert executor.cancel() == [2, 3, 4]
    assert [done.key for done in executor.wait()] == [0, 1]
    assert executor.wait() == []


def test_a_call_beyond_its_limit_is_stopped_then() -> None:
    ran = []
    executor = SimulatedExecutor(1, as_long_as)
    for hours in (5.0, 3.0):
        executor.submit(hours, lambda context, hours: ran.append(hours), hours, limit=3.0)
    [late] = executor.wait()
    assert isinstance(late.error, TimedOut)
    assert executor.clock == 3.0
    assert executor.wait()[0].error is None
    assert (executor.clock, ran) == (6.0, [3.0])


def test_a_worker_that_dies_is_played_by_an_error() -> None:
    def dies(context: Any, hours: float) -> None:
        raise WorkerLost("killed")

    executor = SimulatedExecutor(1, as_long_as)
    executor.submit("lost", dies, 2.0)
    [done] = executor.wait()
    assert isinstance(done.error, WorkerLost)
    assert executor.clock == 2.0


def test_a_ctrl_c_is_nobodys_error() -> None:
    def interrupt(context: Any, hours: float) -> None:
        raise KeyboardInterrupt

    executor = SimulatedExecutor(1, as_long_as)
    executor.submit(0, interrupt, 1.0)
    with pytest.raises(KeyboardInterrupt):
        executor.wait()


def test_wants_a_call_for_each_free_worker_and_no_more() -> None:
    executor = SimulatedExecutor(3, as_long_as)
    assert [executor.wants_more(n) for n in range(5)] == [True, True, True, False, False]


@pytest.mark.parametrize("length", [-1.0, math.nan, math.inf])
def test_a_duration_that_is_none(length: float) -> None:
    executor = SimulatedExecutor(1, as_long_as)
    with pytest.raises(ValueError, match=rf"call 'x' has the duration {length!r}"):
        executor.submit("x", lambda context, hours: None, length)


def test_no_workers() -> None:
    with pytest.raises(ValueError, match="slots must be at least 1, got 0"):
        SimulatedExecutor(0, as_long_as)
