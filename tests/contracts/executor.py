"""What every executor must do. Subclass `ExecutorContract` and give `make`."""

from __future__ import annotations

import operator
import os
import threading
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

from sk_hpo.execution.base import Executor


def add(context: Any, x: Any) -> Any:
    return context + x


def fail(context: Any) -> None:
    raise KeyError("this call fails")


def where(context: Any) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def first_row(context: Any) -> list[float]:
    return list(context[0])


def overwrite(context: Any) -> float:
    context += 1.0
    return float(context.sum())


class ExecutorContract:
    """Subclasses give `make`; all tests use nothing else."""

    def make(self) -> AbstractContextManager[Executor]:
        raise NotImplementedError

    def test_values_come_back_under_their_keys(self) -> None:
        with self.make() as executor:
            executor.share(100)
            for i in range(7):
                executor.submit(("key", i), add, i)
            found: dict[Any, Any] = {}
            while len(found) < 7:
                finished = executor.wait()
                assert finished
                found |= {done.key: done.result() for done in finished}
            assert found == {("key", i): 100 + i for i in range(7)}
            assert executor.wait() == []

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
            found = {}
            while len(found) < 5:
                found |= {done.key: done.result() for done in executor.wait()}
            assert found == {i: [i] for i in range(5)}

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
            executor.close()
