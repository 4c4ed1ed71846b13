from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from contracts.nearest import Nearest, NearestSampler
from contracts.sampler import FINITE, GRIDS, INFINITE, SamplerContract, search
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform, randint, uniform

from sk_hpo.samplers.random import RandomSampler
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.trial import Config


class TestASamplerWithAModel(SamplerContract):
    """That the contract can be kept by a sampler that explains itself."""

    def make(self) -> NearestSampler:
        return NearestSampler()


class Echo:
    """Remembers what it was asked; the i-th config scores i."""

    def predict(self, configs: Any) -> Any:
        self.asked: list[Config] = list(configs)
        n = len(self.asked)
        return np.arange(n, dtype=float), np.full(n, 0.5)


def asked(space: Space, params: Any, **options: Any) -> list[Config]:
    """Return the configs that a surrogate made of `params`."""
    echo = Echo()
    mean = Surrogate(space, echo, **options).predict(params)
    assert mean.tolist() == list(range(len(echo.asked)))
    return echo.asked


MIXED = Space(
    {
        "solver": ["sgd", "adam", None],
        "momentum": when(uniform(0, 1), solver="sgd"),
        "layers": randint(1, 4),
        "width_2": when(randint(4, 65), layers=[2, 3]),
        "decay": when([None, 1, 10], solver="adam"),
        "scale": when([None, "std"], solver=["sgd", "adam"]),
        "flag": [True, False],
        "power": [1.0, 2.0],
        "lr": loguniform(1e-3, 1.0),
        "batch": [16, 32],
    }
)
DICTS = Space(
    [
        {"kernel": ["rbf"], "depth": [None, 3], "C": uniform(0, 9)},
        {"kernel": ["poly"], "degree": randint(2, 5), "depth": [None, 3]},
    ]
)
SPACES = {
    "every kind": MIXED,
    "two dicts": DICTS,
    **{name: make() for name, make in (GRIDS | FINITE | INFINITE).items()},
}


def drawn(space: Space, seed: int, n: int = 12) -> tuple[list[Config], list[dict[str, Any]]]:
    rng = np.random.default_rng(seed)
    configs = [space.sample(rng) for _ in range(n)]
    return configs, [space.params(config) for config in configs]


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_dicts_are_read_as_cv_results_writes_them(space: Space) -> None:
    configs, params = drawn(space, 0)
    assert asked(space, params) == configs
    assert asked(space, tuple(params)) == configs


@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from(["every kind", "two dicts"]))
def test_a_frame_of_pandas_gives_the_configs_it_was_made_of(
    seed: int, n: int, which: str
) -> None:
    space = SPACES[which]
    configs, params = drawn(space, seed, n)
    frame = pd.DataFrame(params)
    assert asked(space, frame) == configs
    assert asked(space, frame.astype(object)) == configs
    assert asked(space, frame.convert_dtypes()) == configs
    assert asked(space, frame.sample(frac=1, random_state=0).sort_index()) == configs


@given(st.integers(0, 10**6), st.sampled_from(["every kind", "two dicts"]))
def test_a_frame_of_polars_gives_the_configs_it_was_made_of(seed: int, which: str) -> None:
    space = SPACES[which]
    configs, params = drawn(space, seed)
    assert asked(space, pl.DataFrame(params, infer_schema_length=None)) == configs


@pytest.mark.parametrize(
    "which", ["conditional lists", "dicts of lists", "conditional integers", "conditional"]
)
def test_frames_of_spaces_with_parameters_that_come_and_go(which: str) -> None:
    space = SPACES[which]
    configs, params = drawn(space, 1, 40)
    assert asked(space, pd.DataFrame(params)) == configs


def test_a_frame_without_columns() -> None:
    assert asked(Space({}), pd.DataFrame(index=range(2))) == [(), ()]


def test_order_of_columns_and_index_do_not_matter() -> None:
    configs, params = drawn(MIXED, 5)
    frame = pd.DataFrame(params, index=[f"row {i}" for i in range(len(params))])
    assert asked(MIXED, frame[sorted(frame.columns, reverse=True)]) == configs


