import pickle

import numpy as np
import pytest
from space.adapters import fakes
from space.adapters.compared import N, assert_alike, drawn, furthest

from sk_hpo import Space
from sk_hpo.space.adapters.configspace import from_configspace
from sk_hpo.space.condition import When
from sk_hpo.space.distribution import describe


@pytest.fixture(params=fakes.and_real(fakes.configspace, "ConfigSpace"))
def cs(request):
    return request.param


def space_of(cs, *parts):
    space = cs.ConfigurationSpace()
    space.add(*parts)
    return space


def parameters(cs):
    return [
        cs.UniformFloatHyperparameter("alpha", 0.5, 2.0),
        cs.UniformFloatHyperparameter("lr", 1e-4, 1e-1, log=True),
        cs.UniformIntegerHyperparameter("depth", 1, 9),
        cs.UniformIntegerHyperparameter("batch", 8, 256, log=True),
        cs.NormalFloatHyperparameter("noise", 0.5, 0.3, 0.0, 2.0),
        cs.NormalIntegerHyperparameter("count", 5, 3, 1, 20),
        cs.BetaFloatHyperparameter("share", 3, 2, 1.0, 4.0),
        cs.BetaIntegerHyperparameter("layers", 2, 5, 1, 12),
        cs.CategoricalHyperparameter("kernel", ["rbf", "poly", "linear"]),
        cs.OrdinalHyperparameter("size", ["s", "m", "l"]),
        cs.Constant("epochs", 10),
    ]


def test_parameters(cs):
    space = from_configspace(space_of(cs, *parameters(cs)), names={"lr": "net__lr"})
    noise = space.pop("noise")
    assert describe(noise).startswith("truncnorm(")
    assert tuple(map(float, noise.support())) == pytest.approx((0, 2))
    assert {n: v if isinstance(v, list) else describe(v) for n, v in space.items()} == {
        "alpha": "uniform(0.5, 1.5)",
        "net__lr": "loguniform(0.0001, 0.1)",
        "depth": "randint(1, 10)",
        "batch": "lograndint(8, 257)",
        "count": "NormalInteger(1, 20)()",
        "share": "beta(3, 2, loc=1.0, scale=3.0)"
        if cs is fakes.configspace
        else "beta(3.0, 2.0, loc=1.0, scale=3.0)",
        "layers": "BetaInteger(1, 12)()",
        "kernel": ["rbf", "poly", "linear"],
        "size": ["s", "m", "l"],
        "epochs": [10],
    }


def test_same_distributions_as_the_library():
    cs = fakes.real("ConfigSpace")
    theirs = space_of(cs, *parameters(cs))
    theirs.seed(0)
    sampled = [dict(config) for config in theirs.sample_configuration(N)]
    space = from_configspace(theirs)
    for name in space:
        values = [np.asarray(params[name]).item() for params in sampled]
        if name == "batch":  # rounded there, cut off here
            assert furthest(values, space[name]) < 0.04
        else:
            assert_alike(values, drawn(space, name))


def conditional(cs):
    kernel = cs.CategoricalHyperparameter("kernel", ["rbf", "poly", "linear"])
    size = cs.OrdinalHyperparameter("size", ["s", "m", "l"])
    n = cs.UniformIntegerHyperparameter("n", 1, 4)
    child = {c: cs.UniformFloatHyperparameter(c, 0.0, 1.0) for c in "abcdefg"}
    return space_of(
        cs,
        kernel,
        size,
        n,
        *child.values(),
        cs.EqualsCondition(child["a"], kernel, "poly"),
        cs.InCondition(child["b"], kernel, ["rbf", "poly"]),
        cs.NotEqualsCondition(child["c"], n, 2),
        cs.LessThanCondition(child["d"], size, "l"),
        cs.AndConjunction(
            cs.GreaterThanCondition(child["e"], n, 2), cs.EqualsCondition(child["e"], size, "s")
        ),
        cs.OrConjunction(
            cs.GreaterThanCondition(child["f"], n, 3), cs.EqualsCondition(child["f"], n, 1)
        ),
        cs.AndConjunction(
            cs.GreaterThanCondition(child["g"], n, 1), cs.LessThanCondition(child["g"], n, 4)
        ),
    )


def test_conditions(cs):
    space = from_configspace(conditional(cs), names={"n": "net__n"})
    assert {n: v.conditions for n, v in space.items() if isinstance(v, When)} == {
        "a": (("kernel", ("poly",)),),
        "b": (("kernel", ("rbf", "poly")),),
        "c": (("net__n", (1, 3, 4)),),
        "d": (("size", ("s", "m")),),
        "e": (("net__n", (3, 4)), ("size", ("s",))),
        "f": (("net__n", (1, 4)),),
        "g": (("net__n", (2, 3)),),
    }


def test_same_parameters_exist_as_in_the_library():
    cs = fakes.real("ConfigSpace")
    theirs = conditional(cs)
    theirs.seed(0)
    ours = Space(from_configspace(theirs))
    for config in theirs.sample_configuration(200):
        params = {name: np.asarray(value).item() for name, value in config.items()}
        assert ours.params(ours.config(params)) == params


