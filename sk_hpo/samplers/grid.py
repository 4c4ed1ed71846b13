"""Grid search: every config, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.ledger import Ledger
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Trial

__all__ = ["GridSampler"]


class GridSampler(Sampler):
    """Goes through all configs in the order of scikit-learn's ``ParameterGrid``.

    Examples
    --------
    >>> from sk_hpo.samplers.grid import GridSampler
    >>> from sk_hpo.space.space import Space
    >>> space = Space({"b": [True, False], "a": [1, 2]})
    >>> [space.params(config) for config in GridSampler().bind(space, seed=0).suggest([], 3)]
    [{'a': 1, 'b': True}, {'a': 1, 'b': False}, {'a': 2, 'b': True}]
    """

    uses_history = False

    _ledger: Ledger

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Raises
        ------
        ValueError
            If a parameter is given as a distribution. A function cannot give integers
            otherwise, and all of them are gone through.
        """
        endless = ("real",) if space.by_run else ("integer", "real")
        for dimension in space.dimensions:
            if dimension.kind in endless:
                raise ValueError(
                    f"Parameter {dimension.name!r} is a distribution; a grid needs a list of"
                    f" its values{', or a step' if space.by_run else ''}"
                )
        bound = super().bind(space, seed)
        bound._ledger = Ledger(space, space.enumerate)
        return bound

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        return self._ledger.untried(history, n)
