from __future__ import annotations

import numpy as np
import pytest
from contracts.gaussian import COLUMNS, matrix, mixed_rows, some_hyperparameters

from sk_hpo.surrogates.gp import condition
from sk_hpo.surrogates.hyperparameters import Hyperparameters, Priors, draw, fit, objective
from sk_hpo.surrogates.kernel import Columns

NUMERIC = Columns(np.zeros(2, dtype=bool))


@pytest.mark.parametrize("own_noise", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_slope_of_the_objective(seed: int, own_noise: bool) -> None:
    rng = np.random.default_rng(seed)
    x, y = mixed_rows(rng, 14), rng.normal(size=14)
    f = objective(x, y, COLUMNS, rng.uniform(0, 0.2, 14) if own_noise else None, Priors())
    theta = some_hyperparameters(rng, 4).to_log()
    slope = f(theta)[1]
    step = 1e-5 * np.eye(6)
    central = [(f(theta + e)[0] - f(theta - e)[0]) / 2e-5 for e in step]
    np.testing.assert_allclose(slope, central, rtol=1e-6, atol=1e-6)


def test_objective_is_the_negative_log_density() -> None:
    rng = np.random.default_rng(5)
    x, y = mixed_rows(rng, 10), rng.normal(size=10)
    f = objective(x, y, COLUMNS, None, Priors())

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


def noisy_plane(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Column 0 decides, column 1 does not."""
    rng = np.random.default_rng(8)
    x = rng.random((n, 2))
    y = np.sin(6 * x[:, 0]) + 0.1 * rng.normal(size=n)
    return x, (y - y.mean()) / y.std()


def test_fit_is_a_minimum_of_the_objective() -> None:
    x, y = noisy_plane(40)
    f = objective(x, y, NUMERIC, None, Priors())
    theta = fit(x, y, NUMERIC, max_evaluations=200).to_log()
    rng = np.random.default_rng(0)
    around = [f(theta + 0.3 * rng.normal(size=4))[0] for _ in range(50)]
    assert f(theta)[0] <= min(around) + 1e-4


def test_a_start_near_the_minimum_needs_few_evaluations() -> None:
    x, y = noisy_plane(60)
    f = objective(x, y, NUMERIC, None, Priors())
    lowest = f(fit(x, y, NUMERIC, max_evaluations=500).to_log())[0]
    before = fit(x[:56], y[:56], NUMERIC)
    assert f(fit(x, y, NUMERIC, start=before, max_evaluations=6).to_log())[0] < lowest + 0.01


def test_fit_tells_the_relevant_column_from_the_other() -> None:
    h = fit(*noisy_plane(60), NUMERIC)
    assert h.precision[0] > 5 * h.precision[1]


def test_noise_that_is_known_is_not_learned() -> None:
    x, y = noisy_plane(60)
    known = fit(x, y, NUMERIC, noise=np.full(60, 0.02), priors=Priors(noise=None))
    assert known.noise == pytest.approx(Priors().smallest_noise)
    assert fit(x, y, NUMERIC).noise == pytest.approx(0.02, rel=0.5)


def test_draws_have_the_mean_and_spread_of_the_posterior() -> None:
    """Against importance sampling of the density itself, around its maximum."""
    x, y = noisy_plane(40)
    f = objective(x, y, NUMERIC, None, Priors())
    h = fit(x, y, NUMERIC, max_evaluations=200)
    draws = draw(x, y, NUMERIC, h, 4000, np.random.default_rng(0))
    theta = np.array([each.to_log() for each in draws])

    rng = np.random.default_rng(1)
    centre, width = h.to_log(), 1.5 * theta.std(axis=0)
    z = rng.standard_normal((6000, 4))
    wide = centre + width * z
    bounds = np.array(Priors().bounds(2)).T
    inside = np.all((wide > bounds[0]) & (wide < bounds[1]), axis=1)
    log_weight = np.array([-f(t)[0] for t in wide[inside]]) + 0.5 * (z[inside] ** 2).sum(axis=1)
    weight = np.exp(log_weight - log_weight.max())
    mean = np.average(wide[inside], axis=0, weights=weight)
    sd = np.sqrt(np.average((wide[inside] - mean) ** 2, axis=0, weights=weight))
    # The density is skewed, the approximation is not.
    np.testing.assert_allclose(theta.mean(axis=0), mean, atol=0.8)
    np.testing.assert_allclose(theta.std(axis=0), sd, rtol=0.5)


def test_draws_stay_within_the_bounds() -> None:
    x, y = noisy_plane(5)
    h = Hyperparameters(np.array([1e3, 1e-3]), 1e2, 1e-6)
    low, high = np.array(Priors().bounds(2)).T
    draws = draw(x, y, NUMERIC, h, 50, np.random.default_rng(0))
    theta = np.array([each.to_log() for each in draws])
    assert np.all(theta >= low - 1e-9)
    assert np.all(theta <= high + 1e-9)
    assert len(np.unique(theta, axis=0)) > 40


def test_fit_predicts_a_mixed_conditional_function() -> None:
    def truth(x: np.ndarray) -> np.ndarray:
        return np.sin(5 * x[:, 0]) + x[:, 1] + np.where(np.isnan(x[:, 3]), 0.0, x[:, 3] ** 2)

    rng = np.random.default_rng(9)
    x, new = mixed_rows(rng, 80), mixed_rows(rng, 200)
    y, expected = truth(x), truth(new)
    told = (y - y.mean()) / y.std()
    posterior = condition(x, told, COLUMNS, [fit(x, told, COLUMNS)])
    [mean], [sd] = posterior.predict(new)
    error = mean - (expected - y.mean()) / y.std()
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert np.mean(np.abs(error) < 2.5 * sd + 0.02) > 0.85
