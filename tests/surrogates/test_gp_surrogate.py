from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from sk_hpo.surrogates.gp import (
    Hyperparameters,
    Kernel,
    Posterior,
    Priors,
    condition,
    fit,
    objective,
)

MIXED = np.array([False, True, False, False])


def mixed_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Rows with a category in column 1, and column 3 present for category 0 only."""
    x = rng.random((n, 4))
    x[:, 1] = rng.integers(3, size=n) / 2.0
    x[x[:, 1] > 0, 3] = np.nan
    return x


def some_hyperparameters(rng: np.random.Generator, d: int) -> Hyperparameters:
    return Hyperparameters(
        rng.uniform(0.2, 9.0, d), rng.uniform(0.3, 3.0), rng.uniform(0.01, 0.1)
    )


def textbook_kernel(a: np.ndarray, b: np.ndarray, h: Hyperparameters) -> float:
    """The module's table, one pair of rows at a time."""
    squares = 0.0
    for j, (p, q) in enumerate(zip(a, b, strict=True)):
        if np.isnan(p) and np.isnan(q):
            continue
        if MIXED[j]:
            difference = float(p != q)
        elif np.isnan(p) or np.isnan(q):
            difference = ((q if np.isnan(p) else p) - 0.5) ** 2 + 0.25
        else:
            difference = (p - q) ** 2
        squares += difference * h.precision[j]
    r = np.sqrt(squares)
    return h.scale * (1 + np.sqrt(5) * r + 5 / 3 * r**2) * np.exp(-np.sqrt(5) * r)


def matrix(a: np.ndarray, b: np.ndarray, h: Hyperparameters) -> np.ndarray:
    return np.array([[textbook_kernel(p, q, h) for q in b] for p in a])


