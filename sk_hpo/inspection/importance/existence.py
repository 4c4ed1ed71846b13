"""When a parameter exists, as the trials tell it: a journal does not keep the conditions.

What is found is a conjunction as `sk_hpo.when` makes it: certain levels of certain other
parameters. Of several that agree with the trials, the one with the fewest parents is taken,
by the greedy set cover: each excludes as many of the trials without the parameter as it can.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["conditions_of"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]


def conditions_of(
    levels: IntArray, n_levels: Sequence[int | None], ordered: Sequence[bool]
) -> list[dict[int, BoolArray] | None]:
    """Return the condition of each parameter; None if there is none that agrees.

    Parameters
    ----------
    levels : ndarray of shape (m, d)
        Of each trial, the level of each parameter; -1 where it does not exist. Of a
        continuous parameter only whether it is -1 counts.
    n_levels : sequence of int or None
        How many levels there are; None for a continuous parameter.
    ordered : sequence of bool
        Whether a level that was never tried is as the next one that was. If it is not
        ordered, the parameter does not exist there.

    Returns
    -------
    conditions : list of dict of int to ndarray of bool, or None
        Position of another parameter -> which of its levels it must have. Empty for a
        parameter that is always there, or never.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.inspection.importance.existence import conditions_of
    >>> momentum_exists_for_the_first = np.array([[0, 0], [1, -1], [0, 0], [1, -1]])
    >>> conditions_of(momentum_exists_for_the_first, [2, None], [False, True])
    [{}, {0: array([ True, False])}]
    """
    there = levels >= 0
    return [_condition(levels, there, j, n_levels, ordered) for j in range(levels.shape[1])]


def _condition(
    levels: IntArray,
    there: BoolArray,
    j: int,
    n_levels: Sequence[int | None],
    ordered: Sequence[bool],
) -> dict[int, BoolArray] | None:
    yes, no = there[:, j], ~there[:, j]
    if not yes.any() or not no.any():
        return {}
    allowed: dict[int, BoolArray] = {}
    excluded: dict[int, BoolArray] = {}
    for k, size in enumerate(n_levels):
        # A parent is there whenever its child is, and at other times too.
        if size is None or not there[yes, k].all() or not there[no, k].any():
            continue
        allowed[k] = _levels_with(levels[:, k], yes, size, ordered[k])
        excluded[k] = no & ~(there[:, k] & allowed[k][levels[:, k]])
    found: dict[int, BoolArray] = {}
    left = no
    while left.any():
        counts = {k: int((left & rows).sum()) for k, rows in excluded.items()}
        best = max(counts, key=lambda k: (counts[k], -len(allowed[k])), default=None)
        if best is None or not counts[best]:
            return None
        found[best] = allowed[best]
        left = left & ~excluded[best]
    return found


def _levels_with(levels: IntArray, yes: BoolArray, size: int, ordered: bool) -> BoolArray:
    """Return at which levels of a parent its child was seen, or would be by the next one."""
    seen = np.unique(levels[levels >= 0])
    with_child = np.isin(seen, levels[yes])
    if not ordered:
        return np.isin(np.arange(size), seen[with_child])
    nearest = np.abs(np.arange(size)[:, None] - seen).argmin(axis=1)
    return with_child[nearest]
