"""Which folds are run for which resource.

A layout says what a job of a scheduler means fold by fold. Folds have one order, the same
for every trial, and a trial that has scores of n folds has those of the first n: means are
only ever compared over the same folds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["AllFolds", "FoldsAsResource", "Layout", "RisingFolds", "Step", "together"]


@dataclass(frozen=True, slots=True)
class Step:
    """Bring one fold's model from one resource to another."""

    fold: int
    start: int
    stop: int


class Layout(ABC):
    """What a job is, fold by fold.

    Attributes
    ----------
    n_splits : int
        How many folds there are.
    carries : bool
        Whether a trial's fold scores at a lower resource are its fold scores at a higher
        one too.
    """

    n_splits: int
    carries: bool = False

    @abstractmethod
    def steps(self, start: int, stop: int) -> list[Step]:
        """Return what is to be done to bring a trial from `start` to `stop`, in order."""


@dataclass(frozen=True)
class AllFolds(Layout):
    """Every fold at every resource."""

    n_splits: int

    def steps(self, start: int, stop: int) -> list[Step]:
        """Return a step per fold."""
        return [Step(fold, start, stop) for fold in range(self.n_splits)]


@dataclass(frozen=True)
class RisingFolds(Layout):
    """The lower a rung, the fewer folds; all of them at the top.

    Of k rungs, the i-th from below has ``ceil(n_splits * i / k)`` folds. A promoted trial
    goes on in the folds that it has, and begins those that are new to it.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    resources : tuple of int
        Resources of the ladder, lowest first.

    Examples
    --------
    >>> layout = RisingFolds(3, (1, 3, 9))
    >>> [len(layout.steps(0, stop)) for stop in (1, 3, 9)]
    [1, 2, 3]
    >>> layout.steps(1, 3)
    [Step(fold=0, start=1, stop=3), Step(fold=1, start=0, stop=3)]
    """

    n_splits: int
    resources: tuple[int, ...]

    def steps(self, start: int, stop: int) -> list[Step]:
        """Return a step per fold of the rung that leads to `stop`."""
        n_begun = self._n_folds(start)
        return [
            Step(fold, start if fold < n_begun else 0, stop)
            for fold in range(self._n_folds(stop))
        ]

    def _n_folds(self, resource: int) -> int:
        if not resource:
            return 0
        level = max(1, sum(rung <= resource for rung in self.resources))
        return -(-self.n_splits * level // len(self.resources))


@dataclass(frozen=True)
class FoldsAsResource(Layout):
    """A resource of r is the first r folds, each trained once.

    Examples
    --------
    >>> FoldsAsResource(5).steps(1, 3)
    [Step(fold=1, start=0, stop=1), Step(fold=2, start=0, stop=1)]
    """

    n_splits: int
    carries = True

    def steps(self, start: int, stop: int) -> list[Step]:
        """Return a step per fold that the trial has not."""
        return [Step(fold, 0, 1) for fold in range(start, stop)]


def together(steps: Sequence[Step]) -> list[list[Step]]:
    """Return the steps in groups that one job can do: of the same start and stop."""
    groups: dict[tuple[int, int], list[Step]] = {}
    for step in steps:
        groups.setdefault((step.start, step.stop), []).append(step)
    return list(groups.values())
