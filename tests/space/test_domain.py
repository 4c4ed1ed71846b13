from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sk_hpo.space.distribution import lograndint
from sk_hpo.space.domain import make_domain

REAL = [
    stats.uniform(0, 1),
    stats.uniform(-3, 1e-9),
    stats.uniform(1e12, 1),
    stats.loguniform(1e-10, 1e2),
    stats.loguniform(1e-300, 1e300),
    stats.loguniform(1, 10, loc=3),
    stats.reciprocal(0.5, 0.6),
    stats.norm(),
    stats.norm(1e8, 1e-6),
    stats.lognorm(9.0),
    stats.expon(scale=10),
    stats.gamma(0.01),
    stats.beta(0.01, 0.01),
    stats.beta(2, 5),
    stats.t(3),
    stats.cauchy(),
    stats.levy(),
    stats.truncnorm(-1, 4),
    stats.powerlaw(0.2),
    stats.triang(0.4),
    stats.laplace(1, 2),
    stats.weibull_min(0.5),
    stats.pareto(0.3),
    stats.gumbel_r(),
    stats.arcsine(),
    stats.halfcauchy(),
    stats.rv_histogram(np.histogram([1.0, 2, 2, 3, 7], bins=4)),
    stats.norm,
]

# scipy's own quantiles are wrong.
INEXACT = [stats.t(0.01)]

INTEGER = [
    stats.randint(0, 2),
    stats.randint(-5, 300),
    stats.randint(0, 2**60),
    stats.randint(2, 5, loc=10),
    lograndint(1, 2),
    lograndint(1, 513),
    lograndint(1, 10**9),
    lograndint(3, 2**60),
    lograndint(3, 20, loc=5),
    stats.poisson(0.1),
    stats.poisson(30),
    stats.poisson(1e9),
    stats.geom(0.3),
    stats.geom(1e-12),
    stats.binom(20, 0.3),
    stats.binom(10**5, 0.3),
    stats.bernoulli(0.3),
    stats.bernoulli(1.0),
    stats.nbinom(5, 0.3),
    stats.hypergeom(20, 7, 12),
    stats.betabinom(9, 0.5, 0.5),
    stats.zipf(1.1),
    stats.zipf(4.0),
    stats.logser(0.6),
    stats.dlaplace(0.8),
    stats.skellam(10, 3),
    stats.yulesimon(0.1),
    stats.rv_discrete(values=([1, 5, 10**7], [0.2, 0.3, 0.5])),
    stats.rv_discrete(values=([3, 1], [0.2, 0.8]))(loc=4),
]


def named(distributions):
    return [pytest.param(d, id=_name(d)) for d in distributions]


def _name(d):
    return f"{getattr(getattr(d, 'dist', d), 'name', '')}{getattr(d, 'args', '')}"


@pytest.mark.parametrize("distribution", named(REAL + INEXACT + INTEGER))
def test_round_trip_is_the_identity(distribution):
    domain = make_domain(distribution)

    @given(st.floats(0, 1) | st.floats(0, 1e-8) | st.floats(1 - 1e-8, 1))
    @example(0.0)
    @example(0.5)
    @example(1.0)
    def check(u):
        code = domain.from_unit(u)
        assert type(code) is (float if domain.kind == "real" else int)
        assert math.isfinite(code)
        position = domain.to_unit(code)
        assert 0 <= position <= 1
        assert domain.from_unit(position) == code
        assert domain.value(code) == code
        assert domain.code(code) == code

    check()


@pytest.mark.parametrize("distribution", named(REAL))
def test_real_quantiles_are_scipys(distribution):
    domain = make_domain(distribution)
    assert domain.kind == "real"
    assert domain.n_levels == math.inf
    for u in (0.01, 0.25, 0.5, 0.75, 0.99):
        code = domain.from_unit(u)
        low, high = (distribution.ppf(u + step) for step in (-1e-6, 1e-6))
        assert np.nextafter(low, -math.inf) <= code <= np.nextafter(high, math.inf)
        assert domain.to_unit(code) == pytest.approx(distribution.cdf(code), abs=1e-6)


@pytest.mark.parametrize("distribution", named(REAL))
def test_ends_of_the_support_are_not_returned(distribution):
    domain = make_domain(distribution)
    low, high = distribution.support()
    first, last = domain.from_unit(0.0), domain.from_unit(1.0)
    # Floats cannot tell a tail that is too thin from the end.
    assert low < first or distribution.cdf(np.nextafter(low, math.inf)) > 2**-31
    assert last < high or distribution.cdf(np.nextafter(high, -math.inf)) < 1 - 2**-31


