from __future__ import annotations

from itertools import islice

import pytest
from contracts.sampler import GRIDS, SamplerContract
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import randint, uniform
from sklearn.model_selection import ParameterGrid

from sk_hpo.samplers.grid import GridSampler
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.trial import Trial


class TestContract(SamplerContract):
    finite = GRIDS
    infinite = {}  # noqa: RUF012

    def make(self) -> GridSampler:
        return GridSampler()


def grid(space: Space, n: int = 10_000) -> list[dict]:
    return [space.params(c) for c in GridSampler().bind(space, seed=0).suggest([], n)]


dicts = st.dictionaries(
    st.sampled_from(["C", "kernel", "alpha", "clf__C"]),
    st.lists(
        st.one_of(st.integers(0, 3), st.none(), st.sampled_from("uvw")), min_size=1, max_size=4
    ),
    max_size=3,
)


@given(st.one_of(dicts, st.lists(dicts, min_size=1, max_size=3)))
def test_same_as_parameter_grid(param_grid):
    expected = list(ParameterGrid(param_grid))
    actual = grid(Space(param_grid))
    assert actual == expected
    assert [list(params) for params in actual] == [list(params) for params in expected]


def test_one_by_one_is_the_same():
    space = Space([{"a": [1, 2], "b": ["u", "v"]}, {"c": [None]}])
    sampler = GridSampler().bind(space, seed=0)
    history: list[Trial] = []
    while configs := sampler.suggest(history):
        history.append(Trial(len(history), configs[0]))
    assert [space.params(t.config) for t in history] == grid(space)


def test_first_of_a_huge_grid():
    param_grid = {f"p{i}": list(range(10)) for i in range(12)}
    assert grid(Space(param_grid), n=3) == list(islice(ParameterGrid(param_grid), 3))


def test_conditions():
    space = Space({"solver": ["sgd", "adam"], "momentum": when([0.0, 0.9], solver="sgd")})
    assert grid(space) == [
        {"momentum": 0.0, "solver": "sgd"},
        {"momentum": 0.9, "solver": "sgd"},
        {"solver": "adam"},
    ]


@pytest.mark.parametrize("distribution", [uniform(0, 1), randint(0, 3)])
def test_distribution_is_an_error(distribution):
    space = Space({"a": [1, 2], "alpha": distribution})
    with pytest.raises(ValueError, match=r"Parameter 'alpha' is a distribution.* list"):
        GridSampler().bind(space, seed=0)
