from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import loguniform, poisson, randint, uniform
from sklearn.model_selection import ParameterGrid, ParameterSampler

from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space


@pytest.mark.parametrize(
    "wrong", [0, None, 1.5, [0], ["a"], [{"a": [1]}, 3], {"a": 0}, {"a": None}]
)
def test_same_errors_as_parameter_sampler(wrong):
    with pytest.raises((TypeError, ValueError)) as expected:
        list(ParameterSampler(wrong, n_iter=1))
    with pytest.raises(expected.type) as actual:
        Space(wrong)
    assert str(actual.value) == str(expected.value)


@pytest.mark.parametrize(
    "wrong", ["abc", [], (), np.array([]), np.ones((2, 2)), {1, 2}, {"b": 1}, iter([1])]
)
def test_same_errors_as_parameter_grid(wrong):
    with pytest.raises((TypeError, ValueError)) as expected:
        ParameterGrid({"a": wrong})
    with pytest.raises(expected.type) as actual:
        Space({"a": wrong})
    assert str(actual.value) == str(expected.value)


def test_no_dict_at_all():
    with pytest.raises(ValueError, match="empty list"):
        Space([])


def test_any_iterable_of_dicts():
    assert Space(d for d in ({"a": [1]}, {"b": [1]})).names == ("a", "b")


def test_name_that_is_not_a_str():
    with pytest.raises(TypeError, match="name 3 is not a str"):
        Space({"a": [1], 3: [1]})


@pytest.mark.parametrize(
    "wrong",
    [
        uniform(0, 0),
        loguniform(1, 0.1),
        randint(3, 3),
        lograndint(0, 3),
        uniform(math.nan, 1),
        when(uniform(0, 0), other=1),
        type("OnlyRvs", (), {"rvs": lambda self: 1})(),
    ],
)
def test_wrong_distribution_names_the_parameter(wrong):
    with pytest.raises(ValueError, match=r"^Parameter 'bad': "):
        Space({"fine": uniform(0, 1), "bad": wrong, "other": [1, 2]})


@pytest.mark.parametrize(
    ("distributions", "problem"),
    [
        (
            {"m": when([1], solvr=1), "solver": [1]},
            "'m' depends on 'solvr'.* did you mean 'solver'",
        ),
        (
            {"m": when([1], q=1), "solver": [1]},
            "'m' depends on 'q', which is not in the same dict$",
        ),
        (
            {"m": when([1], a="z"), "a": ["x", "y"]},
            "'m' .* 'a' is 'z', but .*'z' is not one of",
        ),
        ({"m": when([1], a=True), "a": [0, 1]}, "'m' .* 'a' is True, but .* is not one of"),
        ({"m": when([1], a=(1, 2)), "a": [(1, 2)]}, "'m' .* 'a' is 1, but"),
        ({"m": when([1], n=9), "n": randint(0, 5)}, "'m' .* 'n' is 9, but .* cannot come from"),
        ({"m": when([1], n=0.5), "n": uniform(0, 1)}, "'m' .* but 'n' is continuous"),
        ({"m": when([1], a=[]), "a": [1]}, "'m'.* no value of 'a' left"),
        ({"m": when(when([1], a=1), a=2), "a": [1, 2]}, "'m'.* no value of 'a' left"),
        ({"m": when(5, a=1), "a": [1]}, "'m' is not iterable or a distribution"),
        ({"m": when([], a=1), "a": [1]}, "'m' need to be a non-empty sequence"),
        ({"m": when([1], m=1)}, "circle: 'm' -> 'm'"),
        ({"a": when([1], b=1), "b": when([1], a=1), "c": [1]}, "circle: 'a' -> 'b' -> 'a'"),
        (
            {"a": when([1], b=1), "b": when([1], c=1), "c": when([1], b=1)},
            "circle: 'b' -> 'c' -> 'b'",
        ),
        (
            {"a": [1, 2], "b": when([1, 2], a=1), "c": when([1], b=1, a=2)},
            "'c' can never exist.* different values of 'a'",
        ),
        (
            [{"a": [1]}, {"m": when([1], a=1)}],
            "'m' depends on 'a', which is not in the same dict",
        ),
    ],
)
def test_wrong_conditions(distributions, problem):
    with pytest.raises((ValueError, TypeError), match=problem):
        Space(distributions)


def test_condition_on_a_nearly_impossible_value():
    with pytest.raises(ValueError, match=r"'m' .* 'n' is 60, but .* nearly zero"):
        Space({"m": when([1], n=60), "n": poisson(3)})


def test_conditions_on_any_kind_of_parent():
    space = Space(
        {
            "clf__step": [len, str, (1, 2)],
            "n": randint(1, 4),
            "a": when([1], clf__step=len),
            "b": when([1], clf__step=[(1, 2)]),
            "c": when([1], n={2, 3}, clf__step=[len, str]),
            "d": when([1], c=1),
        }
    )
    assert space.size == 3 + 3 + 3
    active = [set(space.params(c)) - {"clf__step", "n"} for c in space.enumerate()]
    assert (
        active
        == [{"a"}, {"a", "c", "d"}, {"a", "c", "d"}, set(), {"c", "d"}, {"c", "d"}]
        + [{"b"}] * 3
    )
