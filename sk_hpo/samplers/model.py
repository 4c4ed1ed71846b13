"""Samplers that have a model: a quasi-random start, then what the model wants."""

from __future__ import annotations

import math
import operator
from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.cube import Cube
from sk_hpo.samplers.ledger import Ledger
from sk_hpo.samplers.observed import all_failed
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Reason, Trial

__all__ = ["Explained", "ModelSampler", "check_count"]

Explained = tuple[Config, Reason]

_N_DRAWN = 8  # random configs, where all that the model wants is tried or not allowed


class ModelSampler(Sampler):
    """Base of samplers that learn from outcomes and can say what they expect.

    Parameters
    ----------
    n_initial_points : int or "auto", default="auto"
        Trials (pending and failed ones count) before the model is asked; until then, and
        while no trial has succeeded, suggestions are quasi-random.
    """

    def __init__(self, n_initial_points: int | Literal["auto"] = "auto") -> None:
        self.n_initial_points = n_initial_points

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Raises
        ------
        ValueError
            If a constructor argument is not valid.
        """
        if self.n_initial_points != "auto":
            check_count("n_initial_points", self.n_initial_points, "'auto' or ")
        bound = super().bind(space, seed)
        bound._initial = SobolSampler().bind(space, seed)
        bound._cube = Cube(space)
        bound._ledger = Ledger(space, space.enumerate)
        bound._said = None
        return bound

    _initial: SobolSampler
    _cube: Cube
    _ledger: Ledger
    _said: tuple[list[Trial], int, list[Explained]] | None

    @property
    @abstractmethod
    def _auto(self) -> int:
        """What "auto" initial points are."""

    @abstractmethod
    def _modelled(
        self, history: Sequence[Trial], initial: list[Config], n: int
    ) -> list[Explained]:
        """Return up to `n` new configs that the model wants, and why.

        Parameters
        ----------
        history : sequence of Trial
            At least one has succeeded.
        initial : list of Config
            What is suggested already in the same call.
        n : int
            At least 1.
        """

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        return [config for config, _ in self._answer(history, n)]

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        """Return why, see `Sampler.explain`."""
        reasons = dict(self._answer(history, len(configs)))
        return [reasons.get(config, Reason()) for config in configs]

    def _answer(self, history: Sequence[Trial], n: int) -> list[Explained]:
        """Return the configs and their reasons; the last answer is remembered."""
        said = self._said
        if said is None or said[1] != n or not _same(said[0], history):
            said = self._said = (list(history), n, self._choose(history, n))
        return said[2]

    def _choose(self, history: Sequence[Trial], n: int) -> list[Explained]:
        first = self._auto if self.n_initial_points == "auto" else self.n_initial_points
        n_initial = n if all_failed(history) else min(n, first - len(history))
        initial = self._initial.suggest(history, n_initial) if n_initial > 0 else []
        chosen = [(config, Reason("initial")) for config in initial]
        if len(chosen) == n or len(chosen) < n_initial:
            return chosen
        return chosen + self._modelled(history, initial, n - len(chosen))

    def _random(self, tried: set[Config], rng: np.random.Generator) -> list[Config]:
        """Draw configs that are new; ValueError if the constraint accepts next to nothing."""
        drawn, error = [], None
        for _ in range(_N_DRAWN):
            try:
                drawn.append(self.space.sample(rng))
            except ValueError as refused:
                error = refused
        if error and not drawn:
            raise error
        return [config for config in drawn if config not in tried]

    def _any_left(self, history: Sequence[Trial], tried: set[Config]) -> Config | None:
        """Return a config of a finite space that is new, None if there is none."""
        if math.isinf(self.space.combinations):
            return None
        return next(iter(self._ledger.untried(history, 1, tried)), None)


def _same(a: Sequence[Trial], b: Sequence[Trial]) -> bool:
    """Whether two histories hold the very same trials."""
    return len(a) == len(b) and all(map(operator.is_, a, b))


def check_count(name: str, value: object, other: str = "") -> None:
    """Raise ValueError if `value` is not an integer of at least 1."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not value >= 1:  # type: ignore[operator]
        raise ValueError(f"{name} must be {other}at least 1, not {value!r}")
