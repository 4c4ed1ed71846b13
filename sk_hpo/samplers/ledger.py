"""What was tried of a space, and what is left, without counting from the start each time."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence, Set

import numpy as np

from sk_hpo.space.space import MAX_ENUMERATED, Space
from sk_hpo.trial import Config, Trial

__all__ = ["Ledger", "Shuffled"]


class Ledger:
    """The configs of a history that grows, and the others in a fixed order.

    A history is read once: when the same list comes again, only what was added to it is
    looked at. The answers are those of a new ledger.

    Parameters
    ----------
    space : Space
        What may be tried.
    order : callable
        ``order()`` iterates over all configs of the space, if it is finite.
    """

    def __init__(self, space: Space, order: Callable[[], Iterable[Config]]) -> None:
        always = (d for d in space.dimensions if d.condition is None)
        self._endless = any(d.kind == "real" for d in always)
        self._order = order
        self._forget(())

    def _forget(self, history: Sequence[Trial]) -> None:
        self._history = history
        self._n_read = 0
        self._tried: set[Config] = set()
        self._rest: Iterator[Config] = iter(())
        self._ahead: list[Config] | None = None

    def tried(self, history: Sequence[Trial]) -> Set[Config]:
        """Return the configs of a history; do not change the set.

        It stays empty if every config has a continuous parameter: such a config comes again
        once in 2**30 draws.
        """
        if self._endless:
            return self._tried
        if history is not self._history or not self._extends(history):
            self._forget(history)
        for i in range(self._n_read, len(history)):
            self._tried.add(history[i].config)
        self._n_read = len(history)
        return self._tried

    def _extends(self, history: Sequence[Trial]) -> bool:
        n = self._n_read
        return n == 0 or (len(history) >= n and history[n - 1].config in self._tried)

    def untried(
        self, history: Sequence[Trial], n: int, but: Container[Config] = ()
    ) -> list[Config]:
        """Return the first `n` configs in order, or all, that are not in the history or `but`.

        The space must be finite.
        """
        tried = self.tried(history)
        if self._ahead is None:
            self._rest = iter(self._order())
        self._ahead = [c for c in self._ahead or () if c not in tried]
        found = [c for c in self._ahead if c not in but][:n]
        while len(found) < n and (config := next(self._rest, None)) is not None:
            if config not in tried:
                self._ahead.append(config)
                if config not in but:
                    found.append(config)
        return found


class Shuffled:
    """All configs of a finite space in an order that depends on the seed.

    A space of more than 10**6 configs is not shuffled.

    Parameters
    ----------
    space : Space
        A finite one.
    seed : int
        Where the order comes from.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def __call__(self) -> Iterator[Config]:
        """Iterate over the configs."""
        if self._space.combinations > MAX_ENUMERATED:
            return self._space.enumerate()
        configs = list(self._space.enumerate())
        rng = np.random.default_rng([self._seed, 0, len(configs)])
        return (configs[i] for i in rng.permutation(len(configs)))
