"""Big data to other processes once: bytes that workers look into, not copy.

The object is pickled (by value where need be, so that what a user defined in a script or
notebook can travel), with its arrays out of band (PEP 574), all behind one another. In a
file, a worker maps them into memory, and its arrays are views of the map. The map is
copy-on-write: arrays can be written to, as code that takes arrays may expect, and no
worker sees what another wrote.
"""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

__all__ = ["dump", "load", "pack", "unpack"]

_ALIGN = 64


def dump(obj: Any, path: Path) -> None:
    """Write `obj` to a new file at `path`, readable by its owner only."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        for part in _parts(obj):
            file.write(part)


def load(path: Path) -> Any:
    """Return the object that `dump` wrote; its arrays are views of the mapped file."""
    with open(path, "rb") as file:
        return unpack(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def pack(obj: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return `obj` as an array of bytes, for engines that carry arrays well."""
    return np.frombuffer(bytearray().join(_parts(obj)), dtype=np.uint8)


def unpack(packed: Any) -> Any:
    """Return the object whose bytes `packed` holds; its arrays are views of `packed`."""
    data = memoryview(packed)
    offset = 8 + int.from_bytes(data[:8], "little")
    head_size, sizes = pickle.loads(data[8:offset])
    parts = []
    for size in (head_size, *sizes):
        offset += -offset % _ALIGN
        parts.append(data[offset : offset + size])
        offset += size
    return pickle.loads(parts[0], buffers=parts[1:])


def _parts(obj: Any) -> Iterator[Any]:
    buffers: list[pickle.PickleBuffer] = []
    head = cloudpickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    index = pickle.dumps((len(head), [raw.nbytes for raw in raws]))
    index = len(index).to_bytes(8, "little") + index
    yield index
    offset = len(index)
    for part in (head, *raws):
        gap = -offset % _ALIGN
        yield b"\0" * gap
        yield part
        offset += gap + len(part)
