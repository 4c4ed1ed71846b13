import numpy as np
import pytest
from space.adapters import fakes
from space.adapters.compared import N, assert_alike, drawn, furthest

from sk_hpo.space.adapters.skopt import from_skopt
from sk_hpo.space.distribution import describe


@pytest.fixture(params=fakes.and_real(fakes.skopt, "skopt.space"))
def skopt(request):
    return request.param


def described(space):
    return {n: v if isinstance(v, list) else describe(v) for n, v in space.items()}


def test_dimensions_by_name(skopt):
    given = {
        "alpha": skopt.Real(0.5, 2.0),
        "C": skopt.Real(1e-6, 1e6, prior="log-uniform"),
        "degree": skopt.Integer(1, 8),
        "n": skopt.Integer(1, 1000, "log-uniform"),
        "kernel": skopt.Categorical(["linear", "poly", None]),
        "even": skopt.Categorical(["a", "b"], prior=[0.5, 0.5]),
    }
    expected = {
        "alpha": "uniform(0.5, 1.5)",
        "C": "loguniform(1e-06, 1000000.0)",
        "degree": "randint(1, 9)",
        "n": "lograndint(1, 1001)",
        "kernel": ["linear", "poly", None],
        "even": ["a", "b"],
    }
    assert described(from_skopt(given)) == expected
    for name, dimension in given.items():
        dimension.name = name
    assert described(from_skopt(list(given.values()))) == expected
    listed = from_skopt([{"C": given["C"]}, {"n": given["n"]}], names={"n": "svc__n"})
    assert [list(one) for one in listed] == [["C"], ["svc__n"]]
    with pytest.raises(ValueError, match="names has 'm', which is not in the space"):
        from_skopt([{"C": given["C"]}, {"n": given["n"]}], names={"m": "svc__n"})
    given["alpha"].name = None
    with pytest.raises(ValueError, match=r"Dimension 0, Real.* has no name"):
        from_skopt(list(given.values()))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((1, 8), "randint(1, 9)"),
        ([1, 8], "randint(1, 9)"),  # scikit-optimize sees a range
        ((1, 8.0), "uniform(1.0, 7.0)"),
        ((1e-3, 1.0, "log-uniform"), "loguniform(0.001, 1.0)"),
        ((1, 64, "log-uniform", 2), "lograndint(1, 65)"),
        ((1, 64, "uniform"), "randint(1, 65)"),
        ([1, 2, 4], [1, 2, 4]),
        ([1, 2, 4, 8], [1, 2, 4, 8]),
        ([True, False], [True, False]),
        (["uniform", "log-uniform"], ["uniform", "log-uniform"]),
        (["rbf"], ["rbf"]),
        (np.array([0.1, 0.2, 0.5]), [0.1, 0.2, 0.5]),
    ],
)
def test_tuples_and_lists_are_what_scikit_optimize_takes_them_for(given, expected):
    assert described(from_skopt({"x": given})) == {"x": expected}


@pytest.mark.filterwarnings("ignore:Dimension .* was inferred to")
def test_same_distributions_as_the_library():
    skopt = fakes.real("skopt.space")
    given = {
        "real": (0.5, 2.0),
        "log": (1e-6, 1e3, "log-uniform"),
        "integer": [1, 8],
        "few": skopt.Categorical(["a", "b", "c"]),
        "listed": [1, 2, 4],
    }
    space = from_skopt(given)
    for name, value in given.items():
        theirs = skopt.check_dimension(value).rvs(N, random_state=0)
        assert_alike(np.asarray(theirs).tolist(), drawn(space, name))
    # Rounded there, cut off here: only the first integers differ.
    for low, bound in ((1, 0.13), (10, 0.025)):
        log = skopt.Integer(low, 1000, "log-uniform")
        theirs = log.rvs(N, random_state=0)
        assert 0.01 < furthest(theirs, from_skopt({"n": log})["n"]) < bound


def test_what_cannot_be_said(skopt):
    uneven = skopt.Categorical(["a", "b"], prior=[0.8, 0.2])
    with pytest.raises(ValueError, match=r"Parameter 'x' has probabilities \[0.8, 0.2\]"):
        from_skopt({"x": uneven})
    with pytest.raises(ValueError, match="comes with its number of iterations"):
        from_skopt([({"x": (0.0, 1.0)}, 20)])
    with pytest.raises(ValueError, match="has a constraint on a list"):
        from_skopt(skopt.Space([skopt.Real(0.0, 1.0, name="x")], constraint=print))
    with pytest.raises(TypeError, match="'x': 3 is no dimension of scikit-optimize"):
        from_skopt({"x": 3})
    with pytest.raises(TypeError, match="takes a dict or a list of dimensions"):
        from_skopt("alpha")
    with pytest.raises(ValueError, match="names has 'c', which is not in the space"):
        from_skopt({"C": (0.0, 1.0)}, names={"c": "svc__C"})
    with pytest.raises(ValueError, match="would be called 'a'"):
        from_skopt({"a": [1], "b": [2]}, names={"b": "a"})
    unnamed = from_skopt(skopt.Space([skopt.Real(0.0, 1.0, name="x")]))
    assert list(unnamed) == ["x"]
