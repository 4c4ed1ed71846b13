"""Warnings of workers: kept there, brought back with the value, shown here once.

A worker process has its own record of what was shown, so that ten workers would show a
warning ten times, and a call that resets the record (as scikit-learn's do) each time.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import cloudpickle

__all__ = ["Warned", "caught", "show"]


class Warned(NamedTuple):
    """A warning, and what filters may ask about it."""

    message: Warning | str
    category: type[Warning]
    filename: str
    lineno: int
    module: str


_lock = threading.Lock()
_threads: dict[int, list[Warned]] = {}  # the calls that run in this process
_outer: list[Any] = []  # how to put back what was there before the first of them


@contextmanager
def caught(filters: Sequence[Any]) -> Iterator[list[Warned]]:
    """Collect the warnings of this thread that pass `filters`; "error" raises as ever.

    Calls may overlap in several threads of a process; the settings of the process change
    with the first and are put back after the last.
    """
    me = threading.get_ident()
    mine: list[Warned] = []
    with _lock:
        if not _threads:
            _outer.append(warnings.catch_warnings())
            _outer[0].__enter__()
        warnings.filters = list(filters)
        warnings.showwarning = _keep
        _threads[me] = mine
    try:
        yield mine
    finally:
        with _lock:
            del _threads[me]
            if not _threads:
                _outer.pop().__exit__(None, None, None)


def _keep(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Stand in for `warnings.showwarning`; a thread of a fit's own adds to any call."""
    with _lock:
        mine = _threads.get(threading.get_ident(), next(iter(_threads.values()), []))
    mine.append(_portable(Warned(message, category, filename, lineno, _module(filename))))


def _portable(one: Warned) -> Warned:
    try:
        cloudpickle.loads(cloudpickle.dumps(one))
    except Exception:
        text = f"{one.category.__name__}: {one.message}"
        return one._replace(message=text, category=UserWarning)
    return one


@lru_cache(maxsize=1000)
def _module(filename: str) -> str:
    """Return the module that a file was loaded as, which filters may name."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__dict__", {}).get("__file__") == filename:
            return name
    return filename.removesuffix(".py") or "<unknown>"  # as python has it


def show(found: Sequence[Warned], shown: set[Any]) -> None:
    """Issue warnings here as if the lines that raised them ran here, each once.

    Parameters
    ----------
    found : sequence of Warned
        What `caught` collected.
    shown : set
        What was issued before; grows. Python's own record will not do: it is void as soon
        as anybody has touched the filters.

    Raises
    ------
    Warning
        If a filter says "error".
    """
    for one in found:
        key = (str(one.message), *one[1:])
        if key not in shown:
            shown.add(key)
            message, category, filename, lineno, module = one
            warnings.warn_explicit(message, category, filename, lineno, module, {})
