"""What every executor must do.

Subclass `ExecutorContract`, or `ProcessContract` where calls run in processes that may
die, and give `make`.
"""

from __future__ import annotations

import operator
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from sk_hpo.execution.base import Done, Executor, TimedOut, WorkerLost

# Workers need not have the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def add(context: Any, x: Any) -> Any:
    return context + x


def fail(context: Any) -> None:
    raise KeyError("this call fails")


class Unpicklable(Exception):
    def __init__(self, one: Any, two: Any) -> None:
        super().__init__("only one argument travels")


def fail_unpicklably(context: Any) -> None:
    raise Unpicklable(1, 2)


def return_unpicklable(context: Any) -> Any:
    return threading.Lock()


def where(context: Any) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def first_row(context: Any) -> list[float]:
    return list(context[0])


def overwrite(context: Any) -> float:
    context += 1.0
    return float(context.sum())


def wait_for(context: Any, gate: Path, note: Path | None = None) -> str:
    """Return when there is a file `gate`; write a line to `note` at the beginning."""
    if note is not None:
        write_line(note, os.getpid())
    for _ in range(6000):
        if gate.exists():
            return "through"
        time.sleep(0.01)
    raise AssertionError("nobody opened the gate")


def write_line(path: Path, text: Any) -> None:
    with open(path, "a") as file:
        file.write(f"{text}\n")


def die(context: Any, note: Path, how: str, times: int = 1000) -> str:
    """Kill the worker, the first `times` that this is called."""
    write_line(note, os.getpid())
    if len(note.read_text().split()) > times:
        return "alive"
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still here")


def hang_here(context: Any, note: Path) -> None:
    write_line(note, os.getpid())
    # Holds the GIL: no signal handler and no other thread of python would run.
    sum(iter(int, 1))


class Counted:
    """Notes each time that it is unpickled, and where."""

    def __init__(self, note: Path) -> None:
        self.note = note

    def __reduce__(self) -> Any:
        return rebuild, (self.note,)


def rebuild(note: Path) -> Counted:
    write_line(note, os.getpid())
    return Counted(note)


def use(context: Counted, i: int) -> int:
    time.sleep(0.02)
    return i


def warn(context: Any, i: int) -> int:
    warnings.warn("beware", UserWarning, stacklevel=1)
    return i


def occupy(context: Any, folder: Path, device: str) -> str:
    """Return the device; fail if another call has it now."""
    with open(folder / device.replace(":", "-"), "x") as file:
        time.sleep(0.02)
    os.unlink(file.name)
    return device


def drain(executor: Executor, keys: Iterable[Any]) -> dict[Any, Done]:
    """Return what came of `keys`, and assert that nothing else comes."""
    missing, found = set(keys), {}
    while missing:
        finished = executor.wait()
        assert finished
        for done in finished:
            missing.remove(done.key)
            found[done.key] = done
    assert executor.wait() == []
    return found


