"""Permutation importance of a forest, out of bag.

Breiman: Random Forests, Machine Learning 45, 2001, section 10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection.importance.forest import Forest

__all__ = ["permutation_importances"]


def permutation_importances(forest: Forest, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the R² that each axis is worth, shape (d,).

    By how much the squared error of a tree on trials that it has not seen grows when a
    parameter's values are shuffled among those of them that have it, over the variance of
    scores; the mean over trees. It is negative where chance made the shuffled ones better.
    """
    encoding, points = forest.evidence.encoding, forest.evidence.points
    scores = forest.evidence.scores
    growth = np.zeros(len(encoding.axes))
    for tree, rows in zip(forest.trees, forest.unseen, strict=True):
        before = _squared_error(tree, forest.columns[rows], scores[rows])
        for j, columns in enumerate(encoding.slices):
            having = np.flatnonzero(~np.isnan(points[rows, j]))
            shuffled = forest.columns[rows]
            shuffled[having, columns] = shuffled[rng.permutation(having), columns]
            growth[j] += _squared_error(tree, shuffled, scores[rows]) - before
    found: NDArray[np.float64] = growth / (len(forest.trees) * np.var(scores))
    return found


def _squared_error(
    tree: object, columns: NDArray[np.float32], scores: NDArray[np.float64]
) -> float:
    if not len(scores):
        return 0.0
    misses = tree.predict(columns)[:, 0] - scores  # type: ignore[attr-defined]
    return float(np.mean(misses**2))
