"""SMAC's facade for hyperparameters: a random forest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ConfigSpace import (
    AndConjunction,
    Categorical,
    ConfigurationSpace,
    Float,
    InCondition,
    Integer,
)
from ConfigSpace.hyperparameters import Hyperparameter
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialValue

from efficiency.peers.base import Optimizer, to_choices
from efficiency.task import Config, Observation, Parameter, Task

__all__ = ["Smac"]


class Smac(Optimizer):
    """`HyperparameterOptimizationFacade` with its defaults; conditions are expressed."""

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        logging.getLogger("smac").setLevel(logging.ERROR)
        self._folder = TemporaryDirectory(prefix="smac")  # removed with this object
        scenario = Scenario(
            _space(task.params, seed),
            deterministic=True,
            n_trials=budget,
            seed=seed,
            output_directory=Path(self._folder.name),
        )
        self._facade = HyperparameterOptimizationFacade(
            scenario, _unused, overwrite=True, logging_level=40
        )

    def ask(self, n: int) -> list[dict[str, Any]]:
        self._asked = [self._facade.ask() for _ in range(n)]
        return [self._config(dict(info.config)) for info in self._asked]

    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        for info, observation in zip(self._asked, observations, strict=True):
            self._facade.tell(info, TrialValue(cost=observation.value))

    def _config(self, values: dict[str, Any]) -> dict[str, Any]:
        config = to_choices(self.params, values)
        whole = {p.name for p in self.params if p.kind == "int"}
        return {name: int(v) if name in whole else v for name, v in config.items()}


def _unused(config: Any, seed: int = 0) -> float:
    return 0.0


def _space(params: Sequence[Parameter], seed: int) -> ConfigurationSpace:
    space = ConfigurationSpace(seed=seed)
    made = {p.name: _hyperparameter(p) for p in params}
    space.add(list(made.values()))
    for p in params:
        clauses = [InCondition(made[p.name], made[name], list(v)) for name, v in p.when]
        if clauses:
            space.add(AndConjunction(*clauses) if len(clauses) > 1 else clauses[0])
    return space


def _hyperparameter(p: Parameter) -> Hyperparameter:
    if p.kind == "cat":
        return Categorical(p.name, list(p.choices))
    if p.kind == "ord":
        return Integer(p.name, (0, len(p.choices) - 1))
    return (Integer if p.kind == "int" else Float)(p.name, (p.low, p.high), log=p.log)
