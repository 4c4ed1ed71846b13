"""Functional ANOVA of a tree, exactly.

Hutter, Hoos, Leyton-Brown: An Efficient Approach for Assessing Hyperparameter Importance,
ICML 2014. Marginals are over all of the space, with the probabilities that it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection.importance.boxes import Boxes, boxes_of
from sk_hpo.inspection.importance.forest import Forest

__all__ = ["Decomposition", "best_pairs", "variance_shares"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The variance of a piecewise constant function, and what parts of it are due to.

    Parameters
    ----------
    boxes : Boxes
        Of d axes.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.inspection.importance.boxes import Boxes
    >>> from sk_hpo.inspection.importance.fanova import Decomposition
    >>> halves, whole = np.eye(2, dtype=bool), np.ones((2, 1), dtype=bool)
    >>> step = Boxes(np.array([0.0, 2.0]), [halves, whole], [np.full(2, 0.5), np.ones(1)])
    >>> parts = Decomposition(step)
    >>> parts.variance, parts.main_effects.tolist()
    (1.0, [1.0, 0.0])
    """

    boxes: Boxes

    @cached_property
    def _sizes(self) -> FloatArray:
        pairs = zip(self.boxes.cells, self.boxes.weights, strict=True)
        return np.array([cells @ weights for cells, weights in pairs])

    @cached_property
    def _volumes(self) -> FloatArray:
        return self._sizes.prod(axis=0)

    @cached_property
    def _centred(self) -> FloatArray:
        return self.boxes.values - self.mean

    @cached_property
    def _split(self) -> list[bool]:
        return [not cells.all() for cells in self.boxes.cells]

    @property
    def mean(self) -> float:
        """The mean of the function over the cube."""
        return float(self._volumes @ self.boxes.values)

    @cached_property
    def variance(self) -> float:
        """Its variance over the cube."""
        return float(self._volumes @ self._centred**2)

    def marginal(self, j: int) -> FloatArray:
        """Return the mean in each cell of axis `j`, less that of all."""
        density = self._centred * self._volumes / self._sizes[j]
        return density @ self.boxes.cells[j]

    @cached_property
    def main_effects(self) -> FloatArray:
        """The variance of each axis's marginal, shape (d,)."""
        weights = self.boxes.weights
        return np.array([w @ self.marginal(j) ** 2 for j, w in enumerate(weights)])

    def interaction(self, j: int, k: int) -> float:
        """Return the variance that two axes explain together, and none of them alone."""
        if not (self._split[j] and self._split[k]):
            return 0.0
        cells, weights = self.boxes.cells, self.boxes.weights
        density = self._centred * self._volumes / (self._sizes[j] * self._sizes[k])
        marginal = (cells[j] * density[:, None]).T @ cells[k].astype(float)
        together = float(weights[j] @ marginal**2 @ weights[k])
        return max(together - self.main_effects[j] - self.main_effects[k], 0.0)

    def interactions(self, pairs: Sequence[tuple[int, int]]) -> FloatArray:
        """Return what `interaction` does of some pairs."""
        return np.array([self.interaction(j, k) for j, k in pairs], dtype=float)


def variance_shares(forest: Forest, pairs: Sequence[tuple[int, int]]) -> FloatArray:
    """Return the shares of the variance that each axis explains, then those of some pairs.

    The mean over trees of the shares within each, as in the paper; NaN if no tree has a
    split.
    """
    encoding = forest.evidence.encoding
    shares = []
    for tree in forest.trees:
        parts = Decomposition(boxes_of(tree, encoding))
        if parts.variance > 0:
            found = np.concatenate([parts.main_effects, parts.interactions(pairs)])
            shares.append(found / parts.variance)
    if not shares:
        return np.full(len(encoding.axes) + len(pairs), np.nan)
    mean: FloatArray = np.mean(shares, axis=0)
    return mean


def best_pairs(forest: Forest, n_pairs: int) -> tuple[list[tuple[int, int]], float]:
    """Return the pairs of the largest interactions, and what all parts together explain."""
    n_axes = len(forest.evidence.encoding.axes)
    pairs = list(combinations(range(n_axes), 2))
    shares = variance_shares(forest, pairs)
    order = np.argsort(-shares[n_axes:], kind="stable")[:n_pairs]
    return [pairs[i] for i in order if shares[n_axes + i] > 0], float(shares.sum())
