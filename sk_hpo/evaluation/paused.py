"""Fold models between two rungs: files in the search's private folder.

A file is named for the resource that its model has, and written as a whole or not at all: a
fit that is done a second time, because its worker died or its search was killed, begins
where it began the first time. The file's digest goes with the fold's result, and no file is
unpickled that has another.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sk_hpo.evaluation import rng
from sk_hpo.evaluation.records import FoldResult
from sk_hpo.evaluation.resources import Model, Resource

__all__ = ["Paused", "opened", "paused_path", "read", "sealed", "sleep", "wake", "write"]


@dataclass(frozen=True, slots=True)
class Paused:
    """A fold model between two rungs.

    ``state`` is None if it will not be trained again, because it stopped early or failed:
    the last result then stands for every later rung.
    """

    state: bytes | None
    result: FoldResult


def sleep(model: Model, resource: Resource, generators: dict[str, Any] | None) -> bytes:
    """Return a picture of a model and of the generators that it trains under."""
    return pickle.dumps((generators, resource.pack(model)))


def wake(state: bytes, resource: Resource) -> Model:
    """Return the model that `sleep` has seen; set the generators as it left them."""
    generators, packed = pickle.loads(state)
    model = resource.unpack(packed)
    if generators is not None:
        rng.set_state(generators)
    return model


def paused_path(folder: Path, trial: int, fold: int, resource: int) -> Path:
    """Return where a fold's model lies that is paused at a resource."""
    return folder / f"{trial}-{fold}-{resource}"


def sealed(paused: Paused) -> tuple[bytes, str]:
    """Return a paused model as bytes, and their digest."""
    data = pickle.dumps(paused)
    return data, _digest(data)


def opened(data: bytes | None, digest: str) -> Paused | None:
    """Return what `sealed` has seen; None if these are not its bytes."""
    if data is None or _digest(data) != digest:
        return None
    paused = pickle.loads(data)
    assert isinstance(paused, Paused)
    return paused


def read(path: Path) -> bytes | None:
    """Return what `write` has written; None if that cannot be read any more."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def write(path: Path, data: bytes) -> bool:
    """Write a paused model, as a whole or not at all; return whether that was possible.

    A disk that takes no more is no reason to lose the fold: it is trained again then.
    """
    try:
        # Two writers, one of them left over from a killed search, must not share a file.
        handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    except OSError as error:
        return _not_written(error)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except OSError as error:
        os.unlink(name)
        return _not_written(error)
    return True


def _not_written(error: OSError) -> bool:
    warnings.warn(
        f"A paused model could not be written ({error}): if it is promoted, it will be trained"
        " from scratch. Free some disk space, or set TMPDIR or the journal's path to another"
        " disk.",
        RuntimeWarning,
        stacklevel=3,
    )
    return False


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
