from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chisquare, kstest, truncnorm

from sk_hpo.surrogates.lattice import Dependency, Lattice
from sk_hpo.surrogates.parzen import Parzen

LINE = Lattice((None,), np.array([False]))
LEVELS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
ORDERED = Lattice((LEVELS,), np.array([False]))
CATEGORIES = Lattice((LEVELS,), np.array([True]))


def parzen(
    lattice: Lattice, x: list, weights: list | None = None, flatten: float = 0.1
) -> Parzen:
    rows = np.array(x, dtype=float).reshape(len(x), len(lattice.levels))
    return Parzen(
        lattice, rows, np.ones(len(x)) if weights is None else np.array(weights), flatten
    )


def density(estimator: Parzen, *values: float) -> float:
    return float(np.exp(estimator.log_density(np.array([values])))[0])


@pytest.mark.parametrize("x", [[], [0.5], [0.0, 1.0], [0.2, 0.25, 0.9], [0.4] * 9])
@pytest.mark.parametrize("flatten", [1e-9, 0.2])
def test_densities_integrate_to_one(x: list[float], flatten: float) -> None:
    estimator = parzen(LINE, x, flatten=flatten)
    total = quad(
        lambda u: density(estimator, u), 0, 1, points=sorted(set(x)) or None, limit=200
    )
    assert total[0] == pytest.approx(1.0, abs=1e-6)
    for lattice in (ORDERED, CATEGORIES):
        levels = parzen(lattice, [LEVELS[int(4 * v)] for v in x], flatten=flatten)
        masses = [density(levels, level) / 5 for level in LEVELS]
        assert sum(masses) == pytest.approx(1.0, abs=1e-9)


def test_one_observation_is_the_textbook_mixture() -> None:
    """Half of a truncated normal of bandwidth 0.5 * 0.7, and half of the uniform."""
    estimator = parzen(LINE, [0.3], flatten=1e-9)
    h = max(0.5 * 0.7, 1 / 3)
    normal = truncnorm(-0.3 / h, 0.7 / h, loc=0.3, scale=h)
    for u in (0.0, 0.2, 0.31, 1.0):
        assert density(estimator, u) == pytest.approx(0.5 * normal.pdf(u) + 0.5)


def test_weights_are_those_of_the_observations() -> None:
    estimator = parzen(CATEGORIES, [0.1, 0.9], weights=[3.0, 1.0])
    # Aitchison and Aitken with 5 / 8 of the uniform; the prior weighs as one of three.
    own, other = 3 / 8 * 5 + 5 / 8, 5 / 8
    assert density(estimator, 0.1) == pytest.approx((1.5 * own + 0.5 * other + 1.0) / 3)
    assert density(estimator, 0.5) == pytest.approx((2.0 * other + 1.0) / 3)


def test_columns_multiply_within_a_component() -> None:
    """Two observations in opposite corners: the other two corners are unlikely."""
    square = Lattice((None, None), np.array([False, False]))
    estimator = parzen(
        square, [(0.1, 0.1), (0.12, 0.12), (0.9, 0.9), (0.88, 0.88)], flatten=1e-9
    )
    corners = {p: density(estimator, *p) for p in itertools.product((0.1, 0.9), repeat=2)}
    assert corners[0.1, 0.1] > 2 * corners[0.1, 0.9]
    assert corners[0.9, 0.9] > 2 * corners[0.9, 0.1]


def conditional() -> Lattice:
    return Lattice(
        (np.array([0.25, 0.75]), None),
        np.array([True, False]),
        (Dependency(1, 0, np.array([0.75])),),
    )


def test_a_parameter_that_does_not_exist_says_nothing() -> None:
    """Its factor is 1, for the row as for the observation."""
    estimator = parzen(conditional(), [(0.25, np.nan), (0.75, 0.3)])
    category = parzen(Lattice((np.array([0.25, 0.75]),), np.array([True])), [0.25, 0.75])
    assert density(estimator, 0.25, np.nan) == pytest.approx(density(category, 0.25))
    total = quad(lambda u: density(estimator, 0.75, u), 0, 1, points=[0.3])[0]
    assert total == pytest.approx(density(category, 0.75), abs=1e-6)
    assert density(estimator, 0.75, 0.3) > 1.1 * density(estimator, 0.75, 0.95)


@pytest.mark.parametrize("lattice", [ORDERED, CATEGORIES])
def test_samples_have_the_density_of_levels(lattice: Lattice) -> None:
    estimator = parzen(lattice, [0.1, 0.1, 0.3, 0.9], weights=[4.0, 1.0, 1.0, 2.0])
    drawn = estimator.sample(40_000, np.random.default_rng(0))[:, 0]
    counts = np.array([(drawn == level).sum() for level in LEVELS])
    expected = np.array([density(estimator, level) / 5 for level in LEVELS])
    assert counts.sum() == 40_000
    assert chisquare(counts, 40_000 * expected / expected.sum()).pvalue > 1e-3


def test_samples_have_the_density_of_reals() -> None:
    estimator = parzen(LINE, [0.05, 0.1, 0.7], weights=[1.0, 2.0, 1.0])
    drawn = estimator.sample(20_000, np.random.default_rng(0))[:, 0]
    grid = np.linspace(0.0, 1.0, 4001)
    values = np.exp(estimator.log_density(grid[:, None]))
    cdf = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(grid))])
    assert kstest(drawn, lambda u: np.interp(u, grid, cdf)).pvalue > 1e-3


def test_samples_are_rows_of_the_lattice() -> None:
    estimator = parzen(conditional(), [(0.25, np.nan), (0.75, 0.3), (0.75, 0.4)])
    rows = estimator.sample(500, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(rows[:, 1]), rows[:, 0] == 0.25)
    assert 0.2 < np.mean(rows[:, 0] == 0.25) < 0.6
    there = rows[rows[:, 0] == 0.75, 1]
    assert np.mean(np.abs(there - 0.35) < 0.2) > 0.5


def test_far_from_everything_densities_are_finite() -> None:
    estimator = parzen(LINE, [0.5] * 200, flatten=1e-9)
    assert np.isfinite(estimator.log_density(np.array([[0.0], [1.0]]))).all()
    levels = Lattice((np.linspace(0.001, 0.999, 500),), np.array([False]))
    many = parzen(levels, [0.001] * 200, flatten=1e-9)
    assert np.isfinite(many.log_density(np.array([[0.999], [0.001]]))).all()
