from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from sk_hpo import Space
from sk_hpo.torch import one_minus_loguniform


@given(low=st.floats(-1, 0.9), share=st.floats(0.01, 0.999), q=st.floats(0, 1))
def test_one_minus_it_is_log_uniform(low, share, q):
    high = low + share * (1 - low)
    x = float(one_minus_loguniform(low, high).ppf(q))
    # The logarithm of 1 - x goes evenly from one end to the other.
    expected = (1 - q) * np.log(1 - low) + q * np.log(1 - high)
    assert np.log(1 - x) == pytest.approx(expected, abs=1e-9)
    assert low <= x <= high
    assert float(one_minus_loguniform(low, high).cdf(x)) == pytest.approx(q, abs=1e-6)


def test_the_density_is_that_of_the_cdf():
    momentum = one_minus_loguniform(0.5, 0.99)
    area, _ = integrate.quad(momentum.pdf, 0.5, 0.9)
    assert area == pytest.approx(float(momentum.cdf(0.9)))
    assert momentum.pdf(0.995) == momentum.pdf(0.4) == 0


def test_draws():
    momentum = pickle.loads(pickle.dumps(one_minus_loguniform(0.0, 0.99)))
    drawn = momentum.rvs(4000, random_state=0)
    assert np.mean(drawn < 0.9) == pytest.approx(0.5, abs=0.03)
    assert drawn.min() >= 0
    assert drawn.max() <= 0.99


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.9, 0.5), (0.5, 1.0)])
def test_impossible_ranges(low, high):
    with pytest.raises(ValueError, match="momentum"):
        Space({"momentum": one_minus_loguniform(low, high)})


def test_a_space_takes_it():
    space = Space({"momentum": one_minus_loguniform(0.0, 0.99)})
    assert space.params(space.from_cube(np.array([0.5])))["momentum"] == pytest.approx(0.9)