@pytest.mark.parametrize("seed", range(3))
def test_kernel_is_the_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    h = some_hyperparameters(rng, 4)
    a, b = mixed_rows(rng, 9), mixed_rows(rng, 7)
    kernel = Kernel(h.precision, MIXED, h.scale)
    np.testing.assert_allclose(kernel(a, b), matrix(a, b, h), rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_kernel_is_positive_definite_over_absent_parameters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.random((12, 4))
    x[rng.random((12, 4)) < 0.4] = np.nan
    kernel = Kernel(some_hyperparameters(rng, 4).precision, MIXED)
    assert np.linalg.eigvalsh(kernel(x, x)).min() > -1e-12


@pytest.mark.parametrize("mean", [None, 0.3])
@pytest.mark.parametrize("own_noise", [False, True])
def test_posterior_is_the_textbook_solve(mean: float | None, own_noise: bool) -> None:
    rng = np.random.default_rng(3)
    x, y, new = mixed_rows(rng, 15), rng.normal(size=15), mixed_rows(rng, 6)
    h = some_hyperparameters(rng, 4)
    noise = rng.uniform(0.0, 0.5, 15) if own_noise else np.zeros(15)

    covariance = matrix(x, x, h) + np.diag(h.noise + noise)
    inverse, ones = np.linalg.inv(covariance), np.ones(15)
    m = (ones @ inverse @ y) / (ones @ inverse @ ones) if mean is None else mean
    k = matrix(new, x, h)
    expected_mean = m + k @ inverse @ (y - m)
    expected_sd = np.sqrt(h.scale - np.diag(k @ inverse @ k.T))

    posterior = condition(x, y, MIXED, h, noise=noise if own_noise else None, mean=mean)
    actual_mean, actual_sd = posterior.predict(new)
    np.testing.assert_allclose(actual_mean, expected_mean, rtol=1e-10)
    np.testing.assert_allclose(actual_sd, expected_sd, rtol=1e-10)
    np.testing.assert_allclose(posterior.predict_mean(new), expected_mean, rtol=1e-10)


def test_posterior_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    x, y, new = rng.random((30, 3)), rng.normal(size=30), rng.random((20, 3))
    noise, lengths, scale = rng.uniform(0.01, 0.3, 30), np.array([0.2, 0.7, 1.9]), 1.7
    theirs = GaussianProcessRegressor(
        ConstantKernel(scale) * Matern(lengths, nu=2.5), alpha=noise, optimizer=None
    ).fit(x, y)
    h = Hyperparameters(lengths**-2, scale, noise=0.0)
    ours = condition(x, y, np.zeros(3, dtype=bool), h, noise=noise, mean=0.0)
    for actual, expected in zip(
        ours.predict(new), theirs.predict(new, return_std=True), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("own_noise", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_slope_of_the_objective(seed: int, own_noise: bool) -> None:
    rng = np.random.default_rng(seed)
    x, y = mixed_rows(rng, 14), rng.normal(size=14)
    f = objective(x, y, MIXED, rng.uniform(0, 0.2, 14) if own_noise else None, Priors())
    theta = some_hyperparameters(rng, 4).to_log()
    slope = f(theta)[1]
    step = 1e-5 * np.eye(6)
    central = [(f(theta + e)[0] - f(theta - e)[0]) / 2e-5 for e in step]
    np.testing.assert_allclose(slope, central, rtol=1e-6, atol=1e-6)


def test_objective_is_the_negative_log_density() -> None:
    rng = np.random.default_rng(5)
    x, y = mixed_rows(rng, 10), rng.normal(size=10)
    f = objective(x, y, MIXED, None, Priors())

    def oracle(h: Hyperparameters) -> float:
        covariance = matrix(x, x, h) + h.noise * np.eye(10)
        inverse, ones = np.linalg.inv(covariance), np.ones(10)
        r = y - (ones @ inverse @ y) / (ones @ inverse @ ones)
        likelihood = -0.5 * r @ inverse @ r - 0.5 * np.linalg.slogdet(covariance)[1]
        lengths = -0.1 * np.sum(h.precision + 1 / h.precision)
        gammas = np.log(h.scale) - h.scale + 0.1 * np.log(h.noise) - 30 * h.noise
        return -(likelihood + lengths + gammas)

    a, b = some_hyperparameters(rng, 4), some_hyperparameters(rng, 4)
    difference = f(a.to_log())[0] - f(b.to_log())[0]
    assert difference == pytest.approx(oracle(a) - oracle(b), rel=1e-9)


def test_slopes_of_the_prediction() -> None:
    rng = np.random.default_rng(6)
    x, y, new = mixed_rows(rng, 20), rng.normal(size=20), mixed_rows(rng, 8)
    posterior = condition(x, y, MIXED, some_hyperparameters(rng, 4))
    mean, sd, d_mean, d_sd = posterior.predict_with_slopes(new)
    np.testing.assert_allclose(mean, posterior.predict(new)[0], rtol=1e-12)
    np.testing.assert_allclose(sd, posterior.predict(new)[1], rtol=1e-12)
    for i, row in enumerate(new):
        for which, slope in ((0, d_mean), (1, d_sd)):

            def at(free: np.ndarray, row: np.ndarray = row, which: int = which) -> float:
                moved = np.where(MIXED | np.isnan(row), row, free)
                return float(posterior.predict(moved[None])[which][0])

            free = np.where(np.isnan(row), 0.0, row)
            central = [(at(free + e) - at(free - e)) / 2e-6 for e in 1e-6 * np.eye(len(row))]
            np.testing.assert_allclose(slope[i], central, rtol=1e-6, atol=1e-7)
            assert slope[i, 1] == 0.0
            assert np.all(slope[i, np.isnan(row)] == 0.0)


def test_belief_is_observing_what_is_predicted() -> None:
    rng = np.random.default_rng(7)
    x, y, h = mixed_rows(rng, 12), rng.normal(size=12), some_hyperparameters(rng, 4)
    new, more = mixed_rows(rng, 3), mixed_rows(rng, 6)
    before = condition(x, y, MIXED, h, mean=0.1)
    longer_x, longer_y = np.vstack([x, new]), np.append(y, before.predict(new)[0])
    after = condition(longer_x, longer_y, MIXED, h, mean=0.1)
    believed = before.believe(new)
    np.testing.assert_allclose(believed.predict(more), after.predict(more), rtol=1e-9)
    np.testing.assert_allclose(believed.predict(more)[0], before.predict(more)[0], rtol=1e-12)
    one_by_one = before.believe(new[:1]).believe(new[1:])
    np.testing.assert_allclose(one_by_one.predict(more), believed.predict(more), rtol=1e-9)
    assert before.believe(new[:0]) is before


def noisy_plane(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Column 0 decides, column 1 does not."""
    rng = np.random.default_rng(8)
    x = rng.random((n, 2))
    y = np.sin(6 * x[:, 0]) + 0.1 * rng.normal(size=n)
    return x, (y - y.mean()) / y.std()


def test_fit_is_a_minimum_of_the_objective() -> None:
    x, y = noisy_plane(40)
    numeric = np.zeros(2, dtype=bool)
    f = objective(x, y, numeric, None, Priors())
    posterior = fit(x, y, numeric, max_evaluations=200)
    kernel = posterior.kernel
    theta = Hyperparameters(kernel.precision, kernel.scale, posterior.noise).to_log()
    rng = np.random.default_rng(0)
    around = [f(theta + 0.3 * rng.normal(size=4))[0] for _ in range(50)]
    assert f(theta)[0] <= min(around) + 1e-4


def test_fit_of_many_rows_is_near_the_minimum() -> None:
    x, y = noisy_plane(200)
    numeric = np.zeros(2, dtype=bool)
    f = objective(x, y, numeric, None, Priors())
    theta = [
        Hyperparameters(p.kernel.precision, p.kernel.scale, p.noise).to_log()
        for p in (
            fit(x, y, numeric),
            fit(x, y, numeric, start=Hyperparameters(np.ones(2)), max_evaluations=500),
        )
    ]
    assert f(theta[0])[0] <= f(theta[1])[0] + 0.1


def test_fit_tells_the_relevant_column_from_the_other() -> None:
    x, y = noisy_plane(60)
    kernel = fit(x, y, np.zeros(2, dtype=bool)).kernel
    assert kernel.precision[0] > 5 * kernel.precision[1]


def test_fit_predicts_a_mixed_conditional_function() -> None:
    def truth(x: np.ndarray) -> np.ndarray:
        return np.sin(5 * x[:, 0]) + x[:, 1] + np.where(np.isnan(x[:, 3]), 0.0, x[:, 3] ** 2)

    rng = np.random.default_rng(9)
    x, new = mixed_rows(rng, 80), mixed_rows(rng, 200)
    y, expected = truth(x), truth(new)
    mean, sd = fit((x), (y - y.mean()) / y.std(), MIXED).predict(new)
    error = mean - (expected - y.mean()) / y.std()
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert np.mean(np.abs(error) < 2.5 * sd + 0.02) > 0.85


def test_noise_of_an_observation_takes_its_weight_away() -> None:
    x, y = np.array([[0.2], [0.5], [0.8]]), np.array([0.0, 3.0, 0.0])
    h = Hyperparameters(np.array([4.0]), noise=1e-4)

    def at_the_middle(variance: float) -> Posterior:
        noise = np.array([0.0, variance, 0.0])
        return condition(x, y, np.array([False]), h, noise=noise, mean=0.0)

    means = [at_the_middle(v).predict(x[1:2])[0][0] for v in (0.0, 0.1, 1.0, 100.0)]
    assert means == sorted(means, reverse=True)
    assert means[0] == pytest.approx(3.0, abs=0.02)
    assert means[-1] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_duplicates_and_constants_do_not_fail(noise: float) -> None:
    x = np.repeat(np.array([[0.3, 0.0, 0.1, np.nan]]), 30, axis=0)
    h = Hyperparameters(np.ones(4), noise=noise)
    mean, sd = condition(x, np.ones(30), MIXED, h).predict(x[:1])
    assert mean[0] == pytest.approx(1.0)
    assert sd[0] < 1e-3
    fitted = fit(x, np.zeros(30), MIXED)
    assert np.all(np.isfinite(fitted.predict(mixed_rows(np.random.default_rng(0), 5))))


def test_one_observation() -> None:
    posterior = fit(np.array([[0.5, 1.0]]), np.array([0.7]), np.array([False, True]))
    mean, sd = posterior.predict(np.array([[0.5, 1.0], [0.0, 0.0]]))
    assert mean == pytest.approx([0.7, 0.7])
    assert sd[0] < sd[1]


def test_a_matrix_that_no_jitter_saves_is_an_error() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        condition(
            np.array([[0.1], [0.9]]),
            np.zeros(2),
            np.array([False]),
            Hyperparameters(np.ones(1)),
            noise=np.array([-5.0, 0.0]),
        )
