"""Fingerprints of data: equal values, types and shapes have equal ones, others do not.

Unlike hashes of rows (`sk_hpo.validation.row_hashes`), which take 1, 1.0 and True for one
value, these tell all differences that a training could see. The order in memory does not
count.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from hashlib import sha256
from numbers import Number
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["fingerprint"]

_BLOCK = 1 << 22  # bytes that are copied at once
_DIGITS = 32
_SCALARS = (
    *(type(None), Number, str, bytes, range, slice, PurePath),
    *(datetime.date, datetime.time, datetime.timedelta),
)


def fingerprint(X: Any) -> str:
    """Return what X is in words, and a digest of what it holds.

    Parameters
    ----------
    X : object
        ndarray, sparse matrix, DataFrame or Series (pandas, polars), tensor of torch, scalar,
        text, None, or lists, tuples and dicts of these.

    Returns
    -------
    text : str
        A type, a shape and 32 hexadecimal digits. If X holds objects that cannot be read
        without side effects, only their types and sizes count, and the text names them.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.journal.fingerprint import fingerprint
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> fingerprint(X)
    'float64 (2, 3) 3895da706f537481984ea852b73dc8b1'
    >>> fingerprint(np.asfortranarray(X)) == fingerprint(X)
    True
    """
    writer = _Digest()
    writer.add(X)
    text = f"{_what(X)} {writer.hash.hexdigest()[:_DIGITS]}"
    if writer.unread:
        text += f" (not looked into: {', '.join(sorted(writer.unread))})"
    return text


def _what(X: Any) -> str:
    shape = getattr(X, "shape", None)
    if isinstance(shape, tuple):
        dtype = getattr(X, "dtype", type(X).__name__)
        kind = getattr(dtype, "name", dtype)
        return f"{'sparse ' if sparse.issparse(X) else ''}{kind} {tuple(map(int, shape))}"
    return f"{type(X).__name__}{f' ({_size(X)})' if _size(X) else ''}"


def _size(X: Any) -> str:
    try:
        return str(len(X))
    except Exception:  # it has none, or its own idea of one
        return ""


class _Digest:
    """Digests values one after the other, each under a tag that tells its type and size."""

    def __init__(self) -> None:
        self.hash = sha256()  # the fastest of hashlib where the processor knows it
        self.unread: set[str] = set()

    def add(self, X: Any) -> None:
        """Digest one value."""
        if isinstance(X, np.ndarray):
            self._array(X)
        elif isinstance(X, (np.generic, *_SCALARS)) or _is_pandas_scalar(X):
            self._tag(type(X).__qualname__, repr(X))
        elif sparse.issparse(X):
            self._sparse(X)
        elif isinstance(X, Mapping):
            self._tag("dict", len(X))
            for key in sorted(X, key=str):
                self.add(key)
                self.add(X[key])
        elif isinstance(X, list | tuple):
            self._list(X)
        elif _is_a(X, "pandas", "DataFrame", "Series", "Index"):
            self._pandas(X)
        elif _is_a(X, "polars", "DataFrame", "Series"):
            self._polars(X)
        elif _is_a(X, "torch", "Tensor"):
            self._array(X.detach().cpu().numpy())
        elif hasattr(X, "__array_interface__"):
            self._array(np.asarray(X))
        else:
            self._unknown(X)

    def _tag(self, *parts: Any) -> None:
        text = "\0".join(map(str, parts)).encode(errors="surrogatepass")
        self.hash.update(b"%d:%b" % (len(text), text))

    def _array(self, X: NDArray[Any]) -> None:
        dtype = X.dtype.newbyteorder("=")
        self._tag("array", dtype, X.shape)
        if isinstance(X, np.ma.MaskedArray):
            self._array(np.ma.getmaskarray(X))
            X = X.data
        if dtype.names is not None:
            for name in dtype.names:
                self._array(X[name])
        elif dtype.hasobject or dtype.kind == "T":
            self._list(X.ravel().tolist())
        elif X.flags.c_contiguous and X.dtype == dtype:
            self._bytes(X)
        else:
            self._blocks(X.reshape(1) if X.ndim == 0 else X, dtype)

    def _blocks(self, X: NDArray[Any], dtype: Any) -> None:
        """Digest the bytes as they are in C order, a few rows at a time."""
        step = max(1, _BLOCK // max(1, X[:1].nbytes))
        for start in range(0, len(X), step):
            self._bytes(np.ascontiguousarray(X[start : start + step], dtype))

    def _bytes(self, X: NDArray[Any]) -> None:
        if X.nbytes:
            self.hash.update(X.reshape(-1).view(np.uint8).data)

    def _sparse(self, X: Any) -> None:
        self._tag("sparse", X.shape)
        coo = X.tocoo()
        csr = sparse.csr_array(coo if X.ndim == 2 else coo.reshape(1, -1))
        csr.sum_duplicates()
        for part in (csr.indptr.astype(np.int64), csr.indices.astype(np.int64), csr.data):
            self._array(part)

    def _list(self, X: Any) -> None:
        self._tag(type(X).__name__, len(X))
        kinds = set(map(type, X))
        if kinds == {float} or (kinds == {int} and -(2**63) <= min(X) <= max(X) < 2**63):
            self._array(np.array(X))
        elif kinds == {str}:
            self._array(np.array(list(map(len, X))))
            self._tag("".join(X))
        else:
            for item in X:
                self.add(item)

    def _pandas(self, X: Any) -> None:
        if X.ndim == 2:
            self._tag("frame", X.shape)
            self._pandas(X.columns)
            self._pandas(X.index)
            for j in range(X.shape[1]):
                self._column(X.iloc[:, j])
        elif _is_a(X, "pandas", "RangeIndex"):
            self._tag(repr(X))
        else:
            self._tag(type(X).__name__, X.name)
            if hasattr(X, "index"):
                self._pandas(X.index)
            self._column(X)

    def _column(self, X: Any) -> None:
        self._tag(X.dtype)
        if isinstance(X.dtype, np.dtype):
            self._array(X.to_numpy())
        elif _is_a(X.array, "pandas", "Categorical"):
            self._array(np.asarray(X.array.codes))
            self._pandas(X.array.categories)
        else:
            self._list(X.to_numpy(object).tolist())

    def _polars(self, X: Any) -> None:
        for column in X.get_columns() if hasattr(X, "get_columns") else [X]:
            self._tag(column.name, column.dtype)
            if column.null_count() or not column.dtype.is_numeric():
                self._list(column.to_list())
            else:
                self._array(column.to_numpy())

    def _unknown(self, X: Any) -> None:
        kind = type(X)
        self.unread.add(f"{kind.__module__}.{kind.__qualname__}")
        self._tag(f"{kind.__module__}.{kind.__qualname__}", _size(X), getattr(X, "shape", ""))


def _is_a(X: Any, module: str, *names: str) -> bool:
    """Return whether X is of one of these classes of an optional library."""
    library = sys.modules.get(module)
    return library is not None and isinstance(X, tuple(getattr(library, n) for n in names))


def _is_pandas_scalar(X: Any) -> bool:
    """Return whether X is an interval, a period or a missing value of pandas."""
    return _is_a(X, "pandas", "Interval", "Period", "Timestamp", "Timedelta") or (
        type(X).__name__ in ("NAType", "NaTType")
    )
