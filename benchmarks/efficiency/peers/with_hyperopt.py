"""hyperopt's tree-structured Parzen estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hyperopt import Trials, hp, tpe
from hyperopt.base import JOB_STATE_DONE, STATUS_OK, Domain

from efficiency.peers.base import Optimizer, to_choices
from efficiency.task import Config, Observation, Parameter, Task

__all__ = ["Hyperopt"]


class Hyperopt(Optimizer):
    """``tpe.suggest`` with its defaults; conditions are expressed as nested choices."""

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        self._domain = Domain(lambda config: 0.0, _space(task.params))
        self._trials = Trials()
        self._rng = np.random.default_rng(seed)

    def ask(self, n: int) -> list[dict[str, Any]]:
        self._asked: list[dict[str, Any]] = []
        for trial_id in self._trials.new_trial_ids(n):
            seed = int(self._rng.integers(2**31 - 1))
            self._asked += tpe.suggest([trial_id], self._domain, self._trials, seed)
        return [self._config(document["misc"]["vals"]) for document in self._asked]

    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        for document, observation in zip(self._asked, observations, strict=True):
            document["state"] = JOB_STATE_DONE
            document["result"] = {"status": STATUS_OK, "loss": observation.value}
        self._trials.insert_trial_docs(self._asked)
        self._trials.refresh()

    def _config(self, values: dict[str, list[Any]]) -> dict[str, Any]:
        active = {p.name: _value(p, values[p.name][0]) for p in self.params if values[p.name]}
        return to_choices(self.params, active)


def _value(p: Parameter, value: Any) -> Any:
    if p.kind == "cat":
        return p.choices[int(value)]
    if p.kind == "ord":
        return int(value)
    if p.kind == "int":
        return int(min(max(round(value), p.low), p.high))
    return float(value)


def _space(params: Sequence[Parameter]) -> dict[str, Any]:
    made: dict[str, Any] = {}

    def make(p: Parameter) -> Any:
        # One expression for each parameter, though several choices may lead to it.
        if p.name not in made:
            made[p.name] = _expression(p, branches(p))
        return made[p.name]

    def branches(parent: Parameter) -> list[Any]:
        children = [p for p in params if p.when and p.when[0][0] == parent.name]
        return [
            [choice, *(make(p) for p in children if choice in p.when[0][1])]
            for choice in parent.choices
        ]

    return {p.name: make(p) for p in params if not p.when}


def _expression(p: Parameter, branches: list[Any]) -> Any:
    if p.kind == "cat":
        return hp.choice(p.name, branches)
    if p.kind == "ord":
        return hp.uniformint(p.name, 0, len(p.choices) - 1)
    if p.log:
        low, high = np.log(p.low), np.log(p.high)
        if p.kind == "int":
            return hp.qloguniform(p.name, low, high, 1)
        return hp.loguniform(p.name, low, high)
    return (hp.uniformint if p.kind == "int" else hp.uniform)(p.name, p.low, p.high)
