"""Random search: Bergstra, Bengio, JMLR 13 (2012)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sk_hpo.samplers.drawing import DrawingSampler
from sk_hpo.trial import Config, Trial

__all__ = ["RandomSampler"]

# Draws for one trial before what is left is listed.
_MAX_ATTEMPTS = 64


class RandomSampler(DrawingSampler):
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
