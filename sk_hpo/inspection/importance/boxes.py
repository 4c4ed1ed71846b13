"""The leaves of a tree as boxes of the unit cube, each a product of sets of cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection.importance.axes import ABSENT, Axis, Encoding

__all__ = ["Boxes", "boxes_of"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_EVERYWHERE: BoolArray = np.ones(1, dtype=bool)  # all cells of an axis, however many


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Disjoint boxes that fill the unit cube, and what a tree predicts in each.

    Parameters
    ----------
    values : ndarray of shape (n_boxes,)
        The predictions.
    cells : sequence of ndarray of bool, shape (n_boxes, n_cells)
        Of each axis, which of its cells a box covers; never none.
    weights : sequence of ndarray of shape (n_cells,)
        Of each axis, the probabilities of its cells; their sum is 1.
    """

    values: FloatArray
    cells: Sequence[BoolArray]
    weights: Sequence[FloatArray]


def boxes_of(tree: Any, encoding: Encoding) -> Boxes:
    """Return the boxes of a tree.

    Parameters
    ----------
    tree : sklearn.tree._tree.Tree
        Grown on `Encoding.columns`.
    encoding : Encoding
        Over d axes.

    Returns
    -------
    boxes : Boxes
        Of d axes. A leaf is several boxes where it takes a parameter that does not exist
        for one that has some values.
    """
    lower, upper = _leaf_bounds(tree)
    values = tree.value[tree.children_left < 0, 0, 0]
    cells, absent, weights = [], [], []
    for axis, columns in zip(encoding.axes, encoding.slices, strict=True):
        low, high = lower[:, columns], upper[:, columns]
        if axis.one_hot:
            found, without = _of_categories(low, high)
        else:
            middles, width = _grid(axis, low[:, 0], high[:, 0])
            found = (low < middles) & (middles <= high)
            without = low[:, 0] < ABSENT  # no threshold is below it
        cells.append(found)
        absent.append(without)
        weights.append(axis.weights if axis.edges is not None else width)
    return _split_by_existence(Boxes(values, cells, weights), absent, encoding.axes)


def _leaf_bounds(tree: Any) -> tuple[FloatArray, FloatArray]:
    """Return what the columns of each leaf are above, and at most; (n_leaves, n_columns)."""
    left, right = tree.children_left, tree.children_right
    lower = np.full((tree.node_count, tree.n_features), -np.inf)
    upper = np.full((tree.node_count, tree.n_features), np.inf)
    nodes = np.zeros(1, dtype=np.intp)
    while nodes.size:  # all nodes of one depth at once
        nodes = nodes[left[nodes] >= 0]
        split, at = tree.feature[nodes], tree.threshold[nodes]
        for children in (left[nodes], right[nodes]):
            lower[children], upper[children] = lower[nodes], upper[nodes]
        upper[left[nodes], split] = at
        lower[right[nodes], split] = at
        nodes = np.concatenate([left[nodes], right[nodes]])
    return lower[left < 0], upper[left < 0]


def _grid(axis: Axis, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return middles and widths of an ordered axis's cells: its levels, or between splits."""
    edges = axis.edges
    if edges is None:
        splits = np.unique(np.concatenate([low, high]))
        edges = np.concatenate([[0.0], splits[(splits > 0.0) & (splits < 1.0)], [1.0]])
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _of_categories(low: FloatArray, high: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return which levels a leaf has, and whether it has those without the parameter."""
    one, zero = high >= 1.0, low < 0.0  # every split of such a column is at 1/2
    n_excluding = (~zero).sum(axis=1)  # columns that must be 1, of which there is but one
    alone = (n_excluding[:, None] - ~zero) == 0
    return one & alone, n_excluding == 0


def _split_by_existence(
    boxes: Boxes, absent: Sequence[BoolArray], axes: Sequence[Axis]
) -> Boxes:
    """Return boxes of the cube, given which leaves take in that a parameter is absent."""
    cells = list(boxes.cells)
    leaf = np.arange(len(boxes.values))  # of which each box is a part
    for j in sorted(range(len(axes)), key=lambda j: len(axes[j].exists)):  # parents first
        if not axes[j].exists:
            continue
        without = absent[j][leaf]
        # Most leaves do not ask for the parameter, and stay whole.
        both = without & cells[j].all(axis=1)
        parts = [(np.flatnonzero(both), _rows_of(cells, both))]
        places = [(~both, axes[j].exists)]
        places += [(without & ~both, where) for where in _outside(axes[j].exists, j)]
        parts += [_within(cells, j, chosen, where) for chosen, where in places]
        leaf = leaf[np.concatenate([rows for rows, _ in parts])]
        cells = [np.concatenate(column) for column in zip(*(c for _, c in parts), strict=True)]
    return Boxes(boxes.values[leaf], cells, boxes.weights)


def _outside(exists: Mapping[int, BoolArray], j: int) -> Iterator[dict[int, BoolArray]]:
    """Yield disjoint boxes that hold the places where axis `j` does not exist.

    Its condition is a product of sets of levels: either the first does not hold, or it does
    and the second does not, and so on. Wherever its coordinate is there, it does not count.
    """
    holds: dict[int, BoolArray] = {}
    for parent, allowed in exists.items():
        yield holds | {parent: ~allowed, j: _EVERYWHERE}
        holds[parent] = allowed


def _within(
    cells: Sequence[BoolArray], j: int, chosen: BoolArray, where: Mapping[int, BoolArray]
) -> tuple[NDArray[np.intp], list[BoolArray]]:
    """Return which of the chosen boxes meet a place, and what of them is within."""
    found = _rows_of(cells, chosen)
    for k, allowed in where.items():
        found[k] = np.ones_like(found[k]) if allowed is _EVERYWHERE else found[k] & allowed
    # Of other axes, a box may have no cell yet: those that it has only where they are absent.
    meets = np.logical_and.reduce([found[k].any(axis=1) for k in {j, *where}])
    return np.flatnonzero(chosen)[meets], _rows_of(found, meets)


def _rows_of(cells: Sequence[BoolArray], rows: BoolArray) -> list[BoolArray]:
    return [column[rows] for column in cells]
