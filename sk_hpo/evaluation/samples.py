"""The number of training rows as the resource: nested, stratified subsamples."""

from __future__ import annotations

import heapq
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.multiclass import type_of_target

from sk_hpo import _sklearn
from sk_hpo.evaluation.resources import Carve, Model, Resource, TrainingData
from sk_hpo.evaluation.whole import fit

__all__ = ["Samples", "check_can_be_cut", "nested_order"]


def nested_order(y: ArrayLike | None, seed: int, n_samples: int | None = None) -> NDArray[Any]:
    """Return an order of the rows of which every beginning is a fair sample.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
        Targets. Classes are kept in proportion; of several outputs, distinct rows are
        the classes. Continuous targets and None give a random order.
    seed : int
        Decides which rows of a class come first.
    n_samples : int, default=None
        Number of rows, if `y` is None.

    Returns
    -------
    order : ndarray of shape (n_samples,)
        A permutation of the row numbers. With one output, the first n_classes rows hold
        every class once, and from m = ceil(n_samples / size of the rarest class) on
        the first m rows hold each class within less than one row of its share. Of a
        smaller m, a class has less than one row above its share, or one row.

    Examples
    --------
    >>> y = np.array(["a"] * 6 + ["b"] * 3)
    >>> [str(label) for label in y[nested_order(y, seed=0)]]
    ['a', 'b', 'a', 'a', 'a', 'b', 'a', 'a', 'b']
    """
    rng = np.random.default_rng(seed)
    strata = None if y is None else _strata(y)
    if strata is None:
        n = n_samples if y is None else _sklearn.num_samples(y)
        if n is None:
            raise ValueError("n_samples is needed where y is None")
        return rng.permutation(n)
    labels, all_first = strata
    sizes = np.bincount(labels)
    sequence = _interleave(tuple(sizes.tolist()), all_first)
    shuffled = rng.permutation(len(labels))
    order = np.empty(len(labels), dtype=np.intp)
    # The j-th place of a class in the sequence goes to its j-th shuffled row.
    order[np.argsort(sequence, kind="stable")] = shuffled[
        np.argsort(labels[shuffled], kind="stable")
    ]
    return order


def _strata(y: Any) -> tuple[NDArray[Any], bool] | None:
    """Return the class number of each row and whether all must come first, or None."""
    kind = type_of_target(y)
    if kind in ("binary", "multiclass"):
        return np.unique(np.ravel(y), return_inverse=True)[1], True
    if kind in ("multilabel-indicator", "multiclass-multioutput"):
        rows = y.toarray() if sparse.issparse(y) else np.asarray(y)
        return np.unique(rows, axis=0, return_inverse=True)[1].ravel(), False
    return None


@lru_cache(maxsize=32)
def _interleave(sizes: tuple[int, ...], all_first: bool) -> NDArray[Any]:
    """Return class numbers in an order that keeps the classes in proportion.

    Row j of a class with `size` of n rows belongs at one of the places from
    ``floor(j n / size)`` to ``ceil((j + 1) n / size) - 1``. Taking the earliest deadline
    first keeps all of them, since the shares add up to one [1]_, and so each class is
    always less than one row from its share.

    .. [1] Baruah et al., Proportionate progress, Algorithmica 15 (1996), Sections 2-3.
    """
    n = sum(sizes)
    sequence = np.empty(n, dtype=np.intp)
    done = [0] * len(sizes)
    waiting = [(0, c) for c, size in enumerate(sizes) if size]
    ready: list[tuple[int, int]] = []
    for place in range(n):
        while waiting and waiting[0][0] <= place:
            c = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (-(-(done[c] + 1) * n // sizes[c]), c))
        c = sequence[place] = heapq.heappop(ready)[1]
        done[c] += 1
        if done[c] < sizes[c]:
            heapq.heappush(waiting, (done[c] * n // sizes[c], c))
    if all_first:
        first = np.sort(np.unique(sequence, return_index=True)[1])
        sequence = np.concatenate([sequence[first], np.delete(sequence, first)])
    sequence.setflags(write=False)
    return sequence


def check_can_be_cut(estimator: Any) -> None:
    """Raise ValueError if `estimator` expects a square matrix of distances or of a kernel.

    Its columns would have to be cut for scoring too.
    """
    if get_tags(estimator).input_tags.pairwise:
        raise ValueError(
            f"{type(estimator).__name__} expects a pairwise matrix:"
            " resource='n_samples' cannot cut it"
        )


class Samples(Resource):
    """Resource is the number of training rows; trained from scratch at each rung.

    The rows of a rung contain those of the rung below, hold every class, and are the same
    for all candidates on the same fold, so that comparisons are paired. They keep their
    order.

    Parameters
    ----------
    seed : int
        Decides which rows come first.
    """

    name = "n_samples"
    continues = False

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return the rows of the smallest training fold."""
        return int(n_train)

    def lowest(self, n_classes: int) -> int:
        """Return two rows per class, 1 without classes."""
        return max(1, 2 * int(n_classes))

    def for_refit(self, selected: int, n_samples: int) -> int:
        """Return `n_samples`: the winner gets all rows."""
        return int(n_samples)

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return the estimator as it is.

        Raises
        ------
        ValueError
            If the estimator expects a square matrix of distances or of a kernel, whose
            columns would have to be cut for scoring too.
        """
        check_can_be_cut(estimator)
        return Model(estimator)

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Fit the estimator on `to` rows."""
        if to <= model.resource:
            return
        if model.resource:
            model.estimator = clone(model.estimator)
        fit(model.estimator, self._cut(model.estimator, data, to))
        model.resource = to

    def _cut(self, estimator: Any, data: TrainingData, to: int) -> TrainingData:
        n_samples = _sklearn.num_samples(data.X)
        if to >= n_samples:
            return data
        # Integer targets of a regressor are not classes.
        targets = None if data.classes is None else data.y
        if data.carve is None:
            rows, carve = np.sort(nested_order(targets, self.seed, n_samples)[:to]), None
        else:
            rows, carve = self._cut_carve(data.carve, targets, to)
        X, y = _sklearn.safe_split(estimator, data.X, data.y, rows)
        fit_params = _sklearn.check_method_params(data.X, data.fit_params, rows)
        return TrainingData(X, y, fit_params, data.classes, carve)

    def _cut_carve(self, carve: Carve, targets: Any, to: int) -> tuple[Any, Carve]:
        """Return `to` rows, the same share of them watched, and their carve."""
        n_watched = max(1, round(to * len(carve.watches) / sum(map(len, carve))))
        parts = []
        for side, n in zip(carve, (to - n_watched, n_watched), strict=True):
            of_side = None if targets is None else _sklearn.take_rows(targets, side)
            parts.append(side[nested_order(of_side, self.seed, len(side))[:n]])
        rows = np.sort(np.concatenate(parts))
        trains, watches = (np.searchsorted(rows, np.sort(part)) for part in parts)
        return rows, Carve(trains, watches)
