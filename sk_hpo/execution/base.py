"""The executor contract: run calls somewhere, yield the finished ones.

An executor knows nothing of trials: it runs ``function(context, *args)``, where
`context` is big, is shared once, and reaches each worker once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["Done", "Executor", "TimedOut", "WorkerLost"]


class WorkerLost(RuntimeError):
    """The worker of a call died, each time that the call was tried."""


class TimedOut(TimeoutError):
    """A call ran longer than its limit and was stopped; tells where it hung."""


@dataclass(frozen=True, slots=True)
class Done:
    """A finished call: its key, and either its value or the exception it raised.

    So many workers (`losses`) died while they ran it.
    """

    key: Any
    value: Any = None
    error: BaseException | None = None
    losses: int = 0

    def result(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class Executor(ABC):
    """Runs calls; a context manager that frees its workers at exit.

    An executor that was given `devices` passes each call the keyword ``device``, a device
    that no other running call has.

    Attributes
    ----------
    slots : int
        How many calls run at the same time.
    threaded : bool
        Whether calls may run at the same time in one process, and so share its global
        state.
    shared_disk : bool
        Whether a file that a call writes can be read here and by every other call, by the
        same path.
    """

    slots: int = 1
    threaded: bool = False
    shared_disk: bool = True

    @abstractmethod
    def share(self, context: Any) -> None:
        """Make `context` the first argument of every later call."""

    @abstractmethod
    def submit(
        self, key: Any, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> None:
        """Queue ``function(context, *args)``.

        Parameters
        ----------
        key : hashable
            Comes back with the result; no other queued call has it.
        function : callable
            What to call.
        *args : object
            Its arguments after the context.
        limit : float or None, default=None
            Seconds that the call may run, counted from when it begins; None for any.

        Raises
        ------
        ValueError
            If there is a `limit` and the executor cannot stop a call.
        """

    @abstractmethod
    def wait(self) -> list[Done]:
        """Block until at least one queued call has finished; return all that have.

        Returns an empty list only if nothing is queued. The error of a call whose workers
        died again and again is `WorkerLost`, of one that was stopped `TimedOut`.
        """

    @abstractmethod
    def cancel(self) -> list[Any]:
        """Withdraw the calls that have not begun; return their keys."""

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


def no_limit(limit: float | None, where: str) -> None:
    """Raise ValueError if there is a `limit`, since calls run in `where`."""
    if limit is not None:
        raise ValueError(
            f"A call that runs in {where} cannot be stopped after {limit} s; run it in "
            "worker processes: make_executor(..., limited=True), not backend='threading'."
        )
