from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.model_selection import ParameterGrid, ParameterSampler

from sk_hpo import Space, when
from sk_hpo.torch import without_conditions
from sk_hpo.torch.conditions import prefixed

LISTS = {
    "solver": ["sgd", "adam", "lbfgs"],
    "momentum": when([0.5, 0.9], solver="sgd"),
    "beta": when([1, 2, 3], solver="adam"),
    "depth": [1, 2],
    "width": when([8, 16], solver=["sgd", "adam"], depth=2),
    "alpha": [0.0],
}


def as_set(configs):
    return Counter(frozenset(config.items()) for config in configs)


def test_a_grid_without_conditions_is_the_grid_with_them():
    space = Space(LISTS)
    expected = as_set(space.params(config) for config in space.enumerate())
    assert as_set(ParameterGrid(without_conditions(LISTS))) == expected
    assert max(expected.values()) == 1


def test_draws_are_distributed_alike():
    space = LISTS | {"momentum": when(uniform(0, 1), solver="sgd")}
    drawn = list(ParameterSampler(without_conditions(space), 3000, random_state=0))
    conditional = Space(space)
    rng = np.random.default_rng(0)
    ours = [conditional.params(conditional.sample(rng)) for _ in range(3000)]
    for share in (
        lambda draws: np.mean([d["solver"] == "sgd" for d in draws]),
        lambda draws: np.mean(["width" in d for d in draws]),
        lambda draws: np.mean([d.get("momentum", 0) > 0.5 for d in draws]),
    ):
        assert share(drawn) == pytest.approx(share(ours), abs=0.04)
    assert all(("momentum" in d) == (d["solver"] == "sgd") for d in drawn)


def test_conditions_on_conditional_parameters():
    nested = {
        "c": when([5, 6], b=2),
        "b": when([1, 2], a=True),
        "a": [True, False],
        "d": when([7], b=1),
    }
    space = Space(nested)
    expected = as_set(space.params(config) for config in space.enumerate())
    assert as_set(ParameterGrid(without_conditions(nested))) == expected


def test_nothing_to_do():
    assert without_conditions({"a": [1]}) == [{"a": [1]}]


def test_what_conditions_ask_for_must_be_a_list():
    with pytest.raises(ValueError, match="'a' is continuous"):
        without_conditions({"a": uniform(0, 1), "b": when([1], a=0.5)})


def test_names_in_conditions_are_prefixed_too():
    space, long = Space(LISTS), Space(prefixed("net__", LISTS))
    short = [space.params(config) for config in space.enumerate()]
    expected = as_set({f"net__{k}": v for k, v in params.items()} for params in short)
    assert as_set(long.params(config) for config in long.enumerate()) == expected
