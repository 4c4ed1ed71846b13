"""The contract of an optimiser under test, and the two that learn nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from efficiency.task import Config, Observation, Parameter, Task

__all__ = ["Optimizer", "Random", "Sobol", "to_choices"]


class Optimizer(ABC):
    """Minimises one task.

    Parameters
    ----------
    task : Task
        What is minimised; only its parameters, and whether it is noisy, may be looked at.
    seed : int
        Everything random derives from it.
    budget : int
        How many evaluations there will be.
    """

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        self.task = task
        self.params = task.params
        self.seed = seed
        self.budget = budget

    @abstractmethod
    def ask(self, n: int) -> list[dict[str, Any]]:
        """Return `n` configs, fewer only if there are no more."""

    @abstractmethod
    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        """Take in what became of all configs of the last `ask`, in its order."""


class _Deaf(Optimizer):
    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        pass


class Random(_Deaf):
    """Independent draws."""

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        self._rng = np.random.default_rng(1000 + seed)

    def ask(self, n: int) -> list[dict[str, Any]]:
        return [self.task.sample(self._rng) for _ in range(n)]


class Sobol(_Deaf):
    """A scrambled Sobol sequence."""

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        self._sequence = qmc.Sobol(len(task.params), scramble=True, seed=seed)

    def ask(self, n: int) -> list[dict[str, Any]]:
        return [
            {p.name: p.from_unit(u) for p, u in zip(self.params, row, strict=True)}
            for row in self._sequence.random(n)
        ]


def to_choices(params: Sequence[Parameter], values: dict[str, Any]) -> dict[str, Any]:
    """Return a config from one that holds the index of every "ord"; none need be there."""
    return {
        p.name: p.choices[int(values[p.name])] if p.kind == "ord" else values[p.name]
        for p in params
        if p.name in values
    }
