"""Plans of several brackets: read from a list of rungs, and cut to a finite space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from sk_hpo.rungs import Rung

__all__ = ["by_bracket", "cut"]


def by_bracket(rungs: Sequence[Rung]) -> list[list[Rung]]:
    """Return the rungs of each bracket.

    Parameters
    ----------
    rungs : sequence of Rung
        Of one or more brackets, each bracket's rungs together and lowest first.

    Raises
    ------
    ValueError
        If there is no rung, or a bracket's rungs are not in order.
    """
    brackets = [list(group) for _, group in groupby(rungs, lambda r: r.bracket)]
    if not brackets:
        raise ValueError("A schedule needs at least one rung.")
    if len({rungs[0].bracket for rungs in brackets}) < len(brackets):
        raise ValueError("The rungs of a bracket must stand together.")
    for bracket in brackets:
        _check(bracket)
    return brackets


def cut(brackets: Sequence[Sequence[Rung]], size: float) -> list[Rung]:
    """Return the rungs that are reached in a space of `size` configs, none tried twice.

    Examples
    --------
    >>> from sk_hpo.rungs import hyperband_rungs
    >>> brackets = by_bracket(hyperband_rungs(1, 9, 3))
    >>> [(rung.bracket, rung.rung, rung.n_trials) for rung in cut(brackets, size=11)]
    [(0, 0, 9), (0, 1, 3), (0, 2, 1), (1, 0, 2), (1, 1, 1)]
    """
    left = size
    plan: list[Rung] = []
    for rungs in brackets:
        n_trials = min(rungs[0].n_trials, left)
        left -= n_trials
        for rung in rungs:
            n_trials = min(n_trials, rung.n_trials)
            if n_trials:
                plan.append(replace(rung, n_trials=int(n_trials)))
    return plan


def _check(rungs: Sequence[Rung]) -> None:
    starts = [0, *(rung.resource for rung in rungs)]
    sizes = [rung.n_trials for rung in rungs]
    if (
        [rung.rung for rung in rungs] != list(range(len(rungs)))
        or [rung.start for rung in rungs] != starts[:-1]
        or starts != sorted(set(starts))
        or sizes != sorted(sizes, reverse=True)
        or sizes[-1] < 1
    ):
        raise ValueError(f"The rungs of bracket {rungs[0].bracket} are not in order.")
