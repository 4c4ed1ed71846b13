"""The sampler contract: history -> next configs.

A sampler says *what* to try; how much to spend on it is the scheduler's affair. To write
one, subclass `Sampler` and implement `suggest`, and `explain` and `surrogate` if it has a
model; ``sk_hpo.testing`` holds the tests that it must pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Self

from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Reason, Trial

__all__ = ["Sampler"]

_NONE = Reason()  # one for a million trials


class Sampler(ABC):
    """Decides which configs to try next.

    An unbound sampler is a recipe, a constructor call and nothing else, so that it can
    be an argument of a search and be shared between searches. `bind` returns a copy
    that knows its space and seed.

    Attributes
    ----------
    uses_history : bool
        False promises that suggestions do not depend on outcomes, so that a synchronous
        scheduler need not wait for them before it asks.
    """

    uses_history: bool = True

    space: Space
    seed: int

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Parameters
        ----------
        space : Space
            What may be tried.
        seed : int
            Non-negative. Everything random derives from it.
        """
        bound = copy(self)
        bound.space = space
        bound.seed = seed
        return bound

    @abstractmethod
    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs.

        Deterministic in ``(space, seed, history, n)``: a sampler may remember results of
        earlier computations, but must answer the same without them. The configs will
        become trials ``len(history), len(history) + 1, ...``.

        Parameters
        ----------
        history : sequence of Trial
            All trials so far by id, pending ones included.
        n : int, default=1
            How many configs are wanted at once.

        Returns
        -------
        configs : list of Config
            Shorter than `n`, possibly empty, only when a finite space has no config
            left that was not tried.
        """

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        """Return why ``suggest(history, len(configs))`` answered `configs`.

        Deterministic in its arguments, as `suggest` is: a sampler may remember its last
        answer, but must say the same without it.

        Parameters
        ----------
        history : sequence of Trial
            What `suggest` was given.
        configs : sequence of Config
            What it answered.

        Returns
        -------
        reasons : list of Reason
            One for each config. A sampler without a model says "random".
        """
        return [_NONE] * len(configs)

    def surrogate(self, history: Sequence[Trial]) -> Surrogate | None:
        """Return what the sampler has learned from a history.

        Parameters
        ----------
        history : sequence of Trial
            As `suggest` takes it.

        Returns
        -------
        surrogate : Surrogate or None
            None if there is no model, or nothing to learn from.
        """
        return None
