"""Fold models between two rungs: files in the search's private folder."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sk_hpo.evaluation import rng
from sk_hpo.evaluation.resources import Model, Resource

if TYPE_CHECKING:
    from sk_hpo.evaluation.fold import FoldResult

__all__ = ["Paused", "paused_path", "read", "sleep", "wake", "write"]


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


def paused_path(folder: Path, trial: int, fold: int) -> Path:
    """Return where a fold's paused model lies."""
    return folder / f"{trial}-{fold}"


def read(path: Path) -> Paused:
    """Return what `write` has written."""
    paused = pickle.loads(path.read_bytes())
    assert isinstance(paused, Paused)
    return paused


def write(path: Path, paused: Paused) -> None:
    """Write a paused model; a file that is there is replaced as a whole or not at all."""
    new = path.with_suffix(".new")
    new.write_bytes(pickle.dumps(paused))
    new.replace(path)
