"""The user's own points first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Reason, Trial

__all__ = ["EnqueuedSampler"]


class EnqueuedSampler(Sampler):
    """Gives trial t the point t while there are points, then asks another sampler.

    That one finds the points in its history, as trials like any other.

    Parameters
    ----------
    sampler : Sampler
        Unbound; suggests what comes after the points.
    points_to_evaluate : sequence of dict
        Parameters, as `Space.config` takes them. Equal ones are tried once.
    ignored : collection of str, default=()
        Names that points may have and that are not read.

    Attributes
    ----------
    points : tuple of Config
        The different points in their order; of a bound sampler.

    Examples
    --------
    >>> from sk_hpo.samplers.enqueued import EnqueuedSampler
    >>> from sk_hpo.samplers.grid import GridSampler
    >>> from sk_hpo.space.space import Space
    >>> space = Space({"a": [1, 2, 3]})
    >>> sampler = EnqueuedSampler(GridSampler(), [{"a": 3}]).bind(space, seed=0)
    >>> configs = sampler.suggest([], n=3)
    >>> [space.params(config)["a"] for config in configs]
    [3, 1, 2]
    >>> [reason.origin for reason in sampler.explain([], configs)]
    ['user', 'random', 'random']
    """

    points: tuple[Config, ...]

    def __init__(
        self,
        sampler: Sampler,
        points_to_evaluate: Sequence[Mapping[str, Any]],
        ignored: Collection[str] = (),
    ) -> None:
        self.sampler = sampler
        self.points_to_evaluate = points_to_evaluate
        self.ignored = ignored
        self.uses_history = sampler.uses_history

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Raises
        ------
        TypeError
            If a point is not a dict.
        ValueError
            If a point is not in the space, or the constraint rejects it; says which point
            and, if it is one parameter's fault, which parameter.
        """
        bound = super().bind(space, seed)
        bound.sampler = self.sampler.bind(space, seed)
        points = enumerate(self.points_to_evaluate)
        bound.points = tuple(dict.fromkeys(bound._config(*point) for point in points))
        return bound

    def _config(self, position: int, point: Mapping[str, Any]) -> Config:
        where = f"points_to_evaluate[{position}]"
        if not isinstance(point, Mapping):
            raise TypeError(f"{where} is not a dict: {point!r}")
        params = {name: value for name, value in point.items() if name not in self.ignored}
        try:
            config = self.space.config(params)
            allowed = self.space.allows(config)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if not allowed:
            raise ValueError(f"{where}: the constraint rejects {params}")
        return config

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        first = self._waiting(history, n)
        if len(first) == n:
            return first
        return first + self.sampler.suggest(_after(history, first), n - len(first))

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        """Return "user" for the points, for others what their sampler says."""
        first = self._waiting(history, len(configs))
        reasons = [Reason("user")] * len(first)
        if len(first) == len(configs):
            return reasons
        return reasons + self.sampler.explain(_after(history, first), configs[len(first) :])

    def surrogate(self, history: Sequence[Trial]) -> Surrogate | None:
        """Return what the sampler after the points has learned."""
        return self.sampler.surrogate(history)

    def _waiting(self, history: Sequence[Trial], n: int) -> list[Config]:
        """Return up to `n` points whose turn it is, without those that were tried."""
        points = self.points[len(history) :]
        tried = {trial.config for trial in history} if points else set()
        return [point for point in points if point not in tried][:n]


def _after(history: Sequence[Trial], configs: Sequence[Config]) -> Sequence[Trial]:
    """Return the history as it will be when `configs` are trials of it."""
    if not configs:
        return history
    return [*history, *(Trial(id, c) for id, c in enumerate(configs, start=len(history)))]