def forbidding(cs, default_m):
    """Return parameters, whose defaults must be allowed, and clauses by name."""
    kernel = cs.CategoricalHyperparameter("kernel", ["rbf", "poly", "linear"], "poly")
    size = cs.OrdinalHyperparameter("size", ["s", "m", "l"])
    m = cs.UniformIntegerHyperparameter("m", 0, 3, default_m)
    n = cs.UniformIntegerHyperparameter("n", 0, 3, 2)
    only = cs.UniformIntegerHyperparameter("only", 0, 3, 1)
    clauses = {
        "equals": cs.ForbiddenEqualsClause(n, 3),
        "in": cs.ForbiddenInClause(kernel, ["rbf", "linear"]),
        "and": cs.ForbiddenAndConjunction(
            cs.ForbiddenEqualsClause(kernel, "poly"), cs.ForbiddenInClause(n, [0, 1])
        ),
        "less": cs.ForbiddenLessThanClause(n, 1),
        "less or equal": cs.ForbiddenLessThanEqualsClause(n, 1),
        "greater": cs.ForbiddenGreaterThanClause(size, "m"),
        "greater or equal": cs.ForbiddenGreaterThanEqualsClause(size, "m"),
        "or": cs.ForbiddenOrConjunction(
            cs.ForbiddenEqualsClause(n, 0), cs.ForbiddenEqualsClause(kernel, "rbf")
        ),
        "two equal": cs.ForbiddenEqualsRelation(m, n),
        "less than other": cs.ForbiddenLessThanRelation(m, n),
        "at most other": cs.ForbiddenLessThanEqualsRelation(m, n),
        "more than other": cs.ForbiddenGreaterThanRelation(m, n),
        "at least other": cs.ForbiddenGreaterThanEqualsRelation(m, n),
        "inactive": cs.ForbiddenEqualsClause(only, 0),
    }
    condition = cs.EqualsCondition(only, kernel, "poly")
    return [kernel, size, m, n, only, condition], clauses


FORBIDDEN = {
    "equals": lambda p: p["n"] == 3,
    "in": lambda p: p["kernel"] != "poly",
    "and": lambda p: p["kernel"] == "poly" and p["n"] < 2,
    "less": lambda p: p["n"] < 1,
    "less or equal": lambda p: p["n"] <= 1,
    "greater": lambda p: p["size"] == "l",
    "greater or equal": lambda p: p["size"] in "ml",
    "or": lambda p: p["n"] == 0 or p["kernel"] == "rbf",
    "two equal": lambda p: p["m"] == p["n"],
    "less than other": lambda p: p["m"] < p["n"],
    "at most other": lambda p: p["m"] <= p["n"],
    "more than other": lambda p: p["m"] > p["n"],
    "at least other": lambda p: p["m"] >= p["n"],
    "inactive": lambda p: p.get("only") == 0,
}
MORE = ("less than other", "at most other")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("which", FORBIDDEN)
def test_what_is_forbidden_becomes_a_constraint(cs, which):
    parts, clauses = forbidding(cs, default_m=3 if which in MORE else 0)
    if which == "or" and not hasattr(cs, "ForbiddenOrConjunction"):
        pytest.skip("this version has none")
    space, nothing = from_configspace(space_of(cs, *parts), return_constraint=True)
    assert nothing is None
    given = space_of(cs, *parts, clauses[which])
    with pytest.raises(ValueError, match="return_constraint=True"):
        from_configspace(given)
    renamed, constraint = from_configspace(given, names={"n": "net__n"}, return_constraint=True)
    constraint = pickle.loads(pickle.dumps(constraint))
    everything = Space(space)
    for config in everything.enumerate():
        params = everything.params(config)
        allowed = constraint({{"n": "net__n"}.get(k, k): v for k, v in params.items()})
        assert allowed is not FORBIDDEN[which](params), params
    assert Space(renamed, constraint).size < everything.size


def test_what_cannot_be_said(cs):
    x = cs.UniformFloatHyperparameter("x", 0.0, 1.0)
    n = cs.UniformIntegerHyperparameter("n", 0, 3)
    child = cs.UniformFloatHyperparameter("child", 0.0, 1.0)
    either = cs.OrConjunction(
        cs.EqualsCondition(child, n, 1), cs.GreaterThanCondition(child, x, 0.5)
    )
    for parts, message in [
        (
            [cs.CategoricalHyperparameter("k", ["a", "b"], weights=[3, 1])],
            "'k' has probabilities",
        ),
        (
            [cs.NormalFloatHyperparameter("x", 1.0, 0.5, 0.1, 9.0, log=True)],
            r"'x' has a normal distribution on a log.*loguniform\(0.1, 9.0\) or scipy.stats.lo",
        ),
        (
            [cs.BetaIntegerHyperparameter("x", 2, 3, 1, 9, log=True)],
            r"'x' has a beta distribution on a logarithmic scale. Write loguniform\(1, 9\)",
        ),
        ([x, child, cs.GreaterThanCondition(child, x, 0.5)], "'child' exists for some val"),
        ([x, n, child, either], "'child' exists under one condition or another"),
        ([cs.NormalIntegerHyperparameter("x", 5, 2, 0, 2_000_000)], "too many for a table"),
    ]:
        with pytest.raises(ValueError, match=message):
            from_configspace(space_of(cs, *parts))
    with pytest.raises(TypeError, match="takes a ConfigurationSpace, got dict"):
        from_configspace({"x": (0, 1)})
