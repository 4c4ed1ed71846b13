"""Rows for training, for validation and for the one last test: drawn once, checked first.

Every impossible request is a ValueError before a row is drawn. Without groups the draws are
scikit-learn's: a test part is the one of `sklearn.model_selection.train_test_split`.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator, PredefinedSplit
from sklearn.utils import check_consistent_length, indexable

from sk_hpo import _sklearn
from sk_hpo.validation.joining import all_below, below
from sk_hpo.validation.parts import Rows, parts, row_mask

__all__ = [
    "HoldoutValidation",
    "Joined",
    "hold_out",
    "names_rows",
    "train_validation_test_split",
]


def train_validation_test_split(
    *arrays: Any,
    validation_size: float = 0.2,
    test_size: float = 0.2,
    stratify: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time_ordered: bool = False,
    gap: int = 0,
    random_state: Any = None,
) -> list[Any]:
    """Split arrays into a part to train on, one to choose by and one to test on.

    Parameters
    ----------
    *arrays : sequence of indexables of shape (n_samples,) or (n_samples, ...)
        Arrays, lists, DataFrames or sparse matrices with as many rows each.
    validation_size, test_size : float or int, default=0.2
        A float is the share of all rows, rounded up; an int is the number of rows.
    stratify : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Classes whose shares every part is to keep; of several outputs, distinct rows are
        the classes. Every class has a row in every part.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group end up in the same part. Sizes are kept as nearly as whole
        groups allow; see `hold_out`.
    time_ordered : bool, default=False
        The first rows train, the next validate, the last test; nothing is drawn.
    gap : int, default=0
        Rows dropped between training and validation, and again between validation and
        test; only with `time_ordered`.
    random_state : int, RandomState instance or None, default=None
        Decides the draw.

    Returns
    -------
    parts : list of length 3 * len(arrays)
        Train, validation, test of the first array, then of the second, and so on, of the
        types that came in. Rows are shuffled as by `train_test_split`; with `groups` or
        `time_ordered` they keep their order.

    Raises
    ------
    ValueError
        If lengths differ, a part or a class in it would be empty, there are fewer groups
        than parts, or the arguments contradict each other.

    Notes
    -----
    Without groups the test part equals that of `train_test_split` with the same
    `test_size`, `stratify` and `random_state`. With `stratify`, the test part holds each
    class within one row of its share of all rows, and the validation part within one row
    of its share of the rows that the test part left.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.arange(20).reshape(10, 2), list("aaaaaabbbb")
    >>> parts = train_validation_test_split(
    ...     X, y, test_size=3, validation_size=3, stratify=y, random_state=0
    ... )
    >>> X_train, X_validation, X_test, y_train, y_validation, y_test = parts
    >>> sorted(y_train), sorted(y_validation), sorted(y_test)
    (['a', 'a', 'b', 'b'], ['a', 'a', 'b'], ['a', 'a', 'b'])
    >>> train_validation_test_split(list(range(10)), time_ordered=True, gap=1)
    [[0, 1, 2, 3], [5, 6], [8, 9]]
    """
    if not arrays:
        raise ValueError("Nothing to split: give at least one array.")
    arrays = tuple(indexable(*arrays))
    drawn = parts(
        _sklearn.num_samples(arrays[0]),
        {"validation_size": validation_size, "test_size": test_size},
        stratify=stratify,
        groups=groups,
        time_ordered=time_ordered,
        gap=gap,
        random_state=random_state,
    )
    return [_sklearn.take_rows(array, rows) for array in arrays for rows in drawn]


def hold_out(
    X: Any,
    *,
    size: float,
    stratify: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time_ordered: bool = False,
    gap: int = 0,
    random_state: Any = None,
    name: str = "size",
    instead: str = "do not stratify",
) -> tuple[Rows, Rows]:
    """Return the rows that stay and the rows that are held out.

    Parameters
    ----------
    X : int or indexable of shape (n_samples, ...)
        The rows, or how many there are.
    size : float or int
        Of the held-out rows: a float is the share of all rows, rounded up; an int is the
        number of rows.
    stratify : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Classes whose shares both parts are to keep, each within one row if there are no
        groups.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group stay together.
    time_ordered : bool, default=False
        Hold out the last rows.
    gap : int, default=0
        Rows before the held-out ones that belong to neither part; only with
        `time_ordered`.
    random_state : int, RandomState instance or None, default=None
        Decides the draw; an instance advances.
    name : str, default="size"
        What errors call `size`.
    instead : str, default="do not stratify"
        What errors propose where classes have too few rows.

    Returns
    -------
    rest, held : ndarray of int
        Row numbers, ascending.

    Raises
    ------
    ValueError
        As in `train_validation_test_split`.

    Notes
    -----
    Whole groups seldom add up to `size`. What is promised instead: no single group could
    change sides, leaving a group on each, and bring the held-out shares of the classes
    nearer to `size` (by the sum of their squared differences; without `stratify`, all rows
    are one class). So without `stratify`, if each side has several groups, the
    held-out rows are too many by at most half of the smallest held-out group, or too few by
    at most half of the smallest group that stays.

    Examples
    --------
    >>> rest, held = hold_out(10, size=0.2, random_state=0)
    >>> rest, held
    (array([0, 1, 3, 4, 5, 6, 7, 9]), array([2, 8]))
    >>> hold_out(6, size=2, groups=list("aabbcc"), random_state=0)
    (array([0, 1, 2, 3]), array([4, 5]))
    """
    rest, held = parts(
        int(X) if isinstance(X, Integral) else _sklearn.num_samples(X),
        {name: size},
        stratify=stratify,
        groups=groups,
        time_ordered=time_ordered,
        gap=gap,
        random_state=random_state,
        instead=instead,
    )
    return np.sort(rest), np.sort(held)


class Joined(NamedTuple):
    """Rows to train on and rows to validate on, one below the other.

    Parameters
    ----------
    X, y : array-like
        All rows; y is None if there are no targets.
    params : dict
        What goes to ``fit`` beside them, for all rows.
    cv : HoldoutValidation
        That trains on the upper rows and validates on the lower ones.
    """

    X: Any
    y: Any
    params: dict[str, Any]
    cv: HoldoutValidation


class HoldoutValidation(BaseCrossValidator):
    """Validate on a fixed set of rows: a `cv` with one split, the same every time.

    Parameters
    ----------
    X_val : array-like of shape (n_validation, n_features), default=None
        Rows to validate on, beside those that ``fit`` gets, of the same kind and with the
        same columns; what Keras calls ``validation_data``. A list of integers or booleans,
        without `y_val`, is taken as `indices`.
    y_val : array-like of shape (n_validation,) or (n_validation, n_outputs), default=None
        Their targets.
    indices : array-like of int or bool, default=None
        In place of `X_val`: which rows of the X that ``fit`` gets are validated on, as row
        numbers or as a mask of shape (n_samples,). All other rows train.
    params : dict of str to array-like, default=None
        With `X_val`: what its rows have of the values per row that ``fit`` gets, such as
        ``{"sample_weight": ...}``.

    Raises
    ------
    TypeError
        If neither or both of `X_val` and `indices` are given.

    Notes
    -----
    A splitter can only name rows of the X that it is given. With `X_val`, the rows have to
    be joined to that X first, by `joined`: the searches of sk_hpo do so, and train the final
    model on the rows of X alone, as Keras would. Elsewhere call it yourself.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> cv = HoldoutValidation(np.arange(0, 150, 5))
    >>> cross_val_score(SVC(), X, y, cv=cv).round(2)
    array([0.97])

    >>> X, X_val, X_test, y, y_val, y_test = train_validation_test_split(X, y, random_state=0)
    >>> HoldoutValidation(X_val, y_val)
    HoldoutValidation(X_val=<30 x 4 ndarray>, y_val=<30 ndarray>)
    >>> X, y, _, cv = HoldoutValidation(X_val, y_val).joined(X, y)
    >>> cross_val_score(SVC(), X, y, cv=cv).round(2)
    array([1.])
    """

    def __init__(
        self,
        X_val: Any = None,
        y_val: Any = None,
        *,
        indices: ArrayLike | None = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        if indices is None and y_val is None and _are_row_numbers(X_val):
            X_val, indices = None, X_val
        if (X_val is None) == (indices is None):
            raise TypeError(
                "HoldoutValidation takes either rows, HoldoutValidation(X_val, y_val), or"
                " which rows, HoldoutValidation(indices)."
            )
        if X_val is None and (y_val is not None or params is not None):
            raise TypeError("y_val and params belong to X_val; with indices, leave them out.")
        self.X_val = X_val
        self.y_val = y_val
        self.indices = indices
        self.params = params

    def joined(self, X: Any, y: Any = None, params: dict[str, Any] | None = None) -> Joined:
        """Return X with the validation rows below it, and a splitter that tells them apart.

        Parameters
        ----------
        X, y : array-like of shape (n_samples, ...)
            Rows to train on, and their targets, if any.
        params : dict of str to object, default=None
            For ``fit``. Values of length n_samples are joined too.

        Returns
        -------
        joined : Joined
            A tuple (X, y, params, cv). Given `indices`, nothing has to be joined.

        Raises
        ------
        ValueError
            If kinds or columns differ, or either rows lack what the others have.
        """
        params = dict(params or {})
        if self.indices is not None:
            return Joined(X, y, params, self)
        check_consistent_length(X, y)
        n, n_val = _sklearn.num_samples(X), _sklearn.num_samples(self.X_val)
        own = {"y": self.y_val, **(self.params or {})}
        check_consistent_length(self.X_val, *own.values())
        per_row = all_below({"y": y, **params}, own, n)
        cv = HoldoutValidation(indices=np.arange(n, n + n_val))
        return Joined(below(X, self.X_val, "X"), per_row.pop("y", None), params | per_row, cv)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield the only split.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows that `indices` number.
        y, groups : object
            Ignored.

        Yields
        ------
        train, validation : ndarray of int
            Row numbers, ascending.

        Raises
        ------
        ValueError
            If `indices` does not fit X or leaves a side empty, or there are none.
        """
        if self.indices is None:
            raise ValueError(
                "HoldoutValidation(X_val, y_val) holds rows that are not in X: call"
                " joined(X, y) first, as the searches of sk_hpo do."
            )
        n = _sklearn.num_samples(X)
        validates = row_mask(self.indices, n)
        yield np.flatnonzero(~validates), np.flatnonzero(validates)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return 1."""
        return 1

    def __repr__(self) -> str:
        given = {
            name: _shown(value)
            for name in ("X_val", "y_val", "indices")
            if (value := getattr(self, name)) is not None
        }
        if self.params:
            given["params"] = repr(sorted(self.params))
        return f"HoldoutValidation({', '.join(f'{k}={v}' for k, v in given.items())})"


def names_rows(cv: Any) -> bool:
    """Whether a cv gives certain rows, whatever data it is to split.

    Examples
    --------
    >>> names_rows(5), names_rows(HoldoutValidation([0, 1])), names_rows([([0, 1], [2, 3])])
    (False, True, True)
    """
    if cv is None or isinstance(cv, Integral):
        return False
    if isinstance(cv, HoldoutValidation):
        return cv.indices is not None
    return isinstance(cv, PredefinedSplit) or not hasattr(cv, "split")


def _are_row_numbers(values: Any) -> bool:
    if values is None or len(getattr(values, "shape", (0,))) != 1:
        return False
    return all(isinstance(value, Integral | np.bool_) for value in values)


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None) or (_sklearn.num_samples(value),)
    return f"<{' x '.join(map(str, shape))} {type(value).__name__}>"