@pytest.mark.parametrize("distribution", named(INTEGER))
def test_integer_levels_are_scipys(distribution):
    domain = make_domain(distribution)
    assert domain.kind == "integer"
    assert isinstance(domain.n_levels, int)
    if domain.n_levels > 10**4:
        return
    levels = list(domain.levels())
    assert domain.n_levels == len(levels) == len(set(levels))
    pmf = distribution.pmf(levels)
    assert (pmf > 0).all()
    # zipf(1.1) alone has a tail that is cut where it matters, and has too many levels.
    assert pmf.sum() == pytest.approx(1, abs=1e-8)
    before = np.cumsum(pmf) - pmf
    for code, start, p in zip(levels, before, pmf, strict=True):
        assert code in domain
        # Every level is reached, from all of its own cell.
        assert domain.from_unit(domain.to_unit(code)) == code
        if p > 1e-6:  # cutting the tails moves the others by 1e-9
            assert domain.from_unit(start + 0.01 * p) == code
            assert domain.from_unit(start + 0.99 * p) == code
    assert min(levels) - 1 not in domain
    assert max(levels) + 1 not in domain


def test_a_million_levels_are_all_reached():
    for distribution in (stats.randint(0, 2**20), lograndint(1, 2**20 + 1)):
        domain = make_domain(distribution)
        rng = np.random.default_rng(0)
        first, last = domain.levels()[0], domain.levels()[-1]
        for code in [first, last, *rng.integers(first, last, 2000).tolist()]:
            assert domain.from_unit(domain.to_unit(code)) == code


def test_levels_of_known_distributions():
    def levels(distribution):
        return list(make_domain(distribution).levels())

    assert levels(stats.randint(2, 5, loc=10)) == [12, 13, 14]
    assert levels(stats.bernoulli(1.0)) == [1]
    assert levels(stats.rv_discrete(values=([1, 5, 10**7], [0.2, 0.3, 0.5]))) == [1, 5, 10**7]
    assert levels(stats.rv_discrete(values=([3, 1], [0.2, 0.8]))(loc=4)) == [5, 7]
    assert levels(stats.binom(40, 0.5))[0] == 3  # P(X <= 2) = 7e-10


@pytest.mark.parametrize("distribution", named([REAL[3], REAL[7], INTEGER[5], INTEGER[10]]))
def test_uniform_positions_give_the_distribution(distribution):
    domain = make_domain(distribution)
    u = stats.qmc.Sobol(1, rng=0).random(1024).ravel()
    codes = [domain.from_unit(x) for x in u]
    for q in (0.1, 0.5, 0.9):
        x = distribution.ppf(q)
        assert np.mean(np.array(codes) <= x) == pytest.approx(distribution.cdf(x), abs=0.01)


def test_tails_that_scipy_cannot_compute_are_left_out():
    # norminvgauss.ppf raises above 0.999999.
    domain = make_domain(stats.norminvgauss(1.25, 0.5))
    for u in (0.0, 0.5, 1.0):
        code = domain.from_unit(u)
        assert domain.from_unit(domain.to_unit(code)) == code
        assert stats.norminvgauss(1.25, 0.5).cdf(code) == pytest.approx(u, abs=2e-3)


def test_loguniform_is_log_scaled():
    domain = make_domain(stats.loguniform(1e-4, 1))
    assert domain.to_unit(1e-2) == pytest.approx(0.5)
    assert domain.from_unit(0.25) == pytest.approx(1e-3)


@pytest.mark.skipif(not hasattr(stats, "Normal"), reason="scipy before 1.15")
def test_newer_scipy_distributions():
    normal = make_domain(stats.Normal(mu=1.0, sigma=2.0))
    assert normal.kind == "real"
    assert normal.from_unit(0.5) == pytest.approx(1.0)
    assert normal.from_unit(normal.to_unit(normal.from_unit(0.3))) == normal.from_unit(0.3)


@pytest.mark.skipif(not hasattr(stats, "Binomial"), reason="scipy before 1.16")
def test_newer_scipy_integers():
    binomial = make_domain(stats.Binomial(n=5, p=0.3))
    assert binomial.kind == "integer"
    assert list(binomial.levels()) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="7 cannot come from Binomial"):
        binomial.code(7)


