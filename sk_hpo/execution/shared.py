"""Big data to other processes once: a file that workers map into memory.

The object is pickled (by value where need be, so that what a user defined in a script or
notebook can travel), with its arrays out of band (PEP 574). All arrays lie in one file
behind one another; a worker maps the file and its arrays are views of the map. The map
is copy-on-write: arrays can be written to, as code that takes arrays may expect, and no
worker sees what another wrote.
"""

from __future__ import annotations

import mmap
import os
import pickle
from pathlib import Path
from typing import Any

import cloudpickle

__all__ = ["dump", "load"]

_ALIGN = 64


def dump(obj: Any, path: Path) -> None:
    """Write `obj` to a new file at `path`, readable by its owner only."""
    buffers: list[pickle.PickleBuffer] = []
    head = cloudpickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    sizes = [raw.nbytes for raw in raws]
    index = pickle.dumps((len(head), sizes))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(len(index).to_bytes(8, "little") + index)
        for part in (head, *raws):
            file.write(b"\0" * (-file.tell() % _ALIGN))
            file.write(part)


def load(path: Path) -> Any:
    """Return the object that `dump` wrote; its arrays are views of the mapped file."""
    with open(path, "rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    offset = 8 + int.from_bytes(mapped[:8], "little")
    head_size, sizes = pickle.loads(mapped[8:offset])
    parts = []
    for size in (head_size, *sizes):
        offset += -offset % _ALIGN
        parts.append(mapped[offset : offset + size])
        offset += size
    return pickle.loads(parts[0], buffers=parts[1:])
