"""Random search: Bergstra, Bengio, JMLR 13 (2012)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.ledger import Ledger, Shuffled
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Trial

__all__ = ["RandomSampler"]

# Draws for one trial before what is left is listed.
_MAX_ATTEMPTS = 64


class RandomSampler(Sampler):
    """Draws each trial on its own, from the seed and its id alone.

    A config that was tried, as one without continuous parameters may be, is drawn again,
    with the number of the attempt as a part of the seed; when that is in vain, one is taken
    from a list of what is left.

    Examples
    --------
    >>> from sk_hpo.samplers.random import RandomSampler
    >>> from sk_hpo.space.space import Space
    >>> sampler = RandomSampler().bind(Space({"a": [1, 2], "b": [True, False]}), seed=0)
    >>> sorted(sampler.suggest([], n=5))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """

    uses_history: ClassVar[bool] = False

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

    def _draw(self, trial: int, history: Sequence[Trial], others: set[Config]) -> Config | None:
        tried = self._ledger.tried(history)
        for attempt in range(_MAX_ATTEMPTS):
            rng = np.random.default_rng([self.seed, trial, attempt])
            config = self.space.sample(rng)
            if config not in tried and config not in others:
                return config
        if math.isinf(self.space.combinations):
            return config
        return next(iter(self._ledger.untried(history, 1, but=others)), None)
