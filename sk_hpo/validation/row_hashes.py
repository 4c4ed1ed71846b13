"""Hashes of rows, by value: equal rows have equal hashes, whatever container holds them.

Every element becomes a 64-bit word; a row's hash is the sum of its words, each times the
odd multiplier of its column (multilinear hashing: Lemire and Kaser, "Strongly universal
string hashing is fast", The Computer Journal 2014), and a finalizer. The word of 0 is 0, so
a sparse row is the sum over what it stores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from math import prod
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["half_hashes", "hashes_or_none", "joined", "mixed", "row_hashes"]

Hashes = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 15  # elements that are hashed at once: their words stay in the cache
_EXACT = 1 << 53  # integers up to here are floats without loss
_LONG_TEXT = 32  # characters; a shorter text may be said twice by chance


def row_hashes(X: Any) -> Hashes:
    """Return a hash of every row that is the same in every process.

    Rows of equal values have equal hashes: 1, 1.0 and True are equal, and so are 0.0 and
    -0.0, and all missing values (NaN, None, NaT, ``pandas.NA``). A table hashes the same as
    ndarray, DataFrame or sparse matrix; neither column names nor the index count.

    Parameters
    ----------
    X : array-like of shape (n_rows, ...), sparse matrix, DataFrame, list or dict of these
        The rows. A list is a list of rows; a dict holds arrays of n_rows rows each.

    Returns
    -------
    hashes : ndarray of uint64, shape (n_rows,)
        Two different rows have the same hash with a probability of about 2**-64.

    Raises
    ------
    TypeError
        If the rows of X cannot be read without side effects (a generator, a dataset).
    ValueError
        If X is a dict of arrays of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> from sk_hpo.validation.row_hashes import row_hashes
    >>> X = np.array([[0, 1], [2, 3], [-0.0, 1]])
    >>> h = row_hashes(X)
    >>> bool(h[0] == h[2]), bool(h[0] == h[1])
    (True, False)
    >>> bool((row_hashes(sparse.csr_array(X)) == h).all())
    True
    """
    return joined(half_hashes(X))


def hashes_or_none(X: Any) -> Hashes | None:
    """Return ``row_hashes(X)``, or None where the rows cannot be read."""
    try:
        return row_hashes(X)
    except (TypeError, ValueError):
        return None


def half_hashes(X: Any) -> Hashes:
    """Return two hashes of every row, each of one half of its columns.

    The columns are dealt to the halves in pairs, by a fixed draw. A text of 32 characters or
    more, if it is all that a row holds, is cut in the middle; whatever else is one column
    belongs to one half, and the other is empty.

    Parameters
    ----------
    X : as in `row_hashes`

    Returns
    -------
    hashes : ndarray of uint64, shape (n_rows, 2)
    """
    parts = list(_parts(X))
    if len(parts) == 1 and parts[0].shape[1:] == (1,) and parts[0].dtype == object:
        parts = [_cut(parts[0][:, 0])]
    n_rows = {part.shape[0] for part in parts}
    if len(n_rows) > 1:
        raise ValueError(f"The arrays of X differ in their numbers of rows: {sorted(n_rows)}.")
    total = np.zeros((max(n_rows, default=0), 2), np.uint64)
    offset = 0
    for part in parts:
        width = prod(part.shape[1:])
        total += _sums(part, _multipliers(offset, offset + width))
        offset += width
    return total


# -- containers -> two-dimensional parts ------------------------------------------------------


def _parts(X: Any) -> Iterator[Any]:
    """Yield X as ndarrays of numbers or objects, or CSR: each (n_rows, n_columns, ...)."""
    if sparse.issparse(X):
        yield _canonical(X)
    elif isinstance(X, Mapping):
        for key in sorted(X, key=str):
            yield from _parts(X[key])
    elif isinstance(X, list | tuple):
        yield from _array_parts(_from_list(X))
    elif _is_a(X, "pandas", "DataFrame", "Series"):
        yield from _pandas_parts(X)
    elif _is_a(X, "polars", "DataFrame", "Series"):
        for column in X.get_columns() if hasattr(X, "get_columns") else [X]:
            yield from _array_parts(column.to_numpy())
    elif _is_a(X, "torch", "Tensor"):
        yield from _array_parts(X.detach().cpu().numpy())
    elif hasattr(X, "__array_interface__"):
        yield from _array_parts(np.asarray(X))
    else:
        raise TypeError(f"Cannot read the rows of a {type(X).__name__}.")


def _is_a(X: Any, module: str, *names: str) -> bool:
    """Return whether X is of one of these classes of an optional library."""
    library = sys.modules.get(module)
    return library is not None and isinstance(X, tuple(getattr(library, n) for n in names))


def _array_parts(X: NDArray[Any]) -> Iterator[Any]:
    if X.ndim == 0:
        raise TypeError("A single value has no rows.")
    if X.dtype.names is not None:
        for name in X.dtype.names:
            yield from _array_parts(X[name])
        return
    if X.dtype.kind in "SUT":
        X = X.astype(object)
    elif X.dtype.kind in "mM":
        X = X.astype(np.int64)
    elif X.dtype.kind == "c":
        X = np.stack([X.real, X.imag], axis=-1)
    elif X.dtype.kind not in "biufO":
        raise TypeError(f"Cannot read the rows of an array of {X.dtype}.")
    yield X[:, None] if X.ndim == 1 else X


def _pandas_parts(X: Any) -> Iterator[Any]:
    if X.ndim == 1:
        yield from _array_parts(_pandas_column(X))
        return
    dtypes = set(X.dtypes)
    if (
        len(dtypes) == 1
        and isinstance(dtype := dtypes.pop(), np.dtype)
        and dtype.kind in "biuf"
    ):
        yield X.to_numpy()
        return
    for j in range(X.shape[1]):
        yield from _array_parts(_pandas_column(X.iloc[:, j]))


def _pandas_column(column: Any) -> NDArray[Any]:
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return column.to_numpy()
    if dtype.kind == "M" and hasattr(dtype, "unit"):  # with a time zone
        return column.to_numpy(f"datetime64[{dtype.unit}]")
    return column.to_numpy(np.float64 if dtype.kind in "biuf" else object, na_value=np.nan)


def _from_list(X: Any) -> NDArray[Any]:
    """Return a list of rows as an array; of objects, if they are texts or ragged."""
    if not (len(X) and isinstance(X[0], str | bytes | Mapping)):
        try:
            return np.asarray(X)
        except (ValueError, TypeError):
            pass
    rows = np.empty(len(X), object)
    rows[:] = X
    return rows


def _canonical(X: Any) -> Any:
    """Return CSR without repeated entries."""
    if X.ndim != 2 or X.dtype.kind not in "biuf":
        raise TypeError(f"Cannot read the rows of a sparse {X.ndim}-d array of {X.dtype}.")
    csr = sparse.csr_array(X)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def _cut(texts: NDArray[Any]) -> NDArray[Any]:
    halves = np.empty((len(texts), 2), object)
    for row, text in zip(halves, texts, strict=True):
        middle = len(text) // 2 if isinstance(text, str) and len(text) >= _LONG_TEXT else 0
        row[:] = (text[:middle], text[middle:]) if middle else (text, 0)
    return halves


# -- elements -> words ------------------------------------------------------------------------


def _words(values: NDArray[Any]) -> Hashes:
    """Return a word for every element, of the same shape."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if size == 1:
        table = _WORDS_OF_INT8 if kind == "i" else _WORDS_OF_UINT8
        return table.take(values.view(np.uint8))
    if kind == "O":
        known: dict[Any, int] = {}
        words = (_word(value, known) for value in values.ravel())
        return np.fromiter(words, np.uint64, values.size).reshape(values.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        floats = values.astype(np.float64)
    floats += 0.0  # -0.0 becomes 0.0
    missing = np.isnan(floats)
    if missing.any():
        floats[missing] = np.nan  # of all bit patterns, one
    bits = floats.view(np.uint64)
    if kind in "iu" and size == 8:
        large = (values > _EXACT) | (values < -_EXACT if kind == "i" else False)
        if large.any():
            bits[large] = values[large].astype(np.uint64)
    return _spread(bits)


def _spread(bits: Hashes) -> Hashes:
    """Return words, in place: a small integer differs in the upper bits of a float alone."""
    bits ^= bits >> np.uint64(32)
    bits *= _GOLDEN
    bits ^= bits >> np.uint64(29)
    return bits


_WORDS_OF_UINT8 = _spread(np.arange(256.0).view(np.uint64))
_WORDS_OF_INT8 = _spread(
    np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64).view(np.uint64)
)


