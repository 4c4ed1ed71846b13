from __future__ import annotations

import math
import pickle
from collections import Counter
from copy import deepcopy
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, loguniform, norm, poisson, randint, uniform
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sk_hpo.space.condition import When, when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space

VALUES = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)


@st.composite
def conditional_dicts(draw):
    """Dicts of up to five lists; later ones in a shuffled order may depend on earlier."""
    names = draw(st.permutations("abcde"))[: draw(st.integers(0, 5))]
    values = {name: draw(VALUES) for name in names}
    distributions = {}
    for i, name in enumerate(names):
        parents = draw(st.sets(st.sampled_from(names[:i]), max_size=2)) if i else set()
        distributions[name] = values[name]
        if parents:
            some = {p: draw(st.lists(st.sampled_from(values[p]), min_size=1)) for p in parents}
            distributions[name] = when(values[name], **some)
    return distributions


def brute_force(distributions):
    """Return all params, by another way: reject inactive parameters until nothing changes."""
    lists = {n: d.distribution if isinstance(d, When) else d for n, d in distributions.items()}
    found = []
    for chosen in product(*lists.values()):
        params = dict(zip(lists, chosen, strict=True))
        removed = True
        while removed:
            removed = [
                name
                for name in params
                if isinstance(distributions[name], When)
                and any(
                    p not in params or params[p] not in values
                    for p, values in distributions[name].conditions
                )
            ]
            params = {n: v for n, v in params.items() if n not in removed}
        if params not in found:
            found.append(params)
    return found


def in_order(list_of_params):
    return sorted((sorted(params.items()) for params in list_of_params), key=repr)


def impossible(distributions):
    """Whether a parameter exists in no config."""
    return set(distributions) != {
        name for params in brute_force(distributions) for name in params
    }


@given(st.one_of(conditional_dicts(), st.lists(conditional_dicts(), min_size=2, max_size=3)))
def test_enumerate_and_size(distributions):
    dicts = [distributions] if isinstance(distributions, dict) else distributions
    if any(impossible(d) for d in dicts):
        with pytest.raises(ValueError, match=r"can never exist|no value of"):
            Space(distributions)
        return
    space = Space(distributions)
    expected = [params for d in dicts for params in brute_force(d)]
    configs = list(space.enumerate())
    assert len(configs) == len(set(configs)) == space.size == space.combinations
    assert in_order(map(space.params, configs)) == in_order(expected)
    assert isinstance(space.size, int)


@given(conditional_dicts(), st.integers(0, 10**6), st.data())
def test_every_sample_is_one_of_the_enumerated(distributions, seed, data):
    if impossible(distributions):
        return
    expected = brute_force(distributions)
    kept = data.draw(st.lists(st.sampled_from(expected), min_size=1))
    space = Space(distributions, constraint=lambda params: params in kept)
    allowed = set(space.enumerate())
    assert in_order(map(space.params, allowed)) == in_order([p for p in expected if p in kept])
    assert space.size == len(allowed)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        assert space.sample(rng) in allowed


