import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sk_hpo.space.condition import When, when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.refine import Between, IntegersBetween, check_arguments, narrowed
from sk_hpo.space.space import Space

DISTRIBUTIONS = [
    stats.uniform(-2, 5),
    stats.loguniform(1e-5, 1e2),
    stats.norm(3, 2),
    stats.loguniform(1e-3, 1.0, loc=2.0),  # not log-uniform any more
    stats.beta(2, 5),
    stats.randint(-5, 200),
    lograndint(3, 5000),
    stats.poisson(50),
    stats.rv_discrete(values=([1, 10, 100, 1000], [0.4, 0.3, 0.2, 0.1]))(),
    stats.Normal(mu=1.0, sigma=2.0),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=range(len(DISTRIBUTIONS)))
@settings(max_examples=25)
@given(u=st.floats(0, 1), shrink=st.floats(0.01, 0.99), rounds=st.integers(1, 3))
def test_new_interval_is_old_one_given_that_it_is_around_best(distribution, u, shrink, rounds):
    old = distribution
    for _ in range(rounds):
        space = Space({"x": old})
        best = space.params(space.from_cube(np.array([u])))
        new = narrowed({"x": old}, best, shrink, None)["x"]
        if isinstance(new, list):
            assert new == [best["x"]]
            return
        low, high = (float(x) for x in new.support())
        assert low <= best["x"] <= high
        assert Space({"x": new}).config(best)  # a later search can start from it
        cdf, discrete = old.cdf, space.dimensions[0].kind == "integer"
        below = cdf(low - 1 if discrete else low)
        mass = cdf(high) - below
        if not discrete:  # cut off where the old one ends
            here = cdf(best["x"])
            wanted = min(here + shrink / 2, 1) - max(here - shrink / 2, 0)
            assert mass == pytest.approx(wanted, abs=1e-7)
        for x in np.linspace(max(low, -50), min(high, 1e4), 7):
            x = math.floor(x) if discrete else x
            assert new.cdf(x) == pytest.approx((cdf(x) - below) / mass, abs=1e-7)
        old = new


@pytest.mark.parametrize(
    ("old", "repr_of_new"),
    [
        (stats.loguniform(1e-4, 1e4), "loguniform(0.1, 10.0)"),
        (stats.uniform(0, 8), "uniform(3.0, 2.0)"),
        (stats.randint(0, 8), "randint(0, 3)"),
        (lograndint(1, 256), "lograndint(1, 3)"),
        (stats.norm(1, 2), "Between(norm(1, 2), 0.36"),
    ],
)
def test_distributions_stay_what_they_are(old, repr_of_new):
    best = {"x": 1 if hasattr(old.dist, "pmf") and not hasattr(old.dist, "pdf") else 1.0}
    if repr_of_new.startswith("uniform"):
        best = {"x": 4.0}
    new = narrowed({"x": old}, best, 0.25, None)["x"]
    text = repr(new) if isinstance(new, Between) else f"{new.dist.name}{_rounded(new.args)}"
    assert text.replace("reciprocal", "loguniform").startswith(repr_of_new)


def _rounded(args):
    return tuple(a if isinstance(a, int) else round(float(a), 9) for a in args)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=range(len(DISTRIBUTIONS)))
@settings(max_examples=25)
@given(u=st.floats(0, 1), shrink=st.floats(0.05, 0.99), k=st.integers(2, 6))
def test_grid_is_even_within_interval_and_holds_best(distribution, u, shrink, k):
    space = Space({"x": distribution})
    best = space.params(space.from_cube(np.array([u])))
    grid = narrowed({"x": distribution}, best, shrink, k)["x"]
    assert best["x"] in grid
    assert sorted(set(grid)) == grid
    assert len(grid) <= k or all(isinstance(x, int) for x in grid)
    assert Space({"x": grid}).size == len(grid)
    if space.dimensions[0].kind == "real":
        assert len(grid) == k
        q = distribution.cdf(np.array(grid))
        assert np.ptp(np.diff(q)) < 1e-6
        assert np.abs(q - distribution.cdf(best["x"])).max() <= shrink / 2 + 1e-9


def test_grid_has_both_ends_where_best_is_in_the_middle():
    space = {"x": stats.uniform(0, 10), "n": stats.randint(0, 101)}
    new = narrowed(space, {"x": 5.0, "n": 50}, 0.4, 5)
    assert new["x"] == pytest.approx([3, 4, 5, 6, 7])
    assert new["n"] == [30, 40, 50, 60, 70]
    assert narrowed(space, {"x": 0.5, "n": 1}, 0.2, 3)["x"] == pytest.approx(
        [0, 0.5, 1], abs=1e-7
    )


