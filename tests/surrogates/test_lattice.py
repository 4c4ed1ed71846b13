from __future__ import annotations

import numpy as np

from sk_hpo.surrogates.lattice import Dependency, Lattice

NAN = np.nan
CHAIN = Lattice(
    levels=(np.array([0.25, 0.75]), np.array([0.1, 0.2, 0.6]), None),
    categorical=np.array([True, False, False]),
    dependencies=(
        Dependency(column=1, parent=0, values=np.array([0.75])),
        Dependency(column=2, parent=1, values=np.array([0.1, 0.6])),
    ),
)


def test_snap_takes_the_nearest_level_and_what_depends_on_it() -> None:
    u = np.array([[0.6, 0.16, 0.3], [0.6, 0.0, 0.3], [0.6, 1.0, 1.0], [0.4, 0.1, 0.3]])
    expected = [[0.75, 0.2, NAN], [0.75, 0.1, 0.3], [0.75, 0.6, 1.0], [0.25, NAN, NAN]]
    np.testing.assert_array_equal(CHAIN.snap(u), expected)


def test_snap_leaves_its_argument_and_its_results_alone() -> None:
    u = np.random.default_rng(0).random((50, 3))
    before = u.copy()
    x = CHAIN.snap(u)
    np.testing.assert_array_equal(u, before)
    np.testing.assert_array_equal(CHAIN.snap(np.where(np.isnan(x), u, x)), x)


def test_relaxed_columns() -> None:
    np.testing.assert_array_equal(CHAIN.relaxed(3), [False, False, True])
    np.testing.assert_array_equal(CHAIN.relaxed(2), [False, True, True])


def test_neighbours_change_one_column_with_levels() -> None:
    u = np.array([0.25, 0.2, 0.4])
    expected = [
        *([0.25, 0.2, 0.4], [0.75, 0.2, 0.4]),
        *([0.25, 0.1, 0.4], [0.25, 0.2, 0.4], [0.25, 0.6, 0.4]),
    ]
    np.testing.assert_array_equal(CHAIN.neighbours(u, 5), expected)


def test_of_many_ordered_levels_the_nearest_are_neighbours() -> None:
    levels = np.linspace(0, 1, 101)
    lattice = Lattice((levels,), np.array([False]))
    for u in (0.0, 0.5, 1.0):
        near = lattice.neighbours(np.array([u]), 8)[:, 0]
        assert len(near) == 8
        assert np.all(np.abs(near - u) <= 0.0801)
    unordered = Lattice((levels,), np.array([True]))
    assert len(unordered.neighbours(np.array([0.5]), 8)) == 101


def test_continuous_columns_have_no_neighbours() -> None:
    lattice = Lattice((None, None), np.zeros(2, dtype=bool))
    assert lattice.neighbours(np.array([0.5, 0.5]), 8).shape == (0, 2)
