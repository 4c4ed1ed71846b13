"""Spaces that are functions: what they are, and that they agree with dicts."""

from __future__ import annotations

import itertools
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from contracts.by_run import branch, definitions, lists, loop, space_of, threshold
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import loguniform, randint
from sklearn.linear_model import Ridge
from sklearn.svm import SVC

from sk_hpo.space.chooser import Chooser
from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space

ALL = [loop, threshold, definitions, branch, lists]

# -- a finite space is all that the function can do ------------------------------------------

# A tree: a name, its number of values, and for each value what is asked for after it.
Tree = tuple[str, int, list[list[Any]]]
trees = st.recursive(
    st.just([]),
    lambda inner: st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.integers(1, 3), st.lists(inner, min_size=3, max_size=3)
        ),
        max_size=2,
    ),
    max_leaves=5,
)


def ask(t: Any, todo: list[Tree], found: dict[str, Any], place: str = "") -> dict[str, Any]:
    """Ask for a tree's parameters; one name may be asked for in two ways in two branches."""
    for i, (name, n, after) in enumerate(todo):
        here = f"{name}{place}{i}"
        value = found[here] = t.int(here, 0, n - 1)
        ask(t, after[value], found, f"{place}{i}")
    return found


class Scripted:
    """Stands in for a Chooser: gives what a script says, and notes how many there were."""

    def __init__(self, script: list[int]) -> None:
        self.script, self.sizes = script, []
        self.values: dict[str, int] = {}

    def int(self, name: str, low: int, high: int) -> int:
        if name not in self.values:
            place = len(self.sizes)
            self.sizes.append(high + 1)
            self.values[name] = self.script[place] if place < len(self.script) else 0
        return self.values[name]


def everything(todo: list[Tree]) -> Iterator[dict[str, Any]]:
    """Yield what a tree can come to, by trying all short scripts."""
    seen = set()
    for script in itertools.product(range(3), repeat=5):
        t = Scripted(list(script))
        found = ask(t, todo, {})
        if len(t.sizes) > 5 or any(s >= n for s, n in zip(script, t.sizes, strict=False)):
            continue
        if tuple(found.items()) not in seen:
            seen.add(tuple(found.items()))
            yield found


def depth(todo: list[Tree]) -> int:
    return sum(1 + max(map(depth, after)) for _, _, after in todo)


@given(tree=trees.filter(lambda tree: depth(tree) <= 5))
@settings(deadline=None, max_examples=40)
def test_a_finite_space_is_all_that_the_function_can_return(tree: list[Tree]) -> None:
    space = Space(lambda t: ask(t, tree, {}))
    expected = list(everything(tree))
    configs = list(space.enumerate())
    assert [space.params(config) for config in configs] == expected
    assert space.size == space.count() == len(set(configs)) == len(expected)
    assert space.names == tuple(sorted({name for one in expected for name in one}))
    assert [space.config(params) for params in expected] == configs


def test_more_configs_than_can_be_counted() -> None:
    space = Space(lambda t: {f"a{i}": t.int(f"a{i}", 0, 8) for i in range(4)})
    assert space.size == np.inf
    assert space.count() == 9**4


# -- and agrees with the dict that says the same ---------------------------------------------


def layered(t: Chooser) -> dict[str, Any]:
    """Say by a loop and a branch what LAYERED says by conditions."""
    n = t.int("n", 1, 3)
    found = {f"units_{i}": t.int(f"units_{i}", 4, 64, log=True) for i in range(n)}
    solver = t.categorical("solver", ["sgd", "adam"])
    if solver == "sgd":
        found["momentum"] = t.float("momentum", 0.5, 1.0, step=0.25)
    found["lr"] = t.float("lr", 1e-4, 1e-1, log=True)
    return found | {"n": n, "solver": solver, "batch": t.int("batch", 8, 64, log=True, step=2)}


LAYERED = Space({
    "n": randint(1, 4),
    "units_0": lograndint(4, 65),
    "units_1": when(lograndint(4, 65), n=[2, 3]),
    "units_2": when(lograndint(4, 65), n=3),
    "solver": ["sgd", "adam"],
    "momentum": when([0.5, 0.75, 1.0], solver="sgd"),
    "lr": loguniform(1e-4, 1e-1),
    "batch": [8, 16, 32, 64],
})  # fmt: skip


