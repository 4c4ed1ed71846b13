"""The writing side of a journal: one process appends whole records."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sk_hpo.journal.differences import differences, raised
from sk_hpo.journal.error import JournalError, JournalWriteError
from sk_hpo.journal.journal import Journal, journal_of
from sk_hpo.journal.line import line
from sk_hpo.journal.lock import lock
from sk_hpo.journal.place import check_file, open_file, read_open, sync_folder, why_not
from sk_hpo.journal.records import Header, Raised, Record, Run, content_of, kind_of

__all__ = ["JournalWriter"]

_GROWING = ("n_iter", "max_resources")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, the record's number, and where it begins in the file."""

    number: int
    start: int
    text: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class JournalWriter:
    """A journal that is open for records, by this process alone; made by `open`.

    A record whose `append` has returned survives the death of the process; a loss of power
    costs at most what was appended within `sync_every` seconds.

    Attributes
    ----------
    journal : Journal
        What the file held when it was opened: of a new file, its header and no job.
    n_missing : int
        How many records could not be written yet.
    """

    def __init__(
        self,
        fd: int,
        name: str,
        journal: Journal,
        last: _Line,
        sync_every: float,
        clock: Callable[[], float],
    ) -> None:
        self.journal = journal
        self._fd = fd
        self._name = name
        # The last line that is in the file, then those that are not. All that changes with
        # a record is this queue, by one step: an interrupt at any instant does no harm.
        self._lines = deque([last])
        self._sync_every = sync_every
        self._clock = clock
        self._synced = -float("inf")
        self._unsynced = False
        _OPEN.add(self)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        header: Header,
        *,
        may_grow: Sequence[str] = _GROWING,
        sync_every: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> JournalWriter:
        """Begin a journal, or take up the one that is there.

        What a killed process left unfinished at the end of the file is cut off. Nothing is
        changed before everything has been checked.

        Parameters
        ----------
        path : str or path-like
            The file; with mode 0600 if it is new.
        header : Header
            Of the search that is about to begin.
        may_grow : sequence of str, default=("n_iter", "max_resources")
            Settings that may be greater than in the journal; the new values are recorded.
        sync_every : float, default=1.0
            Seconds between two calls of ``fsync``; 0 for one with each record, inf for none.
        clock : callable, default=time.monotonic
            Returns seconds, for `sync_every`.

        Raises
        ------
        JournalError
            If the file cannot be opened, is no journal, is damaged, is another search's, or
            another process has it open.
        """
        name = os.fspath(path)
        fd = open_file(name)
        try:
            return cls._begin(fd, name, header, may_grow, sync_every, clock)
        except OSError as error:
            os.close(fd)
            raise JournalError(why_not(name, error)) from error
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def _begin(
        cls,
        fd: int,
        name: str,
        header: Header,
        may_grow: Sequence[str],
        sync_every: float,
        clock: Callable[[], float],
    ) -> JournalWriter:
        if not lock(fd):
            raise JournalError(_held_by(fd, name))
        check_file(fd, name)
        found, lines = journal_of(read_open(fd), name)
        run: list[Record] = [Run(os.getpid(), socket.gethostname(), time.time())]
        if found is None:
            run.insert(0, header)
            found = Journal(name, (header,))
        else:
            _check_same(found.header, header, may_grow, name)
            if grown := raised(found.header, header, may_grow):
                run.insert(0, Raised(grown))
        end = lines.end
        if lines.torn:
            os.ftruncate(fd, end)
        last = _Line(len(lines.contents) - 1, end, b"")
        writer = cls(fd, name, found, last, sync_every, clock)
        try:
            writer.append(*run)
        except BaseException:
            writer._fd = -1  # the caller closes it
            if not end:  # an empty file is better than one that cannot be read
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, 0)
            raise
        if not end:
            sync_folder(name)
        return writer

    @property
    def n_missing(self) -> int:
        """How many records could not be written yet."""
        return len(self._lines) - 1

    def append(self, *records: Record) -> None:
        """Write records, after those that are missing.

        Raises
        ------
        JournalWriteError
            If they could not all be written. They are kept, and written with the next ones:
            whoever can do without may go on. The file ends with a whole record.
        TypeError
            If a record holds what JSON does not know; nothing is written.
        JournalError
            If the journal is closed.
        """
        if self._fd < 0:
            raise JournalError(f"The journal {self._name} is closed: open it again.")
        texts = [(kind_of(record), content_of(record)) for record in records]
        last = self._lines[-1]
        lines = []
        for kind, content in texts:
            last = _Line(last.number + 1, last.end, line(last.number + 1, kind, content))
            lines.append(last)
        self._lines.extend(lines)
        self._write()

    def sync(self) -> None:
        """Wait until everything that was written is on the disk.

        Raises
        ------
        JournalWriteError
            If the system says that it is not.
        """
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._failed(error) from error
        self._synced = self._clock()
        self._unsynced = False

    def close(self) -> None:
        """Write what is missing, if that is possible now, and give the file free.

        Raises
        ------
        JournalWriteError
            If records are lost by that; the file is closed all the same.
        """
        if self._fd < 0:
            return
        try:
            self._write()
            if self._unsynced:
                self.sync()
        finally:
            self._give_free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(JournalWriteError):  # the other error matters more
            self.close()

    def __reduce__(self) -> Any:
        raise TypeError("An open journal belongs to one process: it cannot be pickled.")

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self._give_free()

    def _give_free(self) -> None:
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):
            os.close(fd)

    def _write(self) -> None:
        """Write what is missing, each line where it belongs."""
        try:
            while len(self._lines) > 1:
                self._unsynced = True
                self._put(self._lines[1])
                self._lines.popleft()
            if self._unsynced and self._clock() - self._synced >= self._sync_every:
                self.sync()
        except OSError as error:
            raise self._failed(error) from error

    def _put(self, new: _Line) -> None:
        found = os.fstat(self._fd)
        if found.st_nlink == 0:
            raise OSError(errno.ENOENT, "the file was deleted while it was open")
        if found.st_size < new.start:
            raise OSError(errno.EIO, "the file was shortened while it was open")
        if found.st_size > new.start:  # by a part of this line, from an earlier attempt
            os.ftruncate(self._fd, new.start)
        n_written = 0
        try:
            while n_written < len(new.text):
                rest = new.text[n_written:]
                n = os.pwrite(self._fd, rest, new.start + n_written)
                if n <= 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                n_written += n
        except OSError:
            with contextlib.suppress(OSError):  # else the next attempt does it, or `open`
                os.ftruncate(self._fd, new.start)
            raise

    def _failed(self, error: OSError) -> JournalWriteError:
        missing = f" {self.n_missing} record(s) wait in memory." if self.n_missing else ""
        return JournalWriteError(
            f"The journal {self._name} cannot be written: {error.strerror or error}. What"
            f" it holds stays readable.{missing} Make room, or stop the search and begin"
            " it again on another disk with a copy of the file."
        )


_OPEN: weakref.WeakSet[JournalWriter] = weakref.WeakSet()


def _close_in_child() -> None:
    """Close what a forked child has got: else it would hold the lock of a dead parent."""
    for writer in list(_OPEN):
        if writer._fd >= 0:
            writer._give_free()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def _check_same(old: Header, new: Header, may_grow: Sequence[str], name: str) -> None:
    if found := differences(old, new, may_grow):
        listed = "\n  ".join(found)
        raise JournalError(
            f"The journal {name} is of another search; give another path, or the same"
            f" arguments and data. What differs:\n  {listed}"
        )


def _held_by(fd: int, name: str) -> str:
    """Return the message that another process has the journal."""
    holder = "another process"
    with contextlib.suppress(JournalError, OSError):
        found, _ = journal_of(read_open(fd), name)
        runs = found.runs if found else []
        if runs:
            holder = f"process {runs[-1].pid} on {runs[-1].host}"
    return (
        f"The journal {name} is in use by {holder}: wait until that search ends, or give"
        " another path."
    )
