"""Ladder arithmetic in exact integers, and the synchronous bracket.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband: A Novel Bandit-Based Approach
to Hyperparameter Optimization, JMLR 18 (2018), Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rung"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of resource, and how many trials are brought to it.

    Parameters
    ----------
    bracket : int
        Bracket that the rung belongs to, counted from 0 in the order of running.
    rung : int
        Position in the bracket, 0 at the lowest resource.
    n_trials : int
        Number of trials that are brought to `resource`.
    start : int
        Resource that these trials have when they arrive (0 on the lowest rung).
    resource : int
        Resource that they have when they leave.
    """

    bracket: int
    rung: int
    n_trials: int
    start: int
    resource: int
