"""Spaces that are dicts: which dimensions a config has follows from clauses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from sk_hpo.space.build import HIDDEN, build_dimensions, topological_order
from sk_hpo.space.structure import Choose, Structure
from sk_hpo.trial import Config

__all__ = ["Conditional"]


class Conditional(Structure):
    """The structure of a dict or a list of dicts.

    Parameters
    ----------
    param_distributions : dict, or list of dicts
        As `sk_hpo.space.space.Space` takes them.

    Raises
    ------
    TypeError, ValueError
        As `sk_hpo.space.space.Space` says.
    """

    by_run = False

    def __init__(self, param_distributions: Any) -> None:
        self.dimensions = build_dimensions(param_distributions)
        self.keys = tuple(sorted({d.name for d in self.dimensions} - {HIDDEN}))
        self._order = topological_order(self.dimensions)

    def complete(self, choose: Choose) -> Config:
        codes: list[float | int | None] = [None] * len(self.dimensions)
        for i in self._order:
            if self._active(i, codes):
                codes[i] = choose(i, None)
        return tuple(codes)

    def _active(self, i: int, codes: Sequence[float | int | None]) -> bool:
        condition = self.dimensions[i].condition
        return condition is None or condition.holds(codes)

    def completions(self) -> Iterator[Config]:
        return self._completions([None] * len(self.dimensions), 0)

    def _completions(self, codes: list[float | int | None], start: int) -> Iterator[Config]:
        if start == len(self._order):
            yield tuple(codes)
            return
        i = self._order[start]
        levels = self.dimensions[i].domain.levels() if self._active(i, codes) else (None,)
        for codes[i] in levels:
            yield from self._completions(codes, start + 1)
        codes[i] = None

    @cached_property
    def combinations(self) -> float:
        """Number of configs, `math.inf` if not finite."""
        # What matters of a parent is only which conditions it meets, so its codes are
        # counted one by one where a condition names them and all together otherwise.
        named: dict[int, frozenset[int]] = {}
        for dimension in self.dimensions:
            for clause in dimension.condition.clauses if dimension.condition else ():
                seen = named.get(clause.dimension, frozenset())
                named[clause.dimension] = seen | clause.codes
        return self._count(self._order, [None] * len(self.dimensions), named)

    def _count(
        self,
        members: Sequence[int],
        codes: list[float | int | None],
        named: Mapping[int, frozenset[int]],
    ) -> float:
        """Count the configs of some dimensions in topological order, given earlier codes."""
        product: float = 1
        for first, *rest in self._connected(members):
            codes[first] = None
            if not self._active(first, codes):
                product *= self._count(rest, codes.copy(), named)
                continue
            others = self.dimensions[first].n_levels - len(named.get(first, ()))
            # Without a code, it is like any code that no condition names.
            total = others * self._count(rest, codes.copy(), named) if others else 0
            for code in named.get(first, ()):
                codes[first] = code
                total += self._count(rest, codes.copy(), named)
            product *= total
        return product

    def _connected(self, members: Sequence[int]) -> list[list[int]]:
        """Split dimensions into groups that no condition connects, each in its order."""
        groups: list[list[int]] = []
        for i in members:
            condition = self.dimensions[i].condition
            parents = {clause.dimension for clause in condition.clauses} if condition else set()
            joined = [group for group in groups if parents & set(group)]
            groups = [group for group in groups if group not in joined]
            groups.append([*chain.from_iterable(joined), i])
        position = {i: n for n, i in enumerate(members)}
        return [sorted(group, key=position.__getitem__) for group in groups]

    def values(self, config: Config) -> dict[str, Any]:
        pairs = zip(self.dimensions, config, strict=True)
        return {d.name: d.value(c) for d, c in pairs if c is not None and d.name != HIDDEN}

    def params(self, config: Config) -> dict[str, Any]:
        return self.values(config)

    def objects(self, key: str | None) -> list[Any]:
        return [
            dimension.value(code)
            for dimension in self.dimensions
            if dimension.kind == "categorical" and dimension.name != HIDDEN
            if key in (None, dimension.name)
            for code in range(int(dimension.n_levels))
        ]

    @property
    def defaults(self) -> dict[str, Any]:
        """None: a dict has no defaults."""
        return {}

    @property
    def default(self) -> None:
        """None: a dict has no defaults."""
        return None