def test_points_of_the_cube_are_the_same_as_of_conditions() -> None:
    space, rng = Space(layered), np.random.default_rng(0)
    assert space.names == LAYERED.names
    assert space.keys == LAYERED.keys
    for _ in range(300):
        u = dict(zip(LAYERED.names, rng.random(len(LAYERED.names)), strict=True))
        config, other = (
            one.from_cube(np.array([u[d.name] for d in one.dimensions]))
            for one in (space, LAYERED)
        )
        assert space.params(config) == space.values(config) == LAYERED.params(other)
    kinds = {d.name: (d.kind, d.n_levels, d.condition is None) for d in space.dimensions}
    assert kinds == {
        d.name: (d.kind, d.n_levels, d.condition is None) for d in LAYERED.dimensions
    }


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_there_and_back(function: Any, seed: int) -> None:
    space = space_of(function)
    config = space.sample(np.random.default_rng(seed))
    assert space.config(space.values(config)) == config
    assert space.from_cube(space.to_cube(config)) == config
    assert [c is None for c in config] == list(np.isnan(space.to_cube(config)))
    codes = zip(space.dimensions, config, strict=True)
    assert all(c is not None or d.condition is not None for d, c in codes)


def test_a_name_that_is_asked_for_in_two_ways_has_two_dimensions() -> None:
    space = space_of(definitions)
    wide, narrow = (d for d in space.dimensions if d.name == "width")
    assert (wide.n_levels, narrow.n_levels) == (1009, 49)
    assert space.params(space.config({"deep": False, "width": 1000}))["width"] == 1000
    with pytest.raises(ValueError, match=r"'width': 1000 cannot come from"):
        space.config({"deep": True, "width": 1000, "depth": 2})


