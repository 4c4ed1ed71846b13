"""sk_hpo's samplers, driven as a search drives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.stats import loguniform, randint, uniform

from efficiency.peers.base import Optimizer, to_choices
from efficiency.task import Config, Observation, Parameter, Task
from sk_hpo.samplers.base import Sampler
from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space
from sk_hpo.trial import Outcome, Trial

__all__ = ["Ours", "space_of"]


class Ours(Optimizer):
    """Suggestions of a sampler for the history so far.

    Parameters
    ----------
    sampler : Sampler
        Not yet bound.
    task, seed, budget
        See `Optimizer`.
    """

    def __init__(self, sampler: Sampler, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        self._sampler = sampler.bind(space_of(task.params), seed)
        self._history: list[Trial] = []

    def ask(self, n: int) -> list[dict[str, Any]]:
        self._asked = self._sampler.suggest(self._history, n)
        space = self._sampler.space
        return [to_choices(self.params, space.params(config)) for config in self._asked]

    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        for config, observation in zip(self._asked, observations, strict=True):
            outcome = Outcome(
                -observation.value,
                observation.standard_error,
                scores=tuple(-value for value in observation.folds),
            )
            self._history.append(Trial(len(self._history), config).told(1, outcome))


def space_of(params: Sequence[Parameter]) -> Space:
    """Return the space of a task; conditions included, "ord" by index."""
    distributions: dict[str, Any] = {}
    for p in params:
        distribution = _distribution(p)
        if p.when:
            distribution = when(distribution, **{name: list(v) for name, v in p.when})
        distributions[p.name] = distribution
    return Space(distributions)


def _distribution(p: Parameter) -> Any:
    if p.kind == "cat":
        return list(p.choices)
    if p.kind == "ord":
        return list(range(len(p.choices)))
    if p.kind == "int":
        return (lograndint if p.log else randint)(int(p.low), int(p.high) + 1)
    return loguniform(p.low, p.high) if p.log else uniform(p.low, p.high - p.low)
