"""Dropout of K models, each from its own generator and at its own rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

__all__ = ["Draws", "Rate", "current_draws", "drawing_from", "dropout_arguments", "noise"]


@dataclass(frozen=True)
class Rate:
    """Stands for a dropout probability that is not the same for all models."""

    name: str


@dataclass(frozen=True)
class Draws:
    """What dropout draws from, model by model.

    Parameters
    ----------
    generators : sequence of torch.Generator
        One per model.
    rates : mapping of str to sequence of float
        The probability for each model that a `Rate` of that name stands for.
    """

    generators: Sequence[torch.Generator]
    rates: Mapping[str, Sequence[float]] = field(default_factory=dict)


_draws: list[Draws] = []


@contextmanager
def drawing_from(draws: Draws) -> Any:
    """Let dropout draw from `draws` within the block."""
    _draws.append(draws)
    try:
        yield
    finally:
        _draws.pop()


def current_draws() -> Draws:
    """Return the draws of the innermost `drawing_from`."""
    return _draws[-1]


def noise(x: torch.Tensor, p: float | Rate, draws: Draws) -> torch.Tensor:
    """Return what dropout multiplies with: as in ATen, drawn in the dtype of x, then scaled."""
    if isinstance(p, Rate):
        each = zip(x, draws.rates[p.name], draws.generators, strict=True)
        return torch.stack([_scaled(*of_k) for of_k in each])
    pairs = zip(x, draws.generators, strict=True)
    drawn = torch.stack([_noise(of_k, p, generator) for of_k, generator in pairs])
    return drawn.div_(1 - p) if p < 1 else drawn


def _scaled(x: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    drawn = _noise(x, p, generator)
    return drawn.div_(1 - p) if p < 1 else drawn


def _noise(x: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Return ones where a number is kept; nothing is drawn where that is certain."""
    if p in (0, 1):
        return torch.full_like(x, 1 - p)
    return torch.empty_like(x).bernoulli_(1 - p, generator=generator)


def dropout_arguments(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False
) -> tuple[Any, Any, bool, bool]:
    """Return the arguments of a call of `dropout`."""
    return input, p, training, inplace
