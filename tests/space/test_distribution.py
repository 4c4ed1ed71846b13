from __future__ import annotations

import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV

from sk_hpo.space.distribution import describe, is_discrete, lograndint

ranges = st.tuples(st.integers(1, 60), st.integers(1, 200)).map(lambda r: (r[0], r[0] + r[1]))


@given(ranges)
def test_lograndint_pmf_is_the_mass_of_a_log_uniform(bounds):
    low, high = bounds
    k = np.arange(low, high)
    real = stats.loguniform(low, high)
    np.testing.assert_allclose(lograndint(low, high).pmf(k), real.cdf(k + 1) - real.cdf(k))
    assert lograndint(low, high).pmf([low - 1, high]).tolist() == [0, 0]
    assert lograndint(low, high).pmf(k).sum() == pytest.approx(1)


@given(ranges)
def test_lograndint_cdf_and_ppf(bounds):
    low, high = bounds
    k = np.arange(low, high)
    d = lograndint(low, high)
    np.testing.assert_allclose(d.cdf(k), np.cumsum(d.pmf(k)))
    assert d.ppf(d.cdf(k)).tolist() == k.tolist()
    assert d.ppf(np.minimum(d.cdf(k) + 1e-9, 1)).tolist() == [*k[1:], high - 1]
    assert d.cdf([low - 1, low - 0.5, high - 1, high + 5]).tolist() == [0, 0, 1, 1]


def test_lograndint_is_a_scipy_distribution():
    d = lograndint(2, 2000)
    assert d.support() == (2, 1999)
    values = d.rvs(size=5000, random_state=0)
    assert values.dtype.kind == "i"
    assert values.min() >= 2
    assert values.max() <= 1999
    decades = np.histogram(values, [2, 20, 200, 2000])[0]
    assert stats.chisquare(decades).pvalue > 0.01
    assert d.mean() == pytest.approx(np.sum(np.arange(2, 2000) * d.pmf(np.arange(2, 2000))))
    assert np.isscalar(d.rvs(random_state=1))


@pytest.mark.parametrize("bounds", [(0, 5), (5, 5), (6, 5), (1.5, 5), (1, np.nan)])
def test_lograndint_of_wrong_bounds_is_nan_as_in_scipy(bounds):
    assert np.isnan(lograndint(*bounds).cdf(3))


@pytest.mark.parametrize("copy", [deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_lograndint_copies(copy):
    d = copy(lograndint(3, high=99))
    assert repr(d) == "lograndint(3, high=99)"
    assert d.pmf(7) == lograndint(3, 99).pmf(7)


def test_lograndint_in_scikit_learn():
    params = {"max_iter": lograndint(10, 1000)}
    search = clone(RandomizedSearchCV(SGDClassifier(), params, n_iter=3, cv=2))
    assert search.param_distributions["max_iter"].support() == (10, 999)
    drawn = [p["max_iter"] for p in ParameterSampler(params, n_iter=20, random_state=0)]
    assert all(10 <= n < 1000 for n in drawn)
    assert len(set(drawn)) > 10


def test_describe():
    assert describe(stats.loguniform(1e-5, 0.1)) == "loguniform(1e-05, 0.1)"
    assert describe(stats.norm(0, scale=2)) == "norm(0, scale=2)"
    assert describe([1, 2]) == "[1, 2]"


def test_is_discrete():
    assert is_discrete(stats.randint(0, 3))
    assert is_discrete(stats.rv_discrete(values=([1, 2], [0.5, 0.5])))
    assert not is_discrete(stats.uniform(0, 3))
    assert not is_discrete(stats.norm)