def _word(value: Any, known: dict[Any, int]) -> int:
    """Return the word of one object; `known` remembers those that can be looked up."""
    try:
        if value in known:
            return known[value]
    except TypeError:  # a list, an array: not to be looked up
        return _digest_of_object(value)
    missing = value is None or type(value).__name__ in ("NaTType", "NAType")
    number = float("nan") if missing else value
    if isinstance(value, str | bytes):
        word = _digest(value)
    elif isinstance(number, float | np.floating | np.bool_) or (
        isinstance(number, Integral) and abs(int(number)) <= _EXACT
    ):
        word = int(_words(np.array([float(number)]))[0])
    else:
        word = _digest_of_object(value)
    known[value] = word
    return word


def _digest_of_object(value: Any) -> int:
    try:
        return _digest(str(joblib.hash(value)))
    except Exception as error:  # whatever its pickling raises
        raise TypeError(f"Cannot read a row that holds a {type(value).__name__}.") from error


def _digest(text: str | bytes) -> int:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else b"\0" + text
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


# -- words -> hashes --------------------------------------------------------------------------


def _sums(part: Any, multipliers: Hashes) -> Hashes:
    """Return the sum of words times multipliers, of both halves, shape (n_rows, 2)."""
    if sparse.issparse(part):
        stored = (_words(part.data), part.indices, part.indptr)
        return np.asarray(sparse.csr_array(stored, shape=part.shape) @ multipliers)
    sums = np.empty((len(part), 2), np.uint64)
    step = max(1, _BLOCK // max(1, len(multipliers)))
    for start in range(0, len(part), step):
        block = part[start : start + step]
        words = _words(block).reshape(len(block), len(multipliers))
        np.matmul(words, multipliers, out=sums[start : start + step])
    return sums


def _multipliers(start: int, stop: int) -> Hashes:
    """Return the odd multiplier of every column in its half, 0 in the other; (n, 2)."""
    columns = np.arange(start, stop, dtype=np.uint64)
    one = np.uint64(1)
    draw = mixed((columns >> one) + one) >> np.uint64(63)  # the same for two columns
    half = (columns & one) ^ draw
    odd = mixed((columns + one) * _GOLDEN) | one
    return np.stack([odd * (one - half), odd * half], axis=1)


def joined(halves: Hashes) -> Hashes:
    """Return the hashes of whole rows, shape (n_rows,), from those of their halves."""
    return mixed(halves[:, 0] + halves[:, 1])


def mixed(x: Hashes) -> Hashes:
    """Return the bits mixed; the finalizer of MurmurHash3, a bijection."""
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))