def test_ordered_lists_keep_neighbours_and_others_the_best():
    space = {
        "short": [0.1, 1, 10],
        "long": [2**i for i in range(11)],
        "falling": np.array([5, 4, 3, 2, 1]),
        "text": ["a", "b", "c"],
        "mixed": [None, 1, 2],
        "small": stats.randint(0, 3),
    }
    best = {"short": 1, "long": 1024, "falling": 4, "text": "b", "mixed": None, "small": 0}
    assert narrowed(space, best, 0.5, None) | {"small": None} == {
        "short": [0.1, 1, 10],
        "long": [256, 512, 1024],
        "falling": [5, 4, 3],
        "text": ["b"],
        "mixed": [None],
        "small": None,
    }
    small = narrowed(space, best, 0.1, None)["small"]
    assert small.support() == (0, 1)  # the next one, however narrow
    assert narrowed(space, best, 0.1, 9)["small"] == [0, 1]


CONDITIONAL = {
    "kernel": ["rbf", "poly", "linear"],
    "degree": when(stats.randint(2, 6), kernel="poly"),
    "gamma": when(stats.loguniform(1e-4, 1e1), kernel=["rbf", "poly"]),
    "n_layers": stats.randint(1, 4),
    "units_2": when(stats.uniform(0, 1), n_layers=[2, 3]),
    "units_3": when(stats.uniform(0, 1), n_layers=3),
    "deeper": when([1, 2, 3], units=[True]),
    "units": when([False, True], n_layers=3),
}


def test_conditions_hold_no_longer_always_or_still():
    best = {"kernel": "rbf", "gamma": 0.1, "n_layers": 2, "units_2": 0.5}
    new = narrowed(CONDITIONAL, best, 0.3, None)
    assert list(new) == ["kernel", "gamma", "n_layers", "units_2", "units_3", "deeper", "units"]
    assert "degree" not in new  # the kernel is rbf
    assert not isinstance(new["gamma"], When)  # which has a gamma
    assert new["units_2"].conditions == (("n_layers", (2, 3)),)
    assert new["units_3"].conditions == (("n_layers", (3,)),)
    assert new["units_3"].distribution is CONDITIONAL["units_3"].distribution  # no best value
    assert new["deeper"].distribution == [1, 2, 3]
    assert new["deeper"].conditions == (("units", (True,)),)
    space = Space(new)
    assert space.params(space.config(best)) == best

    one_layer = {"kernel": "linear", "n_layers": 1}
    new = narrowed(CONDITIONAL, one_layer, 0.3, 3)
    assert list(new) == ["kernel", "n_layers", "units_2"]  # one or two layers
    assert new["units_2"].distribution == pytest.approx([1 / 6, 1 / 2, 5 / 6])

    two_or_three = {"n": [2, 3, 4], "x": when([7, 8], n=[2, 3])}
    assert narrowed(two_or_three, {"n": 2, "x": 7}, 0.1, None) == {"n": [2, 3], "x": [7, 8]}


def test_between_draws_from_its_distribution():
    between = Between(stats.gamma(2), 1.0, 3.0)
    drawn = between.rvs(size=2000, random_state=0)
    assert drawn.min() >= 1.0
    assert drawn.max() <= 3.0
    assert stats.kstest(drawn, between.cdf).pvalue > 0.01
    few = IntegersBetween(stats.poisson(3), 1, 4)
    drawn = few.rvs(size=2000, random_state=np.random.RandomState(0))
    expected = 2000 * few.pmf(np.arange(1, 5))
    assert stats.chisquare(np.bincount(drawn)[1:], expected).pvalue > 0.01
    assert isinstance(few.rvs(random_state=0), int)


@pytest.mark.parametrize("shrink", [0, 1, -0.1, 30, True, "0.3"])
def test_wrong_shrink(shrink):
    with pytest.raises(ValueError, match="shrink must be a fraction between 0 and 1"):
        check_arguments(shrink, None)


@pytest.mark.parametrize("grid", [1, 0, 2.5, True, "5"])
def test_wrong_grid(grid):
    with pytest.raises(ValueError, match="grid must be None or a number of values"):
        check_arguments(0.3, grid)
