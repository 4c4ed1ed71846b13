"""A small sampler with a model: the score of the nearest trial, in doubt by its distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Reason, Trial


class Nearest:
    """Predicts the score of the nearest config, and its distance as standard deviation."""

    def __init__(self, space: Space, history: Sequence[Trial]) -> None:
        scored = [t for t in history if not (t.pending or t.outcome.failed)]
        self.space = space
        self.x = self.rows([trial.config for trial in scored])
        self.y = np.array([trial.outcome.score for trial in scored])

    def rows(self, configs: Sequence[Config]) -> np.ndarray:
        rows = [np.nan_to_num(self.space.to_cube(config), nan=-1.0) for config in configs]
        return np.array(rows).reshape(len(rows), len(self.space.dimensions))

    def predict(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        distances = np.abs(self.rows(configs)[:, None] - self.x).sum(axis=2)
        nearest = distances.argmin(axis=1)
        return self.y[nearest], distances.min(axis=1)


class NearestSampler(Sampler):
    """The best of a few random configs by mean + sd, after `n_initial_points` of any kind."""

    def __init__(self, n_initial_points: int = 3) -> None:
        self.n_initial_points = n_initial_points

    def model(self, history: Sequence[Trial]) -> Nearest | None:
        model = Nearest(self.space, history)
        return model if len(model.y) and len(history) >= self.n_initial_points else None

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        model = self.model(history)
        random = RandomSampler().bind(self.space, self.seed + len(history))
        if model is None:
            return random.suggest(history, n)
        drawn = random.suggest(history, n + 8)
        mean, sd = model.predict(drawn)
        return [drawn[i] for i in np.argsort(-(mean + sd), kind="stable")[:n]]

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        model = self.model(history)
        if model is None:
            return [Reason("initial")] * len(configs)
        pairs = zip(*model.predict(configs), strict=True)
        return [Reason("model", float(m + s), float(m), float(s)) for m, s in pairs]

    def surrogate(self, history: Sequence[Trial]) -> Surrogate | None:
        model = self.model(history)
        return None if model is None else Surrogate(self.space, model)
