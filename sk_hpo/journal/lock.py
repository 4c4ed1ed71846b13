"""One process at a time: a lock that goes with the process that holds it."""

from __future__ import annotations

import errno

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

__all__ = ["lock"]

_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def lock(fd: int) -> bool:
    """Lock an open file; the system undoes it when the file is closed everywhere.

    Parameters
    ----------
    fd : int
        Descriptor, open for writing.

    Returns
    -------
    locked : bool
        False if another descriptor holds the lock, in this process or another.

    Raises
    ------
    OSError
        If the file system knows no locks.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, "this system has no flock")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True
