"""Memory that a process has freed stays with it."""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["keep_freed"]

_MOST = 31 << 20  # bytes; glibc adapts to no more than 32 MB


@cache
def keep_freed() -> None:
    """Let this process reuse what it frees, where malloc is glibc's; elsewhere do nothing.

    Batches, activations and gradients come and go thousands of times a second. glibc gives
    larger ones back to the system each time, which then clears their pages anew, until once
    a block of such a size was freed: whether that has happened is chance (mallopt(3),
    M_MMAP_THRESHOLD, "dynamic"). So such a block is freed here. It is never touched, and
    takes no memory.
    """
    np.empty(_MOST, np.uint8)
