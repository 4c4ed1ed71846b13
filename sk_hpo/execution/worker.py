"""The worker's half: load what is shared once, run a call, report.

A report is bytes that hold the value or the error, and the warnings: no engine has to
know how to carry any of these.
"""

from __future__ import annotations

import gc
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import format_exception
from typing import Any, NamedTuple

import cloudpickle
from joblib import parallel_config

from sk_hpo.execution import shared, warned
from sk_hpo.execution.watchdog import limited, serve

__all__ = [
    "Ticket",
    "begin",
    "forget",
    "portable",
    "run_beside_file",
    "run_call",
    "sequentially",
]

_loading = threading.Lock()
_loaded: dict[str, Any] = {}  # what this process loaded last, by its name


class Ticket(NamedTuple):
    """A call on its way to a worker.

    Attributes
    ----------
    home : str
        Name of what it shares with other calls.
    payload : bytes
        Pickled function and arguments.
    device : str or None
        Passed to the function if there is one.
    limit : float or None
        Seconds that it may run.
    trace : Path
        Where to write down where it hung.
    """

    home: str
    payload: bytes
    device: str | None
    limit: float | None
    trace: Path


def run_beside_file(ticket: Ticket) -> bytes:
    """Run a call; what it shares with others is in the file that is its home's name."""
    return run_call(ticket, lambda: shared.load(Path(ticket.home)))


def run_call(ticket: Ticket, load: Callable[[], Any]) -> bytes:
    """Run a call, with the warning filters of the driver.

    Parameters
    ----------
    ticket : Ticket
        The call.
    load : callable
        Returns what is shared: the context and the filters. Called once per process.

    Returns
    -------
    report : bytes
        Pickled ``(value, error, warnings)``.
    """
    try:
        context, filters = _home(ticket.home, load)
        function, args = cloudpickle.loads(ticket.payload)
    except Exception as error:
        return _report(None, error, [])
    with warned.caught(filters) as found, deaf_to_ctrl_c():
        try:
            with limited(ticket.limit, ticket.trace):
                value = sequentially(ticket.device, function, context, *args)
        except BaseException as error:
            return _report(None, error, found)
    return _report(value, None, found)


def _home(name: str, load: Callable[[], Any]) -> Any:
    with _loading:
        if name not in _loaded:
            _clear()
            _loaded[name] = load()
            if _this.is_ours:
                gc.freeze()
        return _loaded[name]


def forget() -> None:
    """Let go of what is shared, and of its memory."""
    with _loading:
        _clear()


def _clear() -> None:
    if _this.is_ours:
        gc.unfreeze()
    _loaded.clear()


class _Process:
    is_ours = False


_this = _Process()


def begin(driver: int) -> None:
    """Begin the life of a worker process of ours, whose parent is the process `driver`.

    Modules and what is shared stay as long as they are in use. Python then need not go through
    them in search of garbage, which loky has it do every second where there is no psutil.
    """
    serve(driver)
    _this.is_ours = True


def sequentially(device: str | None, function: Callable[..., Any], *args: Any) -> Any:
    """Run one call on a device; what it would run in parallel itself, it runs one by one.

    The workers are busy with other calls, and one that waits for threads of its own while
    it holds a lock that they want would wait forever.
    """
    with parallel_config(backend="sequential"):
        return function(*args) if device is None else function(*args, device=device)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Ignore SIGINT: a terminal sends it to all processes, the driver decides for all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _report(value: Any, error: BaseException | None, found: list[warned.Warned]) -> bytes:
    report: bytes
    try:
        report = cloudpickle.dumps((value, error and portable(error), found))
    except Exception as reason:
        told = TypeError(f"The value of the call cannot be sent back: {reason!r}")
        report = cloudpickle.dumps((None, told, found))
    return report


def portable(error: BaseException) -> BaseException:
    """Return an exception with its traceback as a note; its text if it cannot travel."""
    where = "".join(format_exception(error))
    try:
        if type(pickle.loads(cloudpickle.dumps(error))) is type(error):
            error.add_note(f"On the worker:\n{where}")
            return error
    except Exception:  # of its own pickling, or its constructor
        pass
    return RuntimeError(f"{type(error).__name__}: {error}\n{where}")
