from __future__ import annotations

import numpy as np
import pytest
from contracts.gaussian import COLUMNS, MIXED, matrix, mixed_rows, some_hyperparameters
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo.surrogates.kernel import Columns, Kernel


def some_kernel(rng: np.random.Generator, m: int) -> tuple[Kernel, list]:
    h = [some_hyperparameters(rng, 4) for _ in range(m)]
    precision = np.array([each.precision for each in h])
    return Kernel(COLUMNS, precision, np.array([each.scale for each in h])), h


@pytest.mark.parametrize("seed", range(3))
def test_kernel_is_the_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, h = some_kernel(rng, 3)
    a, b = mixed_rows(rng, 9), mixed_rows(rng, 7)
    expected = [matrix(a, b, each) for each in h]
    left, right = COLUMNS.embed(a), COLUMNS.embed(b)
    np.testing.assert_allclose(kernel(left, right), expected, rtol=1e-12)
    np.testing.assert_allclose(kernel.with_pull(left, right)[0], expected, rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_kernel_is_positive_definite_over_absent_parameters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.random((12, 4))
    x[rng.random((12, 4)) < 0.4] = np.nan
    points = COLUMNS.embed(x)
    assert np.linalg.eigvalsh(some_kernel(rng, 1)[0](points, points)[0]).min() > -1e-12


def test_columns_that_always_exist_need_no_indicator() -> None:
    """The table for rows without NaN does not depend on what may be absent."""
    rng = np.random.default_rng(1)
    h, x = some_hyperparameters(rng, 4), rng.random((8, 4))
    narrow = Columns(MIXED, optional=np.zeros(4, dtype=bool))
    points = narrow.embed(x)
    assert points.features.shape == (8, 3)
    kernel = Kernel(narrow, h.precision[None], np.array([h.scale]))
    np.testing.assert_allclose(kernel(points, points)[0], matrix(x, x, h), rtol=1e-12)


def test_slopes_of_the_kernel() -> None:
    rng = np.random.default_rng(2)
    kernel, _ = some_kernel(rng, 2)
    a, b, c = mixed_rows(rng, 5), mixed_rows(rng, 6), rng.normal(size=(2, 5, 6))
    points = COLUMNS.embed(b)
    slopes = COLUMNS.spread(kernel.with_pull(COLUMNS.embed(a), points)[1].sums(c), a)
    for j in (0, 2, 3):
        up, down = a.copy(), a.copy()
        up[:, j] += 1e-6
        down[:, j] -= 1e-6
        change = kernel(COLUMNS.embed(up), points) - kernel(COLUMNS.embed(down), points)
        central = (c * change).sum(axis=2) / 2e-6
        np.testing.assert_allclose(slopes[:, :, j], central, rtol=1e-6, atol=1e-8)
    assert np.all(slopes[:, :, 1] == 0.0)
    assert np.all(slopes[:, np.isnan(a[:, 3]), 3] == 0.0)


def test_differences_are_those_of_the_table() -> None:
    rng = np.random.default_rng(3)
    x, h = mixed_rows(rng, 6), some_hyperparameters(rng, 4)
    low, high = np.tril_indices(6, -1)
    differences = COLUMNS.differences(COLUMNS.embed(x), low, high)
    root = np.sqrt(5.0 * (h.precision @ differences))
    k = h.scale * (1 + root + root**2 / 3) * np.exp(-root)
    np.testing.assert_allclose(k, matrix(x, x, h)[low, high], rtol=1e-12)
