"""What is kept of the rows that a search has used, and whether a copy of one can be chance."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_hpo.validation.row_hashes import half_hashes, hashes_or_none, joined, mixed

__all__ = ["Fingerprint", "digest"]

Hashes = NDArray[np.uint64]
_FEW, _REPEATS = 50, 4  # see Fingerprint
_MIN_ROWS, _MIN_SHARE, _MIN_TELLING = 5, 0.001, 0.25  # see Fingerprint.beyond_chance
_BLOCK = 1 << 20  # elements that are compared at once


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What a search keeps of the rows that it has used: 9 bytes for each.

    A copy of a row says little where rows are coarse: among three categorical columns, equal
    rows are the rule. A row is *telling* if chance does not explain that it occurs twice: no
    row that differs from it agrees with it in either half of the columns (`half_hashes`).
    Where rows coincide by nature, rows that nearly coincide are far more frequent, however
    the columns depend on one another; copies have no such company. Nor is a row telling in a
    table of fewer than 50 different rows, which shows nothing about chance, or of more than
    four rows for each different one, whose nature it is to repeat.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n_rows,)
        Of the rows, in their order.
    telling : ndarray of bool, shape (n_rows,)
        Whether a copy of the row cannot be chance.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.validation.fingerprint import Fingerprint
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> kept = Fingerprint.of(X)
    >>> kept.beyond_chance(np.arange(60) < 10, n_scored=60)
    True
    >>> bool(kept.telling.all()), bool(Fingerprint.of(np.round(X)).telling.any())
    (True, False)
    """

    hashes: Hashes
    telling: NDArray[np.bool_]

    @classmethod
    def of(cls, X: Any) -> Fingerprint:
        """Return the fingerprint of the rows of X; TypeError as `row_hashes`."""
        halves = half_hashes(X)
        hashes = _told_apart(joined(halves), X)
        _, first, ids = np.unique(hashes, return_index=True, return_inverse=True)
        n_different = len(first)
        if n_different < max(_FEW, len(hashes) / _REPEATS):
            return cls(hashes, np.zeros(len(hashes), bool))
        alone = _occurs_once(halves[first, 0]) & _occurs_once(halves[first, 1])
        return cls(hashes, alone[ids])

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def digest(self) -> bytes:
        """Tells whether other rows are these, in this order; 16 bytes."""
        return _digest(self.hashes)

    def take(self, rows: Any) -> Fingerprint:
        """Return the fingerprint of some of the rows, as numpy indexes them."""
        return Fingerprint(self.hashes[rows], self.telling[rows])

    def beyond_chance(self, copied: NDArray[np.bool_], n_scored: int) -> bool:
        """Return whether chance does not explain that rows are copied, and it matters.

        Different rows that are copied and telling must number at least five, and a quarter
        of all that are copied: where rows coincide by nature, a few still look telling. And
        at least one of a thousand that are scored: fewer move no accuracy by more than 0.001.

        Parameters
        ----------
        copied : ndarray of bool, shape (n_rows,)
            Which of these rows are copied.
        n_scored : int
            Number of rows that are scored.
        """
        n_copied = len(np.unique(self.hashes[copied]))
        n_telling = len(np.unique(self.hashes[copied & self.telling]))
        return n_telling >= max(_MIN_ROWS, _MIN_TELLING * n_copied, _MIN_SHARE * n_scored)


def digest(X: Any) -> bytes | None:
    """Return ``Fingerprint.of(X).digest`` without the rest; None where X cannot be read."""
    hashes = hashes_or_none(X)
    return None if hashes is None else _digest(hashes)


def _digest(hashes: Hashes) -> bytes:
    return blake2b(np.ascontiguousarray(hashes).tobytes(), digest_size=16).digest()


def _occurs_once(hashes: Hashes) -> NDArray[np.bool_]:
    _, ids, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return counts[ids] == 1


def _told_apart(hashes: Hashes, X: Any) -> Hashes:
    """Return the hashes; of different rows that collide, all but one get another.

    Only arrays of numbers are compared: elsewhere it costs more than 2**-64 is worth.
    """
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "biuf":
        return hashes
    _, first, ids = np.unique(hashes, return_index=True, return_inverse=True)
    copies = np.flatnonzero(first[ids] != np.arange(len(hashes)))
    step = max(1, _BLOCK // max(1, X[:1].size))
    for block in (copies[i : i + step] for i in range(0, len(copies), step)):
        a, b = X[block], X[first[ids[block]]]
        equal = (a == b) | ((a != a) & (b != b))
        collided = block[~equal.reshape(len(block), -1).all(axis=1)]
        hashes[collided] = mixed(hashes[collided] ^ mixed(collided.astype(np.uint64)))
    return hashes
