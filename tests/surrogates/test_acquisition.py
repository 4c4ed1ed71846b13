from __future__ import annotations

import mpmath
import numpy as np
import pytest

from sk_hpo.surrogates.acquisition import log_ei, ucb

Z = [
    *(-1e8, -1e5, -1234.5, -200.0, -50.001, -50.0, -49.999, -38.6, -20.0, -5.0),
    *(-1.0001, -1.0, -0.9999, 0.0, 0.7, 5.0, 39.0, 41.0, 1e6),
]


def exact(z: float) -> tuple[float, float, float]:
    """log h, Phi / h, phi / h at 400 digits."""
    with mpmath.workdps(400):
        z = mpmath.mpf(z)
        pdf = mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)
        # mpmath's erfc is slow in the far tail, and there the fraction converges fast.
        mills = _mills(-z) if z < -200 else mpmath.erfc(-z / mpmath.sqrt(2)) / 2 / pdf
        h = 1 + z * mills
        return (
            float(mpmath.log(h) - z * z / 2 - mpmath.log(2 * mpmath.pi) / 2),
            float(mills / h),
            float(1 / h),
        )


def _mills(t: mpmath.mpf) -> mpmath.mpf:
    """(1 - Phi(t)) / phi(t) = 1/(t + 1/(t + 2/(t + 3/(t + ...)))), Laplace."""
    tail = t
    for k in range(400, 0, -1):
        tail = t + k / tail
    return 1 / tail


@pytest.mark.parametrize("z", Z)
def test_log_ei_against_high_precision(z: float) -> None:
    mean, sd, best = z * 0.25 + 3.0, 0.25, 3.0
    z_seen = (mean - best) / sd
    value, d_mean, d_sd = log_ei(np.array([mean]), np.array([sd]), best)
    log_h, cdf, pdf = exact(z_seen)
    assert value[0] == pytest.approx(log_h + np.log(sd), rel=1e-11, abs=1e-11)
    assert d_mean[0] == pytest.approx(cdf / sd, rel=1e-10)
    assert d_sd[0] == pytest.approx(pdf / sd, rel=1e-10, abs=1e-300)


def test_log_ei_is_the_expected_improvement() -> None:
    mean, sd, best = 0.3, 0.8, 1.1
    with mpmath.workdps(30):
        improvement = mpmath.quad(
            lambda f: (f - best) * mpmath.npdf(f, mean, sd), [best, best + 2, best + 20]
        )
    value = log_ei(np.array([mean]), np.array([sd]), best)[0]
    assert value[0] == pytest.approx(float(mpmath.log(improvement)), rel=1e-12)


@pytest.mark.parametrize("acquisition", [log_ei, ucb])
def test_slopes_against_finite_differences(acquisition) -> None:
    mean = np.array([-30.0, -10.0, -0.9, -0.5, 0.0, 1.0, 4.0])
    sd = np.array([0.5, 1.0, 0.3, 0.7, 1.1, 0.2, 2.0])
    _, d_mean, d_sd = acquisition(mean, sd, 0.4)
    e = 1e-6
    up = [acquisition(mean + e, sd, 0.4)[0], acquisition(mean, sd + e, 0.4)[0]]
    down = [acquisition(mean - e, sd, 0.4)[0], acquisition(mean, sd - e, 0.4)[0]]
    np.testing.assert_allclose(d_mean, (up[0] - down[0]) / (2 * e), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(d_sd, (up[1] - down[1]) / (2 * e), rtol=1e-6, atol=1e-6)


def test_extremes_are_finite_and_ordered() -> None:
    mean = np.array([-1e300, -1e150, -1e10, -1.0, 0.0, 1.0, 1e10, 1e300])
    value, d_mean, d_sd = log_ei(mean, np.full(8, 1e-7), 0.0)
    assert np.all(np.diff(value) >= 0)
    for array in (value, d_mean, d_sd):
        assert np.all(np.isfinite(array))


def test_ucb_weighs_the_deviation() -> None:
    value = ucb(np.array([1.0, 0.0]), np.array([0.1, 1.0]), beta=2.0)[0]
    np.testing.assert_allclose(value, [1.2, 2.0])
