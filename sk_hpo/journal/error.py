"""What goes wrong with a journal."""

from __future__ import annotations

__all__ = ["JournalError", "JournalWriteError"]


class JournalError(RuntimeError):
    """A journal cannot be used: the message says why, and what to do."""


class JournalWriteError(JournalError):
    """A record could not be written, say because the disk is full.

    The file ends with its last whole record. What is missing is kept in memory, in order,
    and written as soon as that is possible again.
    """