# -- what may be asked for -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "levels"),
    [
        (lambda t: t.int("a", 2, 9, step=3), [2, 5, 8]),
        (lambda t: t.int("a", 3, 3), [3]),
        (lambda t: t.int("a", 1, 40, log=True, step=3), [1, 3, 9, 27]),
        (lambda t: t.float("a", 0, 0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (lambda t: t.float("a", 1e-3, 1, log=True, step=10), [0.001, 0.01, 0.1, 1.0]),
        (lambda t: t.float("a", 2, 2), [2.0]),
        (lambda t: t.categorical("a", ("x", None, True, 1, 1.0)), ["x", None, True, 1, 1.0]),
        (lambda t: t.categorical("a", np.array(["x", "y"])), [*np.array(["x", "y"])]),
        (lambda t: t.boolean("a"), [False, True]),
    ],
)
def test_lists(question: Any, levels: list[Any]) -> None:
    space = Space(lambda t: {"key": question(t)})
    found = [space.params(config)["key"] for config in space.enumerate()]
    assert [(type(v), v) for v in found] == [(type(v), v) for v in levels]
    numbers = all(type(level) in (int, float) for level in levels) and len(levels) > 1
    [dimension] = space.dimensions
    assert dimension.kind in (("ordinal",) if numbers else ("categorical", "integer"))


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (lambda t: t.int("a", 0.5, 3), TypeError, "low must be an integer, not 0.5"),
        (lambda t: t.int("a", 0, True), TypeError, "high must be an integer, not True"),
        (lambda t: t.int("a", 3, 2), ValueError, "low=3 is above high=2"),
        (lambda t: t.int("a", 0, 2, log=True), ValueError, "low=0 must be above 0"),
        (lambda t: t.int("a", 1, 8, log=True, step=1), ValueError, "step=1 must be above 1"),
        (lambda t: t.float("a", 0, 1, step=0), ValueError, "step=0 must be above 0"),
        (lambda t: t.float("a", 0, 1, step=1e-9), ValueError, "more than 10000 values"),
        (lambda t: t.float("a", 0, np.inf), ValueError, "high must be finite, not inf"),
        (lambda t: t.float("a", "0", 1), TypeError, "low must be a number, not '0'"),
        (lambda t: t.int("a", 0, 2, default=3), ValueError, "3 cannot come from"),
        (lambda t: t.int("a", 0, 2, default=1.0), ValueError, "1.0 is not an integer"),
        (lambda t: t.categorical("a", "xyz"), TypeError, "choices must be a list"),
        (lambda t: t.categorical("a", []), ValueError, "need to be a non-empty sequence"),
        (lambda t: t.categorical("a", [1, 2], 3), ValueError, "3 is not one of"),
    ],
)
def test_wrong_questions_name_the_parameter(question: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        Space(lambda t: {"key": question(t)})
    assert "'a'" in str(raised.value)


def test_a_name_must_be_a_name() -> None:
    with pytest.raises(TypeError, match="must be a str, not 3"):
        Space(lambda t: {"a": t.int(3, 0, 1)})


@pytest.mark.parametrize("returned", [None, [("a", 1)], {1: 2}])
def test_what_is_returned_must_be_a_dict(returned: Any) -> None:
    with pytest.raises(TypeError, match=r"must return a dict.*given \{'a': 1\}"):
        Space(lambda t: (t.int("a", 0, 2), returned)[1])


def test_an_error_in_the_function_says_what_it_was_given() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        Space(lambda t: {"b": 1 / t.int("a", 0, 3)})
    assert raised.value.__notes__ == ["The space raised this when it was given {'a': 0}."]


# -- defaults --------------------------------------------------------------------------------


def test_the_default_is_that_of_all_defaults() -> None:
    def function(t: Chooser) -> dict[str, Any]:
        n = t.int("n", 0, 8, default=2)
        units = [t.int(f"units_{i}", 1, 9, default=8 if i else None) for i in range(n)]
        activation = t.categorical("activation", ["relu", "tanh"])
        return {"units": units, "activation": activation, "drop": t.boolean("drop")}

    space = Space(function)
    assert space.default is not None
    expected = {"units": [5, 8], "activation": "relu", "drop": False}
    assert space.params(space.default) == expected
    assert Space(function, lambda params: not params["drop"]).default == space.default
    assert Space(function, lambda params: params["drop"]).default is None
    assert Space(loop).defaults == {"n": 1}
    assert Space(branch).default is None is LAYERED.default


# -- a mind that changes ---------------------------------------------------------------------


def counting() -> Iterator[int]:
    return itertools.count(1)


def other_range(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    return {"b": t.boolean("b"), "a": t.int("a", 0, 5 + next(n) // 40)}


def other_name(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    return {"a": t.int("a", 0, 5) if next(n) < 40 else t.int("c", 0, 5)}


def other_value(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    return {"a": t.int("b", 0, 5) * (1 if next(n) < 40 else 2)}


def other_default(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    return {"a": t.int("a", 0, 5, default=next(n) % 2)}


def other_end(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    return {"b": t.boolean("b")} | ({} if next(n) > 40 else {"a": t.int("a", 0, 5)})


def other_continuous(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    # No two runs get the same value, unless they are repeated.
    return {"b": t.float("b", 0, 1), "a": t.int("a", 0, 5 + (next(n) > 200))}


def made_anew(t: Chooser, n: Iterator[int]) -> dict[str, Any]:
    return {"a": t.categorical("a", [Ridge(next(n)), SVC()])}


@pytest.mark.parametrize(
    "function",
    [other_range, other_name, other_value, other_default, other_end, other_continuous]
    + [made_anew],
    ids=lambda function: function.__name__,
)
def test_a_space_that_changes_its_mind_is_an_error(function: Any) -> None:
    n = counting()
    with pytest.raises(ValueError, match=r"changes its mind about .*'a'.* before, .* now"):
        Space(lambda t: function(t, n))


def test_a_mind_that_changes_after_the_exploration() -> None:
    high = [5]
    space = Space(lambda t: {"x": t.float("x", 0, 1), "a": t.int("a", 0, high[0])})
    config = space.config({"x": 0.123, "a": 3})
    params = space.params(config)
    assert params == {"x": 0.123, "a": 3}
    high[0] = 6
    with pytest.raises(ValueError, match=r"mind about 'a': given \{'x': 0.123\}.*0, 5.*0, 6"):
        space.params(config)


def test_a_name_with_two_definitions_in_one_run() -> None:
    with pytest.raises(ValueError, match=r"'a' is asked for twice, as t.int\('a', 0, 1\) and"):
        Space(lambda t: {"a": t.int("a", 0, 1) + t.int("a", 0, 2)})
    twice = Space(lambda t: {"a": t.int("a", 0, 1), "b": t.int("a", 0, 1)})
    assert [twice.params(c) for c in twice.enumerate()] == [{"a": i, "b": i} for i in (0, 1)]


def test_a_range_that_depends_on_a_number() -> None:
    def shrinking(t: Chooser) -> dict[str, Any]:
        n = t.int("n", 16, 256)
        return {"n": n, "m": t.int("m", 1, n)}

    with pytest.raises(ValueError, match=r"'m' has more than 32 definitions.*'m_share', 0, 1"):
        Space(shrinking)


def test_a_name_with_a_value_in_it() -> None:
    with pytest.raises(ValueError, match=r"more than 1000 parameters.*'a0\.\d+_\d'"):
        Space(lambda t: {"a": [t.boolean(f"a{t.float('x', 0, 1)}_{i}") for i in range(9)]})


# -- rare cases ------------------------------------------------------------------------------


def rare(t: Chooser) -> dict[str, Any]:
    x = t.float("x", 0, 1)
    if 0.123 < x < 0.1230001:
        return {"x": x, "late": t.int("late", 0, 8, default=3)}
    return {"x": x, "always": t.int("always", 0, 8)}


def test_what_exploration_has_not_met_has_its_default() -> None:
    space = Space(rare)
    assert space.names == ("always", "x")
    config = space.from_cube([0.12300005, 0.2])
    assert len(config) == 2
    with pytest.warns(UserWarning, match="parameter 'late' only in a rare case.*it is 3"):
        assert space.params(config)["late"] == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert space.values(config) == {"x": config[0], "late": 3}
    # What exists in all cases that were met has a code, which does not matter here.
    assert config == space.from_cube([0.12300005, 0.9])
    assert space.from_cube(space.to_cube(config)) == config


def test_conjunctions_of_few_values_are_met() -> None:
    def deep(t: Chooser) -> dict[str, Any]:
        chosen = [t.categorical(name, [*range(4)]) for name in "abcd"]
        x = t.float("x", 0, 1)
        found = {"x": x, "y": t.float("y", 0, 1)} if chosen == [3, 1, 2, 0] else {"x": x}
        return found | ({"z": t.float("z", 0, 1)} if 0.6 < x < 0.65 and chosen[0] else {})

    assert Space(deep).names == ("a", "b", "c", "d", "x", "y", "z")


# -- objects ---------------------------------------------------------------------------------


def test_choices_may_be_made_anew_if_they_are_equal() -> None:
    def models(t: Chooser) -> dict[str, Any]:
        model = t.categorical("model", [Ridge(), SVC(C=2.0)])
        return {"clf": model, "key": t.categorical("key", [lambda x: -x, len])}

    space = Space(models)
    [first, second] = space.choices("model")
    assert space.objects("clf") == [first, second]
    for params in map(space.params, space.enumerate()):
        assert any(params["clf"] is known for known in (first, second))
    assert space.size == 4


def test_what_is_returned_is_the_same_object_each_time() -> None:
    space = Space(lambda t: {"clf": Ridge(t.float("alpha", 0, 1)), "b": t.boolean("b")})
    config = space.config({"alpha": 0.25, "b": True})
    assert space.params(config)["clf"] is space.params(config)["clf"]
    assert space.params(config)["clf"].alpha == 0.25
    assert [type(one) for one in space.objects("clf")] == [Ridge]


def test_pickle() -> None:
    space = Space(loop)
    config = space.config({"n": 2, "lr": 0.01, "units_0": 16, "units_1": 99})
    assert (space.size, space.params(config)["n"]) == (np.inf, 2)
    size = len(pickle.dumps(space))
    loaded = pickle.loads(pickle.dumps(space))
    assert loaded.params(config) == space.params(config)
    assert loaded.config(space.values(config)) == config
    rng = np.random.default_rng(0)
    for _ in range(200):
        space.params(space.sample(rng))
    assert len(pickle.dumps(space)) == size  # does not grow with what was tried


def test_the_constraint_gets_what_was_returned() -> None:
    space = Space(
        lambda t: {"units": [t.int(f"u{i}", 1, 2) for i in range(t.int("n", 1, 2))]},
        lambda params: sum(params["units"]) <= 3,
    )
    found = [space.params(config)["units"] for config in space.enumerate()]
    assert found == [[1], [2], [1, 1], [1, 2], [2, 1]]
    assert space.size == 5


def test_names_of_the_estimator_are_those_returned() -> None:
    space = Space(lambda t: {"alpha": t.float("log_alpha", -3, 3)})
    space.check_names(["alpha"])
    with pytest.raises(ValueError, match="Invalid parameter 'alpha'"):
        space.check_names(["log_alpha"])
    with pytest.raises(ValueError, match=r"'alpha' is not searched.*asks for 'log_alpha'"):
        space.config({"alpha": 1.0})