@pytest.mark.parametrize(
    "distribution",
    [
        stats.uniform(0, 0),
        stats.uniform(1, -1),
        stats.loguniform(0.1, 1e-5),
        stats.loguniform(0, 1),
        stats.randint(5, 5),
        stats.randint(7, 5),
        lograndint(0, 5),
        stats.norm(math.nan, 1),
        stats.truncnorm(2, 1),
    ],
)
def test_wrong_arguments(distribution):
    with pytest.raises(ValueError, match="is low >= high, or an argument NaN"):
        make_domain(distribution)


def test_distribution_without_arguments():
    with pytest.raises(ValueError, match="needs its arguments"):
        make_domain(stats.randint)


def test_distribution_of_arrays():
    with pytest.raises(ValueError, match="one number each"):
        make_domain(stats.norm([0, 1], 1))


@pytest.mark.parametrize(
    "distribution",
    [stats.randint(0, 5, loc=0.5), stats.rv_discrete(values=([0.1, 0.5], [0.5, 0.5]))],
)
def test_discrete_but_not_integers(distribution):
    with pytest.raises(ValueError, match="not integers; pass a list"):
        make_domain(distribution)


def test_distribution_that_cannot_be_inverted():
    class OnlyRvs:
        def rvs(self, random_state=None):
            return 1.0

    with pytest.raises(ValueError, match="has no cdf and no ppf"):
        make_domain(OnlyRvs())


def test_distribution_whose_quantiles_fail():
    class Broken:
        def cdf(self, x):
            return 0.5

        def ppf(self, q):
            return 0.0 if q == 0.5 else math.inf

        def support(self):
            return -math.inf, math.inf

    with pytest.raises(ValueError, match=r"quantiles of .* cannot be computed"):
        make_domain(Broken())


class Quantised:
    """A distribution whose cdf and ppf disagree by more than a cell."""

    def cdf(self, x):
        return min(1.0, max(0.0, x + 3e-9 * math.cos(1e9 * x)))

    def ppf(self, q):
        return q

    def support(self):
        return 0.0, 1.0


@given(st.floats(0, 1))
def test_round_trip_of_an_inexact_distribution(u):
    domain = make_domain(Quantised())
    code = domain.from_unit(u)
    assert domain.from_unit(domain.to_unit(code)) == code
    assert code == pytest.approx(u, abs=1e-6)


def test_numbers_given_by_hand():
    real = make_domain(stats.loguniform(1e-3, 1))
    assert real.code(0.01) == 0.01
    assert real.code(1) == 1.0
    assert type(real.code(np.float32(0.5))) is float
    for wrong in (2.0, 0.0, math.nan, True, "0.1", None):
        with pytest.raises(ValueError, match="not a number in"):
            real.code(wrong)
    integer = make_domain(stats.randint(1, 5))
    assert type(integer.code(np.int64(3))) is int
    for wrong in (0, 5):
        with pytest.raises(ValueError, match=r"cannot come from randint\(1, 5\)"):
            integer.code(wrong)
    for wrong in (1.0, True, "1"):
        with pytest.raises(ValueError, match="not an integer"):
            integer.code(wrong)
    # Far out in a tail, but possible.
    assert make_domain(stats.poisson(3)).code(60) == 60
    assert make_domain(stats.norm()).code(9.0) == 9.0
    for domain in (real, integer):
        with pytest.raises(ValueError, match="NaN"):
            domain.from_unit(math.nan)


OBJECTS = [
    None,
    True,
    1,
    1.0,
    "1",
    (1,),
    (1.0,),
    (True,),
    [1, 2],
    {"a": 1},
    {"a": 1.0},
    OrderedDict(a=1),
    dict,
    math.sqrt,
    np.sqrt,
    math.nan,
    lambda x: x,
    lambda x: x,  # another one
    partial(math.pow, 2),
    partial(math.pow, 3),
    np.array([1, 2]),
    np.array([1.0, 2.0]),
    np.array([math.nan]),
    (np.array([1, 2]), "x"),
    SVC(C=2),
    SVC(C=3),
    LogisticRegression(),
    stats.norm(0, 1).dist,
]