def test_numbers_that_are_reals_stay_so() -> None:
    space = Space({"x": uniform(0, 4), "a": [1.0, 2.0], "b": [1, 2], "n": randint(0, 4)})
    frame = pd.DataFrame({"x": [2.0, 3.5], "a": [1.0, 2.0], "b": [2.0, 1.0], "n": [3.0, 0.0]})
    read = [space.params(config) for config in asked(space, frame)]
    assert read == [{"x": 2.0, "a": 1.0, "b": 2, "n": 3}, {"x": 3.5, "a": 2.0, "b": 1, "n": 0}]
    types = {name: type(value) for name, value in read[0].items()}
    assert types == {"x": float, "a": float, "b": int, "n": int}


def test_mean_and_standard_deviation_are_the_models() -> None:
    sampler = NearestSampler().bind(MIXED, 0)
    history = search(sampler, 8)
    surrogate = sampler.surrogate(history)
    model = Nearest(MIXED, history)
    configs, params = drawn(MIXED, 9)
    mean, sd = surrogate.predict(params, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(configs)[0])
    np.testing.assert_array_equal(sd, model.predict(configs)[1])
    np.testing.assert_array_equal(surrogate.predict(pd.DataFrame(params)), mean)


SIMPLE = Space({"x": uniform(0, 1), "n": randint(1, 4), "k": when(["a"], n=2)})
BAD = [
    ({"x": 0.5, "n": 1, "lr": 2}, "Parameter 'lr' is not searched"),
    ({"x": 2.0, "n": 1}, r"Parameter 'x': 2.0 is not a number in \[0.0, 1.0\]"),
    ({"x": 0.5, "n": 7}, "Parameter 'n': 7 cannot come from"),
    ({"x": 0.5, "n": 1, "k": "a"}, "Parameter 'k' does not exist under these conditions"),
    ({"x": 0.5, "n": 2, "k": "b"}, "Parameter 'k': 'b' is not one of"),
    ({"n": 1}, "Parameter 'x' is missing"),
]


@pytest.mark.parametrize("container", [list, pd.DataFrame])
@pytest.mark.parametrize(("params", "message"), BAD)
def test_params_that_are_not_in_the_space(container: Any, params: Any, message: str) -> None:
    good = {"x": 0.25, "n": 3}
    with pytest.raises(ValueError, match=rf"params\[1\]: {message}"):
        asked(SIMPLE, container([good, params]))


@pytest.mark.parametrize("params", [{"x": 0.5, "n": 1}, [("x", 0.5)], np.zeros((2, 2))])
def test_params_that_are_no_dicts(params: Any) -> None:
    with pytest.raises(TypeError, match=r"list of dicts; params\[0\] is "):
        asked(SIMPLE, params)


def test_the_first_objection_to_a_row_is_the_one_that_is_told() -> None:
    space = Space({"a": [None, 1], "b": [None, 2], "x": uniform(0, 1)})
    frame = pd.DataFrame([{"a": None, "b": 2, "x": 7.0}])
    with pytest.raises(ValueError, match=r"params\[0\]: Parameter 'x': 7.0"):
        asked(space, frame)


def test_what_is_not_read() -> None:
    params = [{"x": 0.5, "n": 1, "epochs": 3}, {"x": 0.5, "n": 2, "k": "a", "epochs": 9}]
    for rows in (params, pd.DataFrame(params)):
        assert asked(SIMPLE, rows, ignored=("epochs",)) == [(None, 1, 0.5), (0, 2, 0.5)]
    with pytest.raises(ValueError, match="'epochs' is not searched"):
        asked(SIMPLE, params)


def test_a_sampler_without_a_model() -> None:
    sampler = RandomSampler().bind(SIMPLE, 0)
    assert sampler.surrogate(search(sampler, 4)) is None


def test_pickle() -> None:
    sampler = NearestSampler().bind(MIXED, 0)
    surrogate = sampler.surrogate(search(sampler, 8))
    _, params = drawn(MIXED, 2)
    copy = pickle.loads(pickle.dumps(surrogate))
    for one, other in zip(*(s.predict(params, True) for s in (copy, surrogate)), strict=True):
        np.testing.assert_array_equal(one, other)
