"""Tell a Ctrl-C of the user from a ``KeyboardInterrupt`` that a callback raised.

skorch's callbacks end a training by raising ``KeyboardInterrupt``, and ``net.fit``
swallows it whoever raised it. A real one comes from the handler of SIGINT, which python
calls in the main thread only.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["Interrupt", "fit_noticing_interrupt", "interruptible"]


@dataclass(slots=True)
class Interrupt:
    """Whether a real Ctrl-C arrived."""

    arrived: bool = False


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Note whether SIGINT raises something within the block.

    The handler that is installed stays in charge: it is called, and what it raises goes
    on. Nothing is installed (and nothing noted) outside the main thread, nor where
    SIGINT is ignored, fatal, or handled outside of python. May be nested.

    Examples
    --------
    >>> with interruptible() as interrupt:
    ...     pass
    >>> interrupt.arrived
    False
    """
    interrupt = Interrupt()
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield interrupt
        return

    def note(signum: int, frame: FrameType | None) -> Any:
        try:
            return handler(signum, frame)
        except BaseException:
            interrupt.arrived = True
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, handler)


def fit_noticing_interrupt(estimator: Any, X: Any, y: Any = None, **fit_params: Any) -> Any:
    """Return ``estimator.fit(X, y, **fit_params)``, but let Ctrl-C through.

    Parameters
    ----------
    estimator : estimator
        Any; a skorch net, also one inside a `Pipeline`, would swallow Ctrl-C.
    X, y : indexable of length n_samples
        Training data; `y` is not passed if it is None.
    **fit_params : dict
        Passed on to ``fit``.

    Raises
    ------
    KeyboardInterrupt
        If a real SIGINT raised it during ``fit``, whether or not ``fit`` swallowed it.
    """
    targets = () if y is None else (y,)
    with interruptible() as interrupt:
        fitted = estimator.fit(X, *targets, **fit_params)
    if interrupt.arrived:
        raise KeyboardInterrupt
    return fitted
