"""Lines of a journal: one record each, numbered and with a checksum.

A line is a JSON object: the record's number, its kind with what it holds, and the CRC-32 of
all that stands before the checksum. So a line that was cut short or altered is known, and
so is one that is missing.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

from sk_hpo.journal.encoding import dumps, loads
from sk_hpo.journal.error import JournalError

__all__ = ["FIRST", "Lines", "line", "read_lines"]

# What a journal begins with, whatever its version.
FIRST = b'{"n":0,"header":{"format":'

_END = re.compile(rb',"crc32":"([0-9a-f]{8})"}\Z')
_END_LENGTH = len(b',"crc32":"00000000"}')


@dataclass(frozen=True, slots=True)
class Lines:
    """What was read from a journal.

    Parameters
    ----------
    contents : list of (str, object)
        Kind and content of each record.
    end : int
        Where the last whole record ends, in bytes.
    torn : int
        Bytes after it.
    """

    contents: list[tuple[str, Any]]
    end: int
    torn: int


def line(number: int, kind: str, content: Any) -> bytes:
    r"""Return a line.

    Parameters
    ----------
    number : int
        Of the record, from 0.
    kind : str
        Of record.
    content : object
        What `sk_hpo.journal.encoding.dumps` takes.

    Raises
    ------
    TypeError
        If it does not take it.

    Examples
    --------
    >>> from sk_hpo.journal.line import line
    >>> line(7, "stop", {"why": "done"})
    b'{"n":7,"stop":{"why":"done"},"crc32":"43d11d93"}\n'
    """
    body = f'{{"n":{number},"{kind}":{dumps(content)}'.encode("ascii")
    return b'%b,"crc32":"%08x"}\n' % (body, zlib.crc32(body))


def read_lines(data: bytes, name: str) -> Lines:
    """Return the records in `data`, up to a torn end.

    What was cut short as it was written, by a killed process or a loss of power, stands at
    the end: no whole record comes after it.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Of the file, for messages.

    Raises
    ------
    JournalError
        If `data` does not begin as a journal does, or is damaged before its end.
    """
    if not data or (FIRST.startswith(data[: len(FIRST)]) and b"\n" not in data):
        return Lines([], 0, len(data))
    if not data.startswith(FIRST):
        raise JournalError(
            f"{name} is not a journal: it begins with {data[:40]!r}. Give another path, or"
            " move that file away."
        )
    contents: list[tuple[str, Any]] = []
    end = 0
    while end < len(data):
        stop = data.find(b"\n", end)
        whole = data[end : stop if stop >= 0 else len(data)]
        if stop < 0 or not _is_whole(whole):
            _check_torn(data, end, len(contents), name)
            break
        contents.append(_parsed(whole, len(contents), name))
        end = stop + 1
    return Lines(contents, end, len(data) - end)


def _is_whole(text: bytes) -> bool:
    found = _END.search(text, max(0, len(text) - _END_LENGTH))
    return found is not None and int(found[1], 16) == zlib.crc32(text[:-_END_LENGTH])


def _check_torn(data: bytes, start: int, n_read: int, name: str) -> None:
    """Raise if what begins at `start` is damage, and not a torn end."""
    if n_read == 0 and b"\n" in data:
        raise JournalError(
            f"The first line of {name} is damaged: nothing can be read without it. Bring the"
            " file back from a copy, or give another path."
        )
    if any(_is_whole(text) for text in data[start:].split(b"\n")[1:]):
        raise JournalError(
            f"Line {n_read + 1} of {name} is damaged, and whole records follow it. Bring the"
            f" file back from a copy; or keep what stands before: head -n {n_read} FILE > NEW."
        )


def _parsed(text: bytes, number: int, name: str) -> tuple[str, Any]:
    """Return kind and content of a whole line."""
    try:
        found = loads(text)
        (_, n), (kind, content), _ = found.items()
    except (ValueError, AttributeError):
        raise JournalError(
            f"Line {number + 1} of {name} is whole, but is no record: {text[:80]!r}. It was"
            " not written by sk_hpo; delete the line, or give another path."
        ) from None
    if n != number:
        raise JournalError(
            f"Line {number + 1} of {name} holds record {n}, not record {number}: lines are"
            " missing or were moved. Bring the file back from a copy; or keep what stands"
            f" before: head -n {number} FILE > NEW."
        )
    return kind, content
