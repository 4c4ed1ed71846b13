"""The global random number generators, taken over for a while and put back.

Estimators draw from generators that belong to the process: python's ``random``, numpy's
legacy one, and torch's. A model that is paused takes their states along, so that it goes
on with the numbers it would have drawn; the process of the caller notices nothing.

torch is touched only where it is loaded already, and never imported. So unpack a model
before `set_state`: unpickling a torch model loads torch.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

__all__ = ["Stream", "get_state", "kept", "seeded", "set_state"]


def get_state() -> dict[str, Any]:
    """Return the states of the global generators.

    Returns
    -------
    state : dict
        Picklable; numpy arrays and tuples, so that unpickling does not load torch. It has
        the entry "torch" only if torch is loaded, and "cuda" (one array per device) only
        if CUDA is initialised.

    Examples
    --------
    >>> import random
    >>> state = get_state()
    >>> before = random.random()
    >>> set_state(state)
    >>> random.random() == before
    True
    """
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002
    }
    if torch := sys.modules.get("torch"):
        state["torch"] = torch.get_rng_state().numpy()
        if torch.cuda.is_initialized():
            state["cuda"] = [s.numpy() for s in torch.cuda.get_rng_state_all()]
    return state


def set_state(state: dict[str, Any]) -> None:
    """Put the global generators in a state that `get_state` returned.

    The torch part is skipped where torch is not loaded, the part of CUDA devices that
    this process does not have likewise.

    Parameters
    ----------
    state : dict
        What `get_state` returned, in any process.
    """
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    if (torch := sys.modules.get("torch")) and "torch" in state:
        torch.set_rng_state(torch.from_numpy(state["torch"].copy()))
        devices = range(torch.cuda.device_count()) if "cuda" in state else ()
        for device, of_device in zip(devices, state.get("cuda", ()), strict=False):
            torch.cuda.set_rng_state(torch.from_numpy(of_device.copy()), device)


@contextmanager
def kept() -> Iterator[None]:
    """Put the global generators back on exit, also on error."""
    before = get_state()
    try:
        yield
    finally:
        set_state(before)


class Stream:
    """Random numbers of its own, which the global generators give while it is entered.

    They go on at each entry where they stood at the last exit. What the generators were
    before is not put back: that is for a `kept` around the streams that take turns.

    Parameters
    ----------
    seed : int
        At least 0, less than 2**64. torch seeds all its devices with it (those of
        CUDA as soon as they are initialised), numpy gets the lowest 32 bits.

    Attributes
    ----------
    state : dict or None
        What `get_state` returned at the last exit; None before the first entry.

    Examples
    --------
    >>> import random
    >>> one, other = Stream(1), Stream(1)
    >>> with kept():
    ...     with one:
    ...         first = random.random(), random.random()
    ...     with other:
    ...         second = [random.random()]
    ...     with one:
    ...         third = random.random()
    ...     with other:
    ...         second.append(random.random())
    >>> first == tuple(second)
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.state: dict[str, Any] | None = None

    def take_over(self) -> None:
        """Let the global generators give these numbers; where they end is not noted."""
        if self.state is not None:
            set_state(self.state)
            return
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)  # noqa: NPY002
        if torch := sys.modules.get("torch"):
            _seed_torch(torch, self.seed % 2**64)

    def __enter__(self) -> Self:
        self.take_over()
        return self

    def __exit__(self, *exc: object) -> None:
        self.state = get_state()


def _seed_torch(torch: Any, seed: int) -> None:
    if getattr(torch, "accelerator", torch.cuda).is_available():
        torch.manual_seed(seed)
    else:  # without the stack traces that it takes for devices that are not there
        torch.default_generator.manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators; put the caller's states back on exit, also on error.

    Parameters
    ----------
    seed : int
        As for `Stream`.

    Examples
    --------
    >>> import numpy as np
    >>> with seeded(7):
    ...     first = np.random.rand()
    >>> with seeded(7):
    ...     first == np.random.rand()
    True
    """
    with kept():
        Stream(seed).take_over()
        yield
