"""A random forest of scores that knows which trials each tree has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from sk_hpo.inspection.importance.evidence import Evidence

__all__ = ["Forest", "grow"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_LEAF = 3  # trials in a leaf at least: smaller ones take noise for interactions


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees, and what they were grown on.

    Parameters
    ----------
    evidence : Evidence
        Of m trials.
    columns : ndarray of shape (m, n_columns)
        The trials, encoded.
    trees : sequence of sklearn.tree._tree.Tree
        Each from some trials, drawn with replacement.
    unseen : sequence of ndarray of int
        For each tree, trials that were not drawn.
    """

    evidence: Evidence
    columns: NDArray[np.float32]
    trees: Sequence[Any]
    unseen: Sequence[IntArray]

    def predict(self, points: FloatArray) -> FloatArray:
        """Return the mean of the trees at points of the cube, shape (n,)."""
        columns = self.evidence.encoding.columns(points)
        found: FloatArray = np.mean([tree.predict(columns)[:, 0] for tree in self.trees], 0)
        return found

    @property
    def oob_score(self) -> float:
        """R² of what trees say of trials that they have not seen."""
        scores = self.evidence.scores
        total, count = np.zeros(len(scores)), np.zeros(len(scores))
        for tree, rows in zip(self.trees, self.unseen, strict=True):
            total[rows] += tree.predict(self.columns[rows])[:, 0]
            count[rows] += 1
        known = count > 0
        misses = scores[known] - total[known] / count[known]
        return float(1.0 - np.mean(misses**2) / np.var(scores[known]))


def grow(evidence: Evidence, trials: IntArray, n_trees: int, seed: int) -> Forest:
    """Return a forest.

    Parameters
    ----------
    evidence : Evidence
        Of m trials.
    trials : ndarray of int
        Which of them to use; one that is there twice counts twice.
    n_trees : int
        How many trees.
    seed : int
        From which they derive.
    """
    columns = evidence.encoding.columns(evidence.points)
    forest = RandomForestRegressor(n_trees, min_samples_leaf=_LEAF, random_state=seed)
    forest.fit(columns[trials], evidence.scores[trials])
    known = np.unique(trials)
    # A copy of a drawn trial is no unseen one.
    unseen = [np.setdiff1d(known, trials[drawn]) for drawn in forest.estimators_samples_]
    return Forest(evidence, columns, [t.tree_ for t in forest.estimators_], unseen)