@given(conditional_dicts(), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_cube(distributions, u):
    if impossible(distributions):
        return
    space = Space(distributions)
    config = space.from_cube(np.array(u[: len(space.dimensions)]))
    point = space.to_cube(config)
    assert point.shape == (len(space.dimensions),)
    assert [math.isnan(x) for x in point] == [code is None for code in config]
    assert space.from_cube(point) == config
    assert config in set(space.enumerate())
    assert space.config(space.params(config)) == config


MIXED = {
    "lr": loguniform(1e-6, 1),
    "shift": norm(0, 3),
    "units": when(lograndint(4, 513), kind=["mlp", "cnn"]),
    "depth": when(randint(1, 4), units=lograndint(4, 513).support()[0]),
    "kind": ["mlp", "cnn", None],
    "momentum": when(uniform(0, 1), depth=[2, 3], kind="mlp"),
    "events": poisson(4),
    "hidden": [(50,), (50, 50)],
}


@given(st.integers(0, 2**32))
def test_samples_round_trip(seed):
    space = Space([MIXED, {"lr": [1, 2]}, {}])
    config = space.sample(np.random.default_rng(seed))
    assert space.from_cube(space.to_cube(config)) == config
    params = space.params(config)
    assert space.config(params) == config
    assert all(type(params[n]) in (int, float) for n in {"lr", "units", "depth"} & set(params))


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_conditions_hold_wherever_in_the_cube(u):
    params = (space := Space(MIXED)).params(space.from_cube(np.array(u)))
    assert ("units" in params) == (params["kind"] in ("mlp", "cnn"))
    assert ("depth" in params) == (params.get("units") == 4)
    expected = params.get("depth") in (2, 3) and params["kind"] == "mlp"
    assert ("momentum" in params) == expected


def test_dimensions():
    space = Space({"b": uniform(0, 1), "a": when([1, 2, 4], c="x"), "c": ["x", "y"]})
    a, b, c = space.dimensions
    assert [d.name for d in (a, b, c)] == ["a", "b", "c"]
    assert [d.kind for d in (a, b, c)] == ["ordinal", "real", "categorical"]
    assert [d.n_levels for d in (a, b, c)] == [3, math.inf, 2]
    assert b.condition is None
    assert c.condition is None
    assert a.condition.holds((None, None, 0))
    assert not a.condition.holds((None, None, 1))
    assert space.names == ("a", "b", "c")


def test_dict_chooses_a_hidden_dimension():
    space = Space([{"a": [1, 2]}, {"a": uniform(0, 1), "b": [1]}])
    hidden, *rest = space.dimensions
    assert (hidden.kind, hidden.n_levels, hidden.condition) == ("categorical", 2, None)
    assert [d.name for d in rest] == ["a", "a", "b"]
    assert [d.condition.holds((0, None, None, None)) for d in rest] == [True, False, False]
    assert space.names == ("a", "b")
    assert space.params((0, 1, None, None)) == {"a": 2}
    assert space.params((1, None, 0.5, 0)) == {"a": 0.5, "b": 1}
    assert space.config({"a": 2}) == (0, 1, None, None)
    assert space.config({"a": 0.5, "b": 1}) == (1, None, 0.5, 0)


def test_one_dict_in_a_list_needs_no_hidden_dimension():
    assert [d.name for d in Space([{"a": [1]}]).dimensions] == ["a"]


def test_dicts_and_lists_are_drawn_uniformly():
    space = Space([{"a": [1, 2]}, {"a": [1, 2, 3]}])
    rng = np.random.default_rng(0)
    drawn = Counter(space.sample(rng) for _ in range(6000))
    assert chisquare([n for c, n in drawn.items() if c[0] == 0]).pvalue > 0.01
    assert chisquare([n for c, n in drawn.items() if c[0] == 1]).pvalue > 0.01
    assert sum(n for c, n in drawn.items() if c[0]) == pytest.approx(3000, abs=200)


def test_same_order_as_parameter_grid():
    param_grid = [{"b": [1, 2], "a": ["u", "v"]}, {}, {"c": (1, 2), "a": np.arange(2)}]
    space = Space(param_grid)
    assert [space.params(c) for c in space.enumerate()] == list(ParameterGrid(param_grid))


@pytest.mark.parametrize("nothing", [{}, [{}]])
def test_empty_dict_is_one_config(nothing):
    space = Space(nothing)
    assert list(space.enumerate()) == [()]
    assert space.size == 1
    assert space.sample(np.random.default_rng(0)) == ()
    assert space.params(()) == {}
    assert space.config({}) == ()
    assert space.to_cube(()).shape == (0,)
    assert space.from_cube(np.empty(0)) == ()


@pytest.mark.parametrize(
    ("distributions", "size"),
    [
        ({"a": [1, 1, 2]}, 3),
        ({"a": uniform(0, 1)}, math.inf),
        ({"a": randint(0, 10**12), "b": [1, 2]}, 2 * 10**12),
        ({"a": [1, 2], "b": when(uniform(0, 1), a=2)}, math.inf),
        ({"n": randint(0, 10**9), "m": when([1, 2, 3], n=[5, 7])}, 10**9 + 4),
        ([{"a": [1, 2]}, {}, {"a": lograndint(1, 100)}], 2 + 1 + 99),
        ({f"p{i}": list(range(10)) for i in range(30)}, 10**30),
        ({"a": [1, 2], "b": when([1, 2], a=1), "c": when([1, 2, 3], b=2), "d": [1, 2]}, 2 * 5),
    ],
)
def test_size(distributions, size):
    assert Space(distributions).size == size


def test_size_counts_the_constraint_of_a_small_space_only():
    def even(params):
        return params["n"] % 2 == 0

    assert Space({"n": randint(0, 1000)}, even).size == 500
    assert Space({"n": randint(0, 1000)}, even).combinations == 1000
    assert Space({"n": randint(0, 10**9)}, even).size == 10**9
    assert Space({"n": randint(0, 1000), "x": uniform(0, 1)}, even).size == math.inf


def test_infinite_space_cannot_be_enumerated():
    with pytest.raises(ValueError, match="'x' is continuous"):
        Space({"a": [1], "x": uniform(0, 1)}).enumerate()


def test_constraint_sees_active_parameters():
    seen = []

    def constraint(params):
        seen.append(params)
        return np.bool_(params["a"] == 2)

    space = Space([{"a": [1, 2], "b": when([5], a=1)}, {"a": [2, 3]}], constraint)
    assert {tuple(p.items()) for p in seen} <= {(("a", 1), ("b", 5)), (("a", 2),), (("a", 3),)}
    assert [space.params(c) for c in space.enumerate()] == [{"a": 2}, {"a": 2}]
    assert space.allows((0, 1, None, None))
    assert not space.allows((0, 0, 0, None))


def test_rare_configs_are_found():
    space = Space(
        {"a": list(range(1000)), "b": list(range(100))}, lambda p: p["a"] * p["b"] == 98901
    )
    rng = np.random.default_rng(0)
    assert [space.params(space.sample(rng)) for _ in range(3)] == [{"a": 999, "b": 99}] * 3


@pytest.mark.parametrize(
    "distributions",
    [{"a": [1, 2]}, {"x": uniform(0, 1)}, {"n": randint(0, 10**9)}, {}],
)
def test_infeasible_constraint(distributions):
    def never(params):
        return False

    with pytest.raises(ValueError, match=r"constraint .*never rejects"):
        Space(distributions, never)


def test_constraint_that_raises():
    def broken(params):
        return params["c"] > 0

    with pytest.raises(
        ValueError, match=r"constraint .*broken raised KeyError: 'c' \(for {'a': 1}"
    ):
        Space({"a": [1]}, broken)


def test_config_by_hand():
    space = Space(
        {"lr": loguniform(1e-3, 1), "solver": ["sgd", "adam"], "m": when([0, 9], solver="sgd")}
    )
    assert space.config({"lr": 0.01, "solver": "sgd", "m": 9}) == (0.01, 1, 0)
    assert space.config({"solver": "adam", "lr": 0.01}) == (0.01, None, 1)
    for params, problem in [
        ({"lr": 0.01}, "'solver' is missing"),
        ({"solver": "sgd", "lr": 0.01}, "'m' is missing"),
        ({"solver": "adam", "lr": 0.01, "m": 9}, "'m' does not exist under"),
        ({"solver": "adam", "lr": 2.0}, r"'lr': 2.0 is not a number in \[0.001, 1.0\]"),
        ({"solver": "adm", "lr": 0.1}, "'solver': 'adm' is not one of"),
        ({"solvr": "adam", "lr": 0.1}, "'solvr' is not searched; did you mean 'solver'"),
    ]:
        with pytest.raises(ValueError, match=problem):
            space.config(params)


def test_config_that_fits_no_dict():
    space = Space([{"a": [1, 2]}, {"b": [1]}])
    with pytest.raises(
        ValueError, match=r"'a': 3.* fits none .*dict 0.*'a': 3.*dict 1.*'b' is missing"
    ):
        space.config({"a": 3})


def test_objects_come_out_as_they_went_in():
    svc, scaler = SVC(), StandardScaler()
    space = Space({"clf": [svc], "scale": [scaler, "passthrough", None], "f": [len, str]})
    params = space.params((0, 1, 0))
    assert params["clf"] is svc
    assert params["f"] is str
    assert params["scale"] is scaler


def test_check_names():
    valid = SVC().get_params()
    Space({"C": [1], "gamma": [1]}).check_names(valid)
    with pytest.raises(
        ValueError, match=r"Invalid parameter 'gama'; did you mean 'gamma'\?.* Valid.*'C'"
    ):
        Space([{"C": [1]}, {"gama": [1]}]).check_names(valid)
    with pytest.raises(ValueError, match=r"Invalid parameter 'zzz'\. Valid"):
        Space({"zzz": [1]}).check_names(valid)


def test_parameters_of_a_searched_step_are_not_checked():
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", None)])
    Space({"clf": [SVC()], "clf__C": [1]}).check_names(pipeline.get_params())
    with pytest.raises(ValueError, match="'clf__C'"):
        Space({"clf__C": [1]}).check_names(pipeline.get_params())
    with pytest.raises(ValueError, match="'scale__with_meen'; did you mean 'scale__with_mean'"):
        Space({"clf": [SVC()], "scale__with_meen": [True]}).check_names(pipeline.get_params())


@pytest.mark.parametrize("copy", [deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies(copy):
    space = Space([MIXED, {"a": [1, 2]}])
    for seed in range(5):
        config = space.sample(np.random.default_rng(seed))
        assert copy(space).sample(np.random.default_rng(seed)) == config
        assert copy(space).params(config) == space.params(config)
    assert repr(Space({"b": [1], "a": [2]})) == "Space(a, b)"


def test_many_independent_conditions_are_counted_without_trying_them_all():
    pairs = {}
    for i in range(30):
        pairs[f"p{i}"] = ["a", "b", "c"]
        pairs[f"c{i}"] = when([1, 2, 3, 4], **{f"p{i}": "a"})
    assert Space(pairs).combinations == (4 + 1 + 1) ** 30
