"""Quasi-random search: a scrambled Sobol sequence.

Sobol', USSR Comput. Math. Math. Phys. 7 (1967); the scrambling of Matousek, J. Complexity
14 (1998), as in `scipy.stats.qmc`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.stats import qmc

from sk_hpo.samplers.drawing import DrawingSampler
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Trial

__all__ = ["SobolSampler"]

# Points that a trial may skip because they were tried, before what is left is listed.
_MAX_SKIPS = 64

# Random configs instead, in a space that is not finite though some of its branches are.
_MAX_DRAWN = 256

# Points in a row that a constraint may reject, before a config is drawn at random.
_MAX_REJECTED = 1024


class SobolSampler(DrawingSampler):
    """Gives trial t the point t of a scrambled Sobol sequence.

    Points that the constraint rejects are left out of the sequence. Where a config was
    tried, as one without continuous parameters may be, the next point takes its place.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from sk_hpo.samplers.sobol import SobolSampler
    >>> from sk_hpo.space.space import Space
    >>> sampler = SobolSampler().bind(Space({"x": uniform(0, 1)}), seed=0)
    >>> sorted(int(4 * x) for x, in sampler.suggest([], n=4))
    [0, 1, 2, 3]
    """

    _sequence: _Sequence

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search."""
        bound = super().bind(space, seed)
        bound._sequence = _Sequence(space, seed)
        return bound

    def _draw(self, trial: int, history: Sequence[Trial], others: set[Config]) -> Config | None:
        tried = self._ledger.tried(history)
        for skipped in range(_MAX_SKIPS):
            config = self._sequence[trial + skipped]
            if config not in tried and config not in others:
                return config
        if math.isinf(self.space.combinations):
            rng = np.random.default_rng([self.seed, trial, 1])
            drawn = (self.space.sample(rng) for _ in range(_MAX_DRAWN))
            return next((c for c in drawn if c not in tried and c not in others), config)
        return next(iter(self._ledger.untried(history, 1, but=others)), None)


class _Sequence:
    """Configs at the points of the sequence that the constraint allows, by position."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._n_points = 0
        self._configs: list[Config] = []

    def __getitem__(self, position: int) -> Config:
        while len(self._configs) <= position:
            self._configs.append(self._next())
        return self._configs[position]

    def _next(self) -> Config:
        for _ in range(_MAX_REJECTED):
            config = self._space.from_cube(self._point())
            if self._space.allows(config):
                return config
        return self._space.sample(np.random.default_rng([self._seed, len(self._configs)]))

    def _point(self) -> np.ndarray:
        i = self._n_points
        if i == 0:
            self._engine = qmc.Sobol(
                len(self._space.dimensions), seed=np.random.default_rng(self._seed)
            )
            self._points = self._engine.random(64)
        elif i == len(self._points):
            # Only a power of two keeps the sequence balanced.
            self._points = np.vstack([self._points, self._engine.random(i)])
        self._n_points += 1
        point: np.ndarray = self._points[i]
        return point
