"""scikit-optimize's `Optimizer` with its defaults, as its `BayesSearchCV` builds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skopt import Optimizer as SkoptOptimizer
from skopt.space import Categorical, Dimension, Integer, Real

from efficiency.peers.base import Optimizer, to_choices
from efficiency.task import Config, Observation, Parameter, Task

__all__ = ["Skopt"]


class Skopt(Optimizer):
    """A Gaussian process, ten random points first, acquisition by gp_hedge."""

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        dimensions = [_dimension(p) for p in task.params]
        self._optimizer = SkoptOptimizer(dimensions, random_state=seed)

    def ask(self, n: int) -> list[dict[str, Any]]:
        self._points = [self._optimizer.ask()] if n == 1 else self._optimizer.ask(n_points=n)
        return [self._config(point) for point in self._points]

    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        self._optimizer.tell(self._points, [o.value for o in observations])

    def _config(self, point: Sequence[Any]) -> dict[str, Any]:
        values = (v.item() if hasattr(v, "item") else v for v in point)
        named = zip((p.name for p in self.params), values, strict=True)
        return to_choices(self.params, dict(named))


def _dimension(p: Parameter) -> Dimension:
    if p.kind == "cat":
        return Categorical(p.choices)
    if p.kind == "ord":
        return Integer(0, len(p.choices) - 1)
    prior = "log-uniform" if p.log else "uniform"
    return (Integer if p.kind == "int" else Real)(p.low, p.high, prior=prior)
