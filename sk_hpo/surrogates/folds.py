"""How far a mean over folds can be trusted, where all candidates share their folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fold_errors"]

FloatArray = NDArray[np.float64]

_PRIOR = 4.0  # degrees of freedom that the common variance counts as


def fold_errors(scores: FloatArray) -> FloatArray:
    """Return the standard error of each candidate's mean over the folds.

    A fold that is hard for every candidate does not blur their comparison: only what is
    left when the means of candidates and folds are taken out counts (the residuals of a
    two-way layout). A variance from few folds is itself uncertain, and is drawn towards
    that of all candidates (Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004), eq. 6.1, with a
    fixed prior).

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        Of n candidates on k folds, ``k >= 2``; rows that hold NaN or infinity are left out.

    Returns
    -------
    errors : ndarray of shape (n,)
        0 for the rows that are left out, and for all if less than three are not.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[0.1, 0.5], [0.2, 0.6], [0.4, 0.8]])
    >>> fold_errors(scores).round(12)
    array([0., 0., 0.])
    """
    errors = np.zeros(len(scores))
    usable = np.isfinite(scores).all(axis=1)
    n, k = int(usable.sum()), scores.shape[1]
    if n < 3:
        return errors
    size = max(float(np.abs(scores[usable]).max()), 1e-300)
    table = scores[usable] / size  # whose squares do not overflow
    table = table - table.mean(axis=1, keepdims=True)
    # The median: one diverged candidate is not the fold's fault.
    table -= np.median(table, axis=0)
    table -= table.mean(axis=1, keepdims=True)
    variance = np.square(table).sum(axis=1) / (k - 1)
    # The median of chi-squared over its degrees of freedom (Wilson, Hilferty 1931).
    common = float(np.median(variance)) / (1.0 - 2.0 / (9.0 * (k - 1))) ** 3
    shrunk = (_PRIOR * common + (k - 1) * variance) / (_PRIOR + k - 1)
    errors[usable] = np.sqrt(shrunk / k) * size
    return errors
