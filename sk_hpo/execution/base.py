"""The executor contract: run calls somewhere, yield the finished ones.

An executor knows nothing of trials: it runs ``function(context, *args)``, where
`context` is big, is shared once, and reaches each worker once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["Done", "Executor"]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished call: its key, and either its value or the exception it raised."""

    key: Any
    value: Any = None
    error: BaseException | None = None

    def result(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class Executor(ABC):
    """Runs calls; a context manager that frees its workers at exit.

    Attributes
    ----------
    slots : int
        How many calls run at the same time.
    threaded : bool
        Whether calls may run at the same time in one process, and so share its global
        state.
    """

    slots: int = 1
    threaded: bool = False

    @abstractmethod
    def share(self, context: Any) -> None:
        """Make `context` the first argument of every later call."""

    @abstractmethod
    def submit(self, key: Any, function: Callable[..., Any], *args: Any) -> None:
        """Queue ``function(context, *args)`` under a unique, hashable `key`."""

    @abstractmethod
    def wait(self) -> list[Done]:
        """Block until at least one queued call has finished; return all that have.

        Returns an empty list only if nothing is queued.
        """

    @abstractmethod
    def close(self) -> None:
        """Drop what is queued and free the workers. May be called twice."""

    def wants_more(self, queued: int) -> bool:
        """Whether a worker would idle if no call were added to the `queued` ones."""
        return queued < 2 * self.slots

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
