"""Samplers that draw one config per trial and remember what was tried."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.ledger import Ledger, Shuffled
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Trial

__all__ = ["DrawingSampler"]


class DrawingSampler(Sampler):
    """Base of samplers whose suggestions do not depend on outcomes."""

    uses_history = False

    _ledger: Ledger

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search."""
        bound = super().bind(space, seed)
        bound._ledger = Ledger(space, Shuffled(space, seed))
        return bound

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        configs: list[Config] = []
        others: set[Config] = set()
        for trial in range(len(history), len(history) + n):
            config = self._draw(trial, history, others)
            if config is None:
                break
            configs.append(config)
            others.add(config)
        return configs

    @abstractmethod
    def _draw(self, trial: int, history: Sequence[Trial], others: set[Config]) -> Config | None:
        """Return the config of one trial, None if the space is exhausted.

        Parameters
        ----------
        trial : int
            Its id.
        history : sequence of Trial
            All trials so far.
        others : set of Config
            What was drawn in the same call.
        """
