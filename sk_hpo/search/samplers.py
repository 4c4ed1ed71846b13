"""The samplers that have a name of their own in ``sampler="..."``."""

from __future__ import annotations

from collections.abc import Callable

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.gp import GPSampler
from sk_hpo.samplers.grid import GridSampler
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.samplers.tpe import TPESampler

__all__ = ["SAMPLERS", "make_sampler"]

SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "random": RandomSampler,
    "sobol": SobolSampler,
    "grid": GridSampler,
    "gp": GPSampler,
    "tpe": TPESampler,
}


def make_sampler(sampler: str | Sampler) -> Sampler:
    """Return the sampler of that name, or the sampler itself."""
    return SAMPLERS[sampler]() if isinstance(sampler, str) else sampler
