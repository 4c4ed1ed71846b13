"""Rows below other rows, in the type that they came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from sk_hpo import _sklearn

__all__ = ["all_below", "below"]


def below(upper: Any, lower: Any, name: str) -> Any:
    """Return the rows of `upper`, then those of `lower`, as the type of `upper`.

    Parameters
    ----------
    upper, lower : array-like of shape (n_samples, ...)
        Arrays or lists, or both sparse, or both from pandas, or both from polars.
        Floating-point numbers get the precision of `upper`.
    name : str
        What errors call `upper`; they call `lower` ``{name}_val``.

    Raises
    ------
    ValueError
        If they differ in kind, columns or width, or cannot be joined at all.

    Examples
    --------
    >>> below([[1, 2]], [[3, 4]], "X")
    [[1, 2], [3, 4]]
    >>> below(np.ones((2, 3)), np.ones((2, 4)), "X")
    Traceback (most recent call last):
        ...
    ValueError: X_val has rows of shape (4,), X of shape (3,): give the same columns.
    """
    kinds = {_kind(upper), _kind(lower)}
    if kinds == {"list"}:
        _arrays(upper, lower, name)  # raises if rows differ
        return [*upper, *lower]
    if kinds <= {"list", "array"}:
        return np.concatenate(_arrays(upper, lower, name))
    if kinds == {"sparse"}:
        _check_rows(upper.shape, lower.shape, name)
        return sparse.vstack([upper, _as_precise(lower, upper.dtype)], format="csr")
    if kinds <= {"pandas"} or kinds <= {"polars"}:
        return _tables(upper, lower, name, kinds.pop())
    raise ValueError(
        f"{name}_val is a {type(lower).__name__}, {name} a {type(upper).__name__}: give both"
        " as arrays, lists, sparse matrices, or pandas or polars objects."
    )


def all_below(given: Mapping[str, Any], own: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Return what `given` has for each of `n` rows, with that of `own` below it.

    Parameters
    ----------
    given : mapping of str to object
        Of which strings, dicts and values of another length are left out.
    own : mapping of str to array-like or None
        What belongs below.
    n : int
        Number of rows of `given`.

    Raises
    ------
    ValueError
        If one has what the other has not.

    Examples
    --------
    >>> all_below({"y": [0, 1], "verbose": 1}, {"y": [1]}, 2)
    {'y': [0, 1, 1]}
    """
    per_row = {name: value for name, value in given.items() if _is_per_row(value, n)}
    if lacking := [name for name in per_row if own.get(name) is None]:
        raise ValueError(
            f"There is {' and '.join(lacking)} for the rows of X, but not for those of X_val:"
            " give HoldoutValidation(X_val, y_val, params={...})."
        )
    if spare := [name for name, v in own.items() if v is not None and name not in per_row]:
        raise ValueError(
            f"There is {' and '.join(spare)} for the rows of X_val, but not for those of X:"
            " give both, or none."
        )
    return {name: below(value, own[name], name) for name, value in per_row.items()}


def _is_per_row(value: Any, n: int) -> bool:
    if isinstance(value, str | dict) or not hasattr(value, "__len__"):
        return False
    return bool(_sklearn.num_samples(value) == n)


def _kind(rows: Any) -> str:
    if sparse.issparse(rows):
        return "sparse"
    if isinstance(rows, np.ndarray):
        return "array"
    if isinstance(rows, list | tuple):
        return "list"
    return type(rows).__module__.split(".")[0]


def _arrays(upper: Any, lower: Any, name: str) -> tuple[Any, Any]:
    upper, lower = np.asarray(upper), np.asarray(lower)
    _check_rows(upper.shape, lower.shape, name)
    # numpy would make text of numbers.
    if (upper.dtype.kind in "US") != (lower.dtype.kind in "US") and "O" not in (
        upper.dtype.kind,
        lower.dtype.kind,
    ):
        raise ValueError(
            f"{name}_val has dtype {lower.dtype}, {name} {upper.dtype}: give the same."
        )
    return upper, _as_precise(lower, upper.dtype)


def _as_precise(lower: Any, dtype: np.dtype[Any]) -> Any:
    """Return floats in the precision of `dtype`, since a net trains in one precision."""
    return lower.astype(dtype) if lower.dtype.kind == dtype.kind == "f" else lower


def _check_rows(upper: tuple[int, ...], lower: tuple[int, ...], name: str) -> None:
    if upper[1:] != lower[1:]:
        raise ValueError(
            f"{name}_val has rows of shape {lower[1:]}, {name} of shape {upper[1:]}: give the"
            " same columns."
        )


def _tables(upper: Any, lower: Any, name: str, library: str) -> Any:
    """Return two frames, or two series, of one library as one."""
    _check_rows(upper.shape, lower.shape, name)
    if len(upper.shape) > 1 and list(upper.columns) != list(lower.columns):
        raise ValueError(
            f"{name}_val has the columns {list(lower.columns)}, {name} has"
            f" {list(upper.columns)}: give the same ones in the same order."
        )
    if library == "pandas":
        import pandas as pd

        for dtype, other in zip(_dtypes(upper), _dtypes(lower), strict=True):
            if "category" in (dtype, other) and dtype != other:
                raise ValueError(
                    f"{name}_val has a column of {other!r}, {name} of {dtype!r}: give the"
                    " same categories."
                )
        return pd.concat([upper, lower])
    import polars as pl

    if _dtypes(upper) != _dtypes(lower):
        raise ValueError(
            f"{name}_val has the types {_dtypes(lower)}, {name} has {_dtypes(upper)}: give"
            " the same."
        )
    return pl.concat([upper, lower])


def _dtypes(table: Any) -> list[Any]:
    return list(table.dtypes) if len(table.shape) > 1 else [table.dtype]
