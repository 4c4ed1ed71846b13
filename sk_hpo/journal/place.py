"""The file that a journal is in: opened, checked, read; and what may be wrong with it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from sk_hpo.journal.error import JournalError

__all__ = ["check_file", "open_file", "read_file", "read_open", "sync_folder", "why_not"]

_CHUNK = 1 << 24
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # for the other end of a pipe


def open_file(name: str) -> int:
    """Return a descriptor of a file that can be written, a new one if it is not there."""
    try:
        return os.open(name, os.O_RDWR | os.O_CREAT | _NO_WAIT, 0o600)
    except (OSError, ValueError) as error:
        raise JournalError(why_not(name, error)) from error


def check_file(fd: int, name: str) -> None:
    """Raise JournalError unless what is in an open file can only come from this user."""
    found = _regular(fd, name)
    if found.st_uid != os.geteuid():
        raise JournalError(
            f"The journal {name} belongs to user {found.st_uid}, not to you (user"
            f" {os.geteuid()}): give another path, or make a copy of your own."
        )
    if found.st_mode & 0o022:
        raise JournalError(
            f"Others than you may write to the journal {name}, which vouches for the models"
            " that a search loads: if its content is yours, chmod go-w it."
        )


def _regular(fd: int, name: str) -> os.stat_result:
    found = os.fstat(fd)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise JournalError(f"{name} is not a file: give the path of one for the journal.")
    return found


def read_open(fd: int) -> bytes:
    """Return all that is in an open file."""
    chunks = []
    start = 0
    while chunk := os.pread(fd, _CHUNK, start):
        chunks.append(chunk)
        start += len(chunk)
    return b"".join(chunks)


def read_file(name: str) -> bytes:
    """Return all that is in a file; JournalError if it cannot be read."""
    try:
        fd = os.open(name, os.O_RDONLY | _NO_WAIT)
        try:
            _regular(fd, name)
            return read_open(fd)
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:
        raise JournalError(why_not(name, error)) from error


_ADVICE = {
    errno.EISDIR: "it is a folder: give the path of a file",
    errno.ENOENT: "there is no such file or folder: make the folder first",
    errno.ENOTDIR: "a part of the path is not a folder: give another path",
    errno.EACCES: "you have no permission: chmod it, or give another path",
    errno.EPERM: "you have no permission: give another path",
    errno.EROFS: "it is on a read-only disk: give another path, or a copy",
    errno.ENOSPC: "the disk is full: make room, or give a path on another",
    errno.EDQUOT: "your quota is used up: make room, or give a path on another disk",
    errno.ENOLCK: "its file system has no locks: give a path on a local disk",
    errno.EOPNOTSUPP: "its file system has no locks: give a path on a local disk",
}


def why_not(name: str, error: Exception) -> str:
    """Return what is wrong with a path, and what to do."""
    advice = _ADVICE.get(getattr(error, "errno", None) or 0)
    return f"The journal {name!r} cannot be used: {advice or f'{error}; give another path'}."


def sync_folder(name: str) -> None:
    """Make the name of a new file last."""
    with contextlib.suppress(OSError):  # not every file system can
        fd = os.open(os.path.dirname(os.path.abspath(name)), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