class ExecutorContract:
    """Subclasses give `make`; all tests use nothing else."""

    def make(self, **options: Any) -> AbstractContextManager[Executor]:
        """Return an executor of two slots, if it can have more than one."""
        raise NotImplementedError

    # -- values and errors ----------------------------------------------------------------

    def test_values_come_back_under_their_keys(self) -> None:
        with self.make() as executor:
            executor.share(100)
            for i in range(7):
                executor.submit(("key", i), add, i)
            found = drain(executor, [("key", i) for i in range(7)])
            assert {key: done.result() for key, done in found.items()} == {
                ("key", i): 100 + i for i in range(7)
            }

    def test_values_do_not_depend_on_the_order_of_submission(self) -> None:
        with self.make() as executor:
            executor.share(100)
            answers = []
            for order in (range(5), reversed(range(5))):
                for i in order:
                    executor.submit(i, add, i)
                answers.append({k: d.result() for k, d in drain(executor, range(5)).items()})
            assert answers[0] == answers[1]

    def test_functions_without_a_name_travel(self) -> None:
        offset = 5
        with self.make() as executor:
            executor.share({"a": 1})
            executor.submit(0, lambda context, x: context["a"] + x + offset, 10)
            assert executor.wait()[0].result() == 16

    def test_an_error_reaches_the_caller(self) -> None:
        with self.make() as executor:
            executor.share(None)
            executor.submit(0, fail)
            with pytest.raises(KeyError, match="this call fails"):
                executor.wait()[0].result()

    def test_an_error_that_cannot_travel_is_told_and_the_workers_live(self) -> None:
        with self.make() as executor:
            executor.share(1)
            executor.submit(0, fail_unpicklably)
            with pytest.raises((RuntimeError, Unpicklable), match="only one argument travels"):
                executor.wait()[0].result()
            executor.submit(1, add, 1)
            assert executor.wait()[0].result() == 2

    def test_arrays_are_shared_whole(self) -> None:
        data = np.arange(200_000.0).reshape(-1, 4)
        with self.make() as executor:
            executor.share(data)
            executor.submit(0, first_row)
            assert executor.wait()[0].result() == [0.0, 1.0, 2.0, 3.0]

    def test_the_context_may_change_between_calls(self) -> None:
        with self.make() as executor:
            for context in (1, 2):
                executor.share(context)
                executor.submit(context, add, 10)
                assert executor.wait()[0].result() == context + 10

    def test_arguments_are_those_of_the_submission(self) -> None:
        with self.make() as executor:
            executor.share([])
            for i in range(5):
                executor.submit(i, operator.add, [i])
            found = drain(executor, range(5))
            assert [found[i].result() for i in range(5)] == [[i] for i in range(5)]

    def test_the_context_reaches_each_worker_once(self, tmp_path: Path) -> None:
        note = tmp_path / "unpickled"
        with self.make() as executor:
            executor.share(Counted(note))
            for i in range(12):
                executor.submit(i, use, i)
            drain(executor, range(12))
            pids = note.read_text().split() if note.exists() else []
            assert len(pids) == len(set(pids)) <= executor.slots

    # -- warnings -------------------------------------------------------------------------

    def test_a_warning_of_many_calls_reaches_the_user_once(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            with self.make() as executor:
                executor.share(None)
                for i in range(6):
                    executor.submit(i, warn, i)
                drain(executor, range(6))
        (one,) = [w for w in caught if "beware" in str(w.message)]
        assert one.category is UserWarning
        assert one.filename == __file__
        assert one.lineno == warn.__code__.co_firstlineno + 1

    def test_a_warning_that_is_an_error_stays_one(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with self.make() as executor:
                executor.share(None)
                executor.submit(0, warn, 0)
                with pytest.raises(UserWarning, match="beware"):
                    executor.wait()[0].result()

    # -- devices --------------------------------------------------------------------------

    @pytest.mark.parametrize("names", [["cuda:0", "cuda:1", "cuda:2"], ["cuda:0"]])
    def test_each_running_call_has_a_device_of_its_own(
        self, tmp_path: Path, names: list[str]
    ) -> None:
        with self.make(devices=names) as executor:
            assert executor.slots <= len(names)
            executor.share(None)
            for i in range(10):
                executor.submit(i, occupy, tmp_path)
            used = {done.result() for done in drain(executor, range(10)).values()}
            assert used <= set(names)
            assert len(used) <= executor.slots

    # -- the queue ------------------------------------------------------------------------

    def test_cancelled_calls_never_come_back(self, tmp_path: Path) -> None:
        gate, keys = tmp_path / "gate", set(range(9))
        with self.make() as executor:
            executor.share(None)
            for i in keys:
                executor.submit(i, wait_for, gate)
            cancelled = executor.cancel()
            assert len(cancelled) == len(set(cancelled)) >= len(keys) - executor.slots
            assert executor.cancel() == []
            gate.touch()
            drain(executor, keys - set(cancelled))
            executor.submit(0, wait_for, gate)
            assert [done.key for done in executor.wait()] == [0]

    def test_asks_for_more_while_it_would_idle(self) -> None:
        with self.make() as executor:
            assert executor.slots >= 1
            assert executor.wants_more(0)

    def test_close_may_be_called_twice_and_forgets_what_is_queued(self) -> None:
        with self.make() as executor:
            executor.share(1)
            for i in range(20):
                executor.submit(i, add, i)
            executor.close()
            assert executor.wait() == []
            executor.close()


class NoLimitContract(ExecutorContract):
    """Executors that cannot stop a call."""

    def test_a_limit_is_refused(self) -> None:
        with self.make() as executor:
            executor.share(1)
            with pytest.raises(ValueError, match="cannot be stopped after 5 s"):
                executor.submit(0, add, 1, limit=5)
            assert executor.wait() == []


class ProcessContract(ExecutorContract):
    """Executors whose calls run in processes of their own."""

    def test_runs_elsewhere(self) -> None:
        with self.make() as executor:
            executor.submit(0, where)
            assert executor.wait()[0].result()[0] != os.getpid()

    def test_an_error_says_where_on_the_worker(self) -> None:
        with self.make() as executor:
            executor.submit(0, fail)
            (note,) = executor.wait()[0].error.__notes__
        assert "in fail\n" in note

    def test_a_warning_is_shown_once_whatever_happens_to_the_filters(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            with self.make() as executor:
                executor.share(None)
                for i in range(3):
                    executor.submit(i, warn, i)
                    executor.wait()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", ResourceWarning)
        assert len([w for w in caught if "beware" in str(w.message)]) == 1

    def test_a_value_that_cannot_travel_is_told(self) -> None:
        with self.make() as executor:
            executor.submit(0, return_unpicklable)
            with pytest.raises(TypeError, match="cannot be sent back"):
                executor.wait()[0].result()

    def test_a_call_is_a_snapshot(self) -> None:
        argument = [1]
        with self.make() as executor:
            executor.share([])
            executor.submit(0, add, argument)
            argument.append(2)
            assert executor.wait()[0].result() == [1]

    def test_dead_workers_cost_only_what_they_ran(self, tmp_path: Path) -> None:
        always, once = tmp_path / "always", tmp_path / "once"
        with self.make(max_retries=1) as executor:
            executor.share(100)
            executor.submit("always", die, always, "exit")
            executor.submit("once", die, once, "kill", 1)
            for i in range(5):
                executor.submit(i, add, i)
            found = drain(executor, ["always", "once", *range(5)])
            assert [found[i].result() for i in range(5)] == [100 + i for i in range(5)]
            assert found["once"].result() == "alive"
            with pytest.raises(WorkerLost, match=r"(?s)died, 2 times.*memory"):
                found["always"].result()
            # One more than it was retried for each death that another was suspected of.
            assert 2 <= len(always.read_text().split()) <= 3

    def test_a_hung_call_is_stopped_and_told_where_it_hung(self, tmp_path: Path) -> None:
        note, gate, innocent = tmp_path / "note", tmp_path / "gate", tmp_path / "innocent"
        with self.make() as executor:
            executor.share(1)
            executor.submit("hung", hang_here, note, limit=0.5)
            executor.submit("beside", wait_for, gate, innocent)
            (done,) = executor.wait()
            assert done.key == "hung"
            with pytest.raises(TimedOut, match=r"(?s)longer than 0.5 s.*in hang_here"):
                done.result()
            assert "worker.py" not in str(done.error)
            gate.touch()
            executor.submit("after", add, 1, limit=60)
            found = drain(executor, ["beside", "after"])
            assert found["beside"].result() == "through"
            assert found["after"].result() == 2
        assert len(note.read_text().split()) == 1  # tried once

    def test_ctrl_c_ends_the_waiting_and_closing_does_not_hang(self, tmp_path: Path) -> None:
        gate, note = tmp_path / "gate", tmp_path / "note"
        with self.make() as executor:
            executor.share(None)

            def run() -> None:
                executor.submit(0, wait_for, gate, note)
                drain(executor, [0])

            with pytest.raises(KeyboardInterrupt), when(note.exists, interrupt):
                run()
            if not self.closing_kills:
                gate.touch()
            executor.close()
        gate.touch()

    closing_kills = True  # or leaves what runs alone; else it waits for it


def interrupt() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@contextmanager
def when(condition: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Call `act` as soon as `condition` holds, while the block runs."""

    def watch() -> None:
        while not condition():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def lines(note: Path) -> int:
    return len(note.read_text().split()) if note.exists() else 0
