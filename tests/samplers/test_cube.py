from __future__ import annotations

import numpy as np
from contracts.by_run import branch, loop, space_of, threshold
from contracts.spaces import FINITE, MIXED, SQUARE
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo.samplers.cube import Cube

ALL = (SQUARE, MIXED, FINITE, space_of(branch), space_of(loop), space_of(threshold))


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_the_lattice_is_the_space(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for space in ALL:
        cube = Cube(space)
        u = rng.random((20, len(space.dimensions)))
        x = cube.lattice.snap(u)
        for row in np.concatenate([x, cube.lattice.snap(np.where(np.isnan(x), u, x))]):
            config = cube.config(row)
            assert config == space.from_cube(np.nan_to_num(row, nan=0.5))
            np.testing.assert_allclose(cube.rows([config])[0], row, rtol=0, atol=2.0**-30)
            assert cube.config(row) == config


def test_optional_columns_are_those_that_a_config_may_lack() -> None:
    rng = np.random.default_rng(0)
    for space in ALL:
        rows = Cube(space).rows([space.sample(rng) for _ in range(200)])
        np.testing.assert_array_equal(Cube(space).optional, np.isnan(rows).any(axis=0))


def test_inside_is_off_the_bounds_of_a_real_parameter() -> None:
    cube = Cube(MIXED)
    u = np.full(len(MIXED.dimensions), 0.5)
    for j, dimension in enumerate(MIXED.dimensions):
        v = np.ones_like(u)
        v[j] = 0.5
        real = dimension.kind == "real" and dimension.condition is None
        assert cube.inside(v) == real
    assert not cube.inside(np.zeros_like(u))
