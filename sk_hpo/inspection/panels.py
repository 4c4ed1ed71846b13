"""Several axes in the place of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sk_hpo.inspection import style

__all__ = ["panels"]


def panels(
    ax: Any,
    n_rows: int,
    n_columns: int,
    *,
    width: float,
    height: float,
    heights: Sequence[float] | None = None,
    **shared: Any,
) -> tuple[Any, Any]:
    """Return (figure, axes of shape (n_rows, n_columns)).

    Parameters
    ----------
    ax : matplotlib Axes, array of them, or None
        As scikit-learn's `PartialDependenceDisplay` takes it: an `Axes` gives up its place to
        the panels, an array is the panels, and None makes a new figure.
    n_rows, n_columns : int
        How many panels there are.
    width, height : float
        Of a panel of a new figure, in inches.
    heights : sequence of float, default=None
        Of the rows, relative to one another.
    **shared : dict
        ``sharex`` and ``sharey``, as of `Figure.subplots`.

    Raises
    ------
    ValueError
        If an array has another number of axes.
    """
    if ax is not None and not hasattr(ax, "get_subplotspec"):
        given = np.asarray(ax, object).ravel()
        if len(given) != n_rows * n_columns:
            raise ValueError(
                f"ax has {len(given)} axes, and {n_rows * n_columns} are needed: give so many,"
                " or a single one in whose place they are made."
            )
        return given[0].figure, given.reshape(n_rows, n_columns)
    figure, ax = style.axes(ax, width=width * n_columns, height=height * n_rows)
    ax.set_axis_off()
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError("ax was not made by subplots: there is no place to make panels in.")
    grid = spec.subgridspec(n_rows, n_columns, height_ratios=heights)
    return figure, grid.subplots(squeeze=False, **shared)
