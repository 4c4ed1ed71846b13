"""Factors of covariance matrices, by LAPACK, that do not fail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

__all__ = ["cholesky", "inverse", "solve", "whitener"]

FloatArray = NDArray[np.float64]


def cholesky(a: FloatArray, scale: float) -> FloatArray:
    """Return the lower factor of `a`, of which only the lower triangle is read.

    Where rounding has made `a` indefinite, its diagonal is raised by a jitter that grows
    from 1e-10 of `scale` until the factor exists.
    """
    factor, failed = lapack.dpotrf(a, lower=1, clean=1)
    jitter = 1e-10 * scale
    while failed and jitter <= 1e-1 * scale:
        factor, failed = lapack.dpotrf(a + jitter * np.eye(len(a)), lower=1, clean=1)
        jitter *= 10.0
    if failed:
        raise np.linalg.LinAlgError("the covariance matrix is not positive definite")
    return np.asarray(factor)


def whitener(a: FloatArray, scale: float) -> FloatArray:
    """Return the inverse of the lower Cholesky factor of `a`, see `cholesky`."""
    return np.asarray(lapack.dtrtri(cholesky(a, scale), lower=1)[0])


def inverse(factor: FloatArray) -> FloatArray:
    """Return the inverse of a matrix from its factor; only the lower triangle is right."""
    return np.asarray(lapack.dpotri(factor, lower=1)[0])


def solve(factor: FloatArray, b: FloatArray) -> FloatArray:
    """Return the inverse of a matrix, of which `factor` is the factor, times `b`."""
    return np.asarray(lapack.dpotrs(factor, b, lower=1)[0])
