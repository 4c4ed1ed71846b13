"""When Python looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collecting_later"]


@contextmanager
def collecting_later() -> Iterator[None]:
    """Put off the search for cycles, in a block that makes none but many small objects.

    The history of a net has a dict per batch. Counted as new objects, those of many nets at
    once make Python go through everything that torch and the user have in memory, for as
    long as it takes to train them for half of their epochs.

    Examples
    --------
    >>> import gc
    >>> with collecting_later():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
