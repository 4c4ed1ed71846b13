"""Finds what a function that defines a space may ask for, by running it.

Nothing short of all values of all parameters is sure to find everything. What is tried: the
defaults; each value of a parameter with few, and five quantiles of one with many, in the
company of other such values; all combinations of few values, up to a limit; and random
values, until nothing new was met for a good while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice

import numpy as np

from sk_hpo.space.dimension import Dimension
from sk_hpo.space.domain import Code
from sk_hpo.space.run import Run, standard
from sk_hpo.space.structure import Choose

__all__ = ["explore", "leaves"]

_FEW = 32  # values, of which each is tried
_COMBINATIONS = 512
_QUIET = 256  # random runs in a row that meet nothing new
_MAX_RUNS = 4096
_MAX_ASKED = 300_000  # parameters, in all runs together: about a second


def explore(run: Callable[[Choose], Run], dimensions: Sequence[Dimension]) -> list[Run]:
    """Return runs that have met all that the function asks for, as far as that was found.

    Parameters
    ----------
    run : callable
        Runs the function.
    dimensions : sequence of Dimension
        What it has asked for, which grows with each run.
    """
    explorer = _Explorer(run, dimensions)
    explorer.go(lambda j, default: standard(dimensions[j], default))
    explorer.try_all_values()
    few = (explorer.noted(one) for one in leaves(run, explorer.few))
    for _ in islice(few, _COMBINATIONS):
        if explorer.exhausted:
            break
    quiet = 0
    while quiet < _QUIET and not explorer.exhausted:
        explorer.try_all_values()
        before = len(dimensions)
        explorer.go(explorer.random)
        quiet = 0 if len(dimensions) > before else quiet + 1
    return explorer.runs


class _Explorer:
    """Runs a function, and knows which values of its parameters were not tried."""

    def __init__(self, run: Callable[[Choose], Run], dimensions: Sequence[Dimension]) -> None:
        self.runs: list[Run] = []
        self._run = run
        self._dimensions = dimensions
        self._rng = np.random.default_rng(0)
        self._asked = 0
        self._probes: list[list[Code]] = []
        self._untried: dict[int, dict[Code, None]] = {}
        self._way: dict[int, dict[int, Code]] = {}  # to each dimension, where it was first met

    @property
    def exhausted(self) -> bool:
        """Whether the function was run often enough."""
        return len(self.runs) >= _MAX_RUNS or self._asked >= _MAX_ASKED

    def go(self, choose: Choose) -> None:
        """Run the function."""
        self.noted(self._run(choose))

    def noted(self, run: Run) -> Run:
        """Note what a run has met and tried."""
        self.runs.append(run)
        self._asked += 1 + len(run.path)
        for j, code in run.path:
            if j not in self._way:
                self._way[j] = {k: c for k, c in run.path if k != j}
                self._untried[j] = dict.fromkeys(self.few(j))
            self._untried.get(j, {}).pop(code, None)
            if not self._untried.get(j, True):
                del self._untried[j]
        return run

    def few(self, j: int) -> list[Code]:
        """Return all values of a dimension if these are few, else some that are far apart."""
        while len(self._probes) <= j:
            dimension = self._dimensions[len(self._probes)]
            if dimension.n_levels <= _FEW:
                self._probes.append([*dimension.domain.levels()])
            else:
                quantiles = (0.5, 0.0, 1.0, 0.25, 0.75)
                self._probes.append([*dict.fromkeys(map(dimension.from_unit, quantiles))])
        return self._probes[j]

    def random(self, j: int, _: object) -> Code:
        """Return a random value; one in four at an end of its range."""
        u = float(self._rng.random())
        if self._rng.random() < 0.25:
            u = round(u)
        return self._dimensions[j].from_unit(u)

    def try_all_values(self) -> None:
        """Run the function until the values that each dimension should have were tried."""
        while self._untried and not self.exhausted:
            aim = next(iter(self._untried))
            way = self._way[aim]
            taken: set[int] = set()

            def choose(j: int, default: object) -> Code:
                if aim not in taken and j in way:  # noqa: B023
                    return way[j]  # noqa: B023
                taken.add(j)  # noqa: B023
                untried = self._untried.get(j)
                return next(iter(untried)) if untried else self.random(j, default)

            self.go(choose)


def leaves(
    run: Callable[[Choose], Run], levels: Callable[[int], Sequence[Code]]
) -> Iterator[Run]:
    """Run a function for all values of what it asks for, in turn; the last vary fastest.

    Parameters
    ----------
    run : callable
        Runs the function.
    levels : callable
        ``levels(j)`` returns the codes of dimension j.
    """
    script: list[tuple[Sequence[Code], int]] = []
    while True:
        depth = count()

        def choose(j: int, _: object) -> Code:
            i = next(depth)  # noqa: B023
            if i == len(script):
                script.append((levels(j), 0))
            codes, position = script[i]
            return codes[position]

        yield run(choose)
        while script and script[-1][1] == len(script[-1][0]) - 1:
            script.pop()
        if not script:
            return
        codes, position = script[-1]
        script[-1] = codes, position + 1
