from __future__ import annotations

import numpy as np
import pytest
from contracts.gaussian import COLUMNS, matrix, mixed_rows, some_hyperparameters
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from sk_hpo.surrogates.gp import Posterior, condition
from sk_hpo.surrogates.hyperparameters import Hyperparameters
from sk_hpo.surrogates.kernel import Columns


def textbook(
    x: np.ndarray,
    y: np.ndarray,
    h: Hyperparameters,
    noise: np.ndarray,
    mean: float | None,
    new: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd at `new`, by inverting the covariance."""
    covariance = matrix(x, x, h) + np.diag(h.noise + noise)
    inverse, ones = np.linalg.inv(covariance), np.ones(len(x))
    m = (ones @ inverse @ y) / (ones @ inverse @ ones) if mean is None else mean
    k = matrix(new, x, h)
    return m + k @ inverse @ (y - m), np.sqrt(h.scale - np.diag(k @ inverse @ k.T))


@pytest.mark.parametrize("mean", [None, 0.3])
@pytest.mark.parametrize("own_noise", [False, True])
def test_posterior_is_the_textbook_solve(mean: float | None, own_noise: bool) -> None:
    rng = np.random.default_rng(3)
    x, y, new = mixed_rows(rng, 15), rng.normal(size=15), mixed_rows(rng, 6)
    h = [some_hyperparameters(rng, 4) for _ in range(3)]
    noise = rng.uniform(0.0, 0.5, 15) if own_noise else np.zeros(15)

    posterior = condition(x, y, COLUMNS, h, noise=noise if own_noise else None, mean=mean)
    actual, at_the_rows = posterior.predict(new), posterior.predict(x)[0]
    for i, each in enumerate(h):
        expected_mean, expected_sd = textbook(x, y, each, noise, mean, new)
        np.testing.assert_allclose(actual[0][i], expected_mean, rtol=1e-10)
        np.testing.assert_allclose(actual[1][i], expected_sd, rtol=1e-10)
    np.testing.assert_allclose(posterior.means, at_the_rows, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_before", [1, 9, 14, 15])
def test_more_observations_are_those_of_all_together(n_before: int) -> None:
    rng = np.random.default_rng(4)
    x, y, new = mixed_rows(rng, 15), rng.normal(size=15), mixed_rows(rng, 6)
    h = [some_hyperparameters(rng, 4) for _ in range(2)]
    noise = rng.uniform(0.0, 0.5, 15)
    first = slice(n_before)
    other_targets = rng.normal(size=n_before)
    before = condition(x[first], other_targets, COLUMNS, h, noise=noise[first])
    after = before.observe(x[n_before:], y, noise)
    together = condition(x, y, COLUMNS, h, noise=noise)
    np.testing.assert_allclose(after.predict(new), together.predict(new), rtol=1e-9)
    np.testing.assert_allclose(after.means, together.means, rtol=1e-9, atol=1e-12)


def test_posterior_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    x, y, new = rng.random((30, 3)), rng.normal(size=30), rng.random((20, 3))
    noise, lengths, scale = rng.uniform(0.01, 0.3, 30), np.array([0.2, 0.7, 1.9]), 1.7
    theirs = GaussianProcessRegressor(
        ConstantKernel(scale) * Matern(lengths, nu=2.5), alpha=noise, optimizer=None
    ).fit(x, y)
    h = Hyperparameters(lengths**-2, scale, noise=0.0)
    ours = condition(x, y, Columns(np.zeros(3, dtype=bool)), [h], noise=noise, mean=0.0)
    for actual, expected in zip(
        ours.predict(new), theirs.predict(new, return_std=True), strict=True
    ):
        np.testing.assert_allclose(actual[0], expected, rtol=1e-8, atol=1e-8)


def test_slopes_of_the_prediction() -> None:
    rng = np.random.default_rng(6)
    x, y, new = mixed_rows(rng, 20), rng.normal(size=20), mixed_rows(rng, 8)
    h = [some_hyperparameters(rng, 4) for _ in range(2)]
    posterior = condition(x, y, COLUMNS, h)
    *predicted, d_mean, d_sd = posterior.predict_with_slopes(new)
    np.testing.assert_allclose(predicted, posterior.predict(new), rtol=1e-12)
    for which, slopes in ((0, d_mean), (1, d_sd)):
        for j in (0, 2, 3):
            up, down = new.copy(), new.copy()
            up[:, j] += 1e-6
            down[:, j] -= 1e-6
            change = posterior.predict(up)[which] - posterior.predict(down)[which]
            expected = np.where(np.isnan(new[:, j]), 0.0, change / 2e-6)
            np.testing.assert_allclose(slopes[:, :, j], expected, rtol=1e-6, atol=1e-7)
        assert np.all(slopes[:, :, 1] == 0.0)


def test_the_first_of_several_models() -> None:
    rng = np.random.default_rng(5)
    x, y, new = mixed_rows(rng, 10), rng.normal(size=10), mixed_rows(rng, 4)
    h = [some_hyperparameters(rng, 4) for _ in range(3)]
    two = condition(x, y, COLUMNS, h).first(2).believe(new[:1])
    expected = condition(x, y, COLUMNS, h[:2]).believe(new[:1])
    np.testing.assert_allclose(two.predict(new), expected.predict(new), rtol=1e-12)


def test_belief_is_observing_what_is_predicted() -> None:
    rng = np.random.default_rng(7)
    x, y, h = mixed_rows(rng, 12), rng.normal(size=12), [some_hyperparameters(rng, 4)]
    new, more = mixed_rows(rng, 3), mixed_rows(rng, 6)
    before = condition(x, y, COLUMNS, h, mean=0.1)
    longer_x, longer_y = np.vstack([x, new]), np.append(y, before.predict(new)[0][0])
    after = condition(longer_x, longer_y, COLUMNS, h, mean=0.1)
    believed = before.believe(new)
    np.testing.assert_allclose(believed.predict(more), after.predict(more), rtol=1e-9)
    np.testing.assert_allclose(believed.predict(more)[0], before.predict(more)[0], rtol=1e-12)
    one_by_one = before.believe(new[:1]).believe(new[1:])
    np.testing.assert_allclose(one_by_one.predict(more), believed.predict(more), rtol=1e-9)
    assert before.believe(new[:0]) is before


def test_noise_of_an_observation_takes_its_weight_away() -> None:
    x, y = np.array([[0.2], [0.5], [0.8]]), np.array([0.0, 3.0, 0.0])
    h = Hyperparameters(np.array([4.0]), noise=1e-4)

    def at_the_middle(variance: float) -> Posterior:
        noise = np.array([0.0, variance, 0.0])
        return condition(x, y, Columns(np.array([False])), [h], noise=noise, mean=0.0)

    means = [at_the_middle(v).predict(x[1:2])[0][0, 0] for v in (0.0, 0.1, 1.0, 100.0)]
    assert means == sorted(means, reverse=True)
    assert means[0] == pytest.approx(3.0, abs=0.02)
    assert means[-1] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_duplicates_and_constants_do_not_fail(noise: float) -> None:
    x = np.repeat(np.array([[0.3, 0.0, 0.1, np.nan]]), 30, axis=0)
    h = Hyperparameters(np.ones(4), noise=noise)
    mean, sd = condition(x, np.ones(30), COLUMNS, [h]).predict(x[:1])
    assert mean[0, 0] == pytest.approx(1.0)
    assert sd[0, 0] < 1e-3


def test_one_observation() -> None:
    h = Hyperparameters(np.ones(2))
    columns = Columns(np.array([False, True]))
    posterior = condition(np.array([[0.5, 1.0]]), np.array([0.7]), columns, [h])
    [mean], [sd] = posterior.predict(np.array([[0.5, 1.0], [0.0, 0.0]]))
    assert mean == pytest.approx([0.7, 0.7])
    assert sd[0] < sd[1]


def test_a_matrix_that_no_jitter_saves_is_an_error() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        condition(
            np.array([[0.1], [0.9]]),
            np.zeros(2),
            Columns(np.array([False])),
            [Hyperparameters(np.ones(1))],
            noise=np.array([-5.0, 0.0]),
        )