@pytest.mark.parametrize("position", range(len(OBJECTS)))
def test_any_object_is_a_choice(position):
    domain = make_domain(OBJECTS)
    assert domain.kind == "categorical"
    assert domain.n_levels == len(OBJECTS)
    assert domain.value(position) is OBJECTS[position]
    assert domain.code(OBJECTS[position]) == position
    assert domain.from_unit(domain.to_unit(position)) == position


@pytest.mark.parametrize(
    "position", [i for i, o in enumerate(OBJECTS) if getattr(o, "__name__", "") != "<lambda>"]
)
def test_equal_objects_are_found(position):
    assert make_domain(OBJECTS).code(deepcopy(OBJECTS[position])) == position
    assert make_domain(OBJECTS).code(pickle.loads(pickle.dumps(OBJECTS[position]))) == position


def test_clone_of_an_estimator_is_found():
    assert make_domain(OBJECTS).code(clone(OBJECTS[25])) == 25


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([1, 2], True),
        ([1, 2], 1.0),
        ([1.0, 2.0], 1),
        ([True, False], 1),
        (["a"], "b"),
        ([(1, 2)], (1, 2, 3)),
        ([SVC(C=1)], SVC(C=2)),
        ([SVC()], LogisticRegression()),
        ([lambda: 0], lambda: 0),
        ([math.sqrt], np.sqrt),
        ([np.array([1, 2])], np.array([1, 3])),
        ([np.array([1, 2])], np.array([1, 2, 3])),
    ],
)
def test_unequal_objects_are_not_found(values, wrong):
    with pytest.raises(ValueError, match="is not one of"):
        make_domain(values).code(wrong)


def test_objects_whose_comparison_fails():
    class Rude:
        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

    rude = Rude()
    domain = make_domain([Rude(), rude])
    assert domain.code(rude) == 1
    with pytest.raises(ValueError, match="is not one of"):
        domain.code(Rude())


def test_numpy_scalars_are_their_python_values():
    domain = make_domain(np.array([1, 2, 4]))
    assert domain.code(2) == domain.code(np.int32(2)) == 1
    assert make_domain([0.5, "auto"]).code(np.float64(0.5)) == 0


def test_duplicates_stay():
    domain = make_domain([1, 1, 2])
    assert list(domain.levels()) == [0, 1, 2]
    assert domain.kind == "categorical"
    assert [domain.from_unit(u) for u in (0.1, 0.5, 0.9)] == [0, 1, 2]
    assert domain.code(1) == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 4], "ordinal"),
        ((4.0, 2, 1e-3), "ordinal"),
        (np.array([0.1, 0.2]), "ordinal"),
        (range(3), "ordinal"),
        ([1, 3, 2], "categorical"),
        ([1, 1], "categorical"),
        ([1], "categorical"),
        ([False, True], "categorical"),
        ([0, True], "categorical"),
        ([1.0, math.nan], "categorical"),
        ([1, 2, None], "categorical"),
        (["1", "2"], "categorical"),
        ([(1,), (2,)], "categorical"),
    ],
)
def test_ordered_numbers_are_ordinal(values, kind):
    assert make_domain(values).kind == kind


def test_choices_share_the_unit_interval_equally():
    domain = make_domain(["a", "b", "c", "d"])
    assert [domain.to_unit(i) for i in range(4)] == [0.125, 0.375, 0.625, 0.875]
    assert [domain.from_unit(u) for u in (0, 0.24, 0.26, 0.74, 0.76, 1, 2, -1)] == [
        0, 0, 1, 2, 3, 3, 3, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("distribution", named([REAL[3], REAL[18], INTEGER[6], INTEGER[13]]))
def test_domains_pickle(distribution):
    domain = make_domain(distribution)
    copy = pickle.loads(pickle.dumps(domain))
    assert copy.from_unit(0.3) == domain.from_unit(0.3)
    assert copy.n_levels == domain.n_levels


def test_distribution_without_a_likely_integer():
    # The cdf is a sum here, and the first 2**20 terms have next to no mass.
    class FarOut(stats.rv_discrete):
        def _pmf(self, k):
            return np.where(k == 2**40, 1.0, 0.0)

        def _ppf(self, q):
            return np.full_like(q, 2.0**40)

        def _cdf_single(self, k):
            return float(k >= 2**40)

    with pytest.raises(ValueError, match="no integers of a sizeable probability"):
        make_domain(FarOut(name="far_out")())
