"""Optuna's samplers, by its ask-and-tell interface.

They are given the flattened space: parameters that exist only sometimes are left out of
their joint models, which cost both samplers regret on the conditional tasks when tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from efficiency.peers.base import Optimizer, to_choices
from efficiency.task import Config, Observation, Parameter, Task

__all__ = ["OptunaGP", "OptunaTPE"]


class _Optuna(Optimizer):
    make: Callable[..., BaseSampler]

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(sampler=self.make(seed=seed))
        self._space = {p.name: _distribution(p) for p in task.params}

    def ask(self, n: int) -> list[dict[str, Any]]:
        self._trials = [self._study.ask(self._space) for _ in range(n)]
        return [to_choices(self.params, trial.params) for trial in self._trials]

    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        for trial, observation in zip(self._trials, observations, strict=True):
            self._study.tell(trial, observation.value)


class OptunaTPE(_Optuna):
    """Its tree-structured Parzen estimator, with its defaults."""

    make = TPESampler


class OptunaGP(_Optuna):
    """Its Gaussian process, with its defaults."""

    make = GPSampler


def _distribution(p: Parameter) -> BaseDistribution:
    if p.kind == "cat":
        return CategoricalDistribution(p.choices)
    if p.kind == "ord":
        return IntDistribution(0, len(p.choices) - 1)
    if p.kind == "int":
        return IntDistribution(int(p.low), int(p.high), log=p.log)
    return FloatDistribution(p.low, p.high, log=p.log)
