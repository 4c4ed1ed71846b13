"""Exact sums over the boxes of trees, against brute force over all cells of the cube."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from sk_hpo.inspection.importance.axes import Axis, Encoding, whole_conditions
from sk_hpo.inspection.importance.boxes import boxes_of
from sk_hpo.inspection.importance.fanova import Decomposition

N_CELLS = 16  # of a continuous axis; trees split between them


def encoding_of(kinds, parents):
    """Axes by kind; `parents` says on which levels of an earlier axis one depends."""
    sizes = {"real": N_CELLS, "three": 3, "five": 5, "two": 2}
    conditions = []
    for given_ in parents:
        conditions.append({k: np.isin(np.arange(sizes[kinds[k]]), on) for k, on in given_})
    axes = []
    for j, (kind, exists) in enumerate(zip(kinds, whole_conditions(conditions), strict=True)):
        if kind == "real":
            axes.append(Axis(f"p{j}", exists=exists))
        elif kind == "five":  # ordered, and not of one width
            edges = np.array([0.0, 0.1, 0.35, 0.5, 0.9, 1.0])
            axes.append(Axis(f"p{j}", edges, exists=exists))
        else:
            axes.append(Axis.of_levels(f"p{j}", sizes[kind], True, exists))
    return Encoding(axes)


def grid_of(encoding):
    """All cells of the cube: points (in the middle), and their shape and weights."""
    middles, weights = [], []
    for axis in encoding.axes:
        edges = np.linspace(0, 1, N_CELLS + 1) if axis.edges is None else axis.edges
        middles.append((edges[1:] + edges[:-1]) / 2)
        weights.append(np.diff(edges))
    points = np.array(list(product(*middles)))
    return points, tuple(map(len, middles)), weights


def some_of(points, encoding, n, rng):
    """Points to grow a tree on, so that it splits between the cells of the grid."""
    found = points[rng.integers(len(points), size=n)].copy()
    for j, axis in enumerate(encoding.axes):
        if axis.edges is None:
            found[:, j] = (np.floor(found[:, j] * N_CELLS / 2) + 0.5) / (N_CELLS / 2)
    return found


def by_brute_force(values, weights, chosen):
    """The variance of the marginal of some axes, of values on the whole grid."""
    for j in range(values.ndim):
        if j not in chosen:
            shape = [-1 if k == j else 1 for k in range(values.ndim)]
            mean = (values * weights[j].reshape(shape)).sum(axis=j, keepdims=True)
            values = np.broadcast_to(mean, values.shape)
    everywhere = np.ones(())
    for w in weights:
        everywhere = np.multiply.outer(everywhere, w)
    mean = (values * everywhere).sum()
    return ((values - mean) ** 2 * everywhere).sum()


SPACES = {
    "continuous": (("real", "real", "real"), ((), (), ())),
    "all kinds": (("real", "three", "five", "two"), ((), (), (), ())),
    "one condition": (("three", "real", "real"), ((), ((0, (0, 2)),), ((0, (1,)),))),
    "a chain": (("five", "three", "real"), ((), ((0, (1, 2, 4)),), ((1, (2,)),))),
    "a conjunction": (("two", "three", "five", "real"), ((), (), (), ((0, (1,)), (1, (0, 1))))),
    "categories that may be absent": (
        ("two", "three", "three", "real"),
        ((), ((0, (0,)),), ((1, (0, 1)), (0, (0,))), ((2, (1,)),)),
    ),
}


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), depth=st.sampled_from([1, 3, None]))
def test_variances_of_a_tree_are_those_of_its_predictions(space, seed, depth):
    encoding = encoding_of(*SPACES[space])
    points, shape, weights = grid_of(encoding)
    rng = np.random.default_rng(seed)
    train = some_of(points, encoding, 60, rng)
    tree = DecisionTreeRegressor(max_depth=depth, max_features=0.7, random_state=seed % 997)
    tree.fit(encoding.columns(encoding.existing(train)), rng.normal(size=60) ** 3)

    # What the tree says at each point of the cube: the config made from it is predicted.
    values = tree.predict(encoding.columns(encoding.existing(points))).reshape(shape)
    parts = Decomposition(boxes_of(tree.tree_, encoding))

    d = len(shape)
    assert parts.variance == pytest.approx(by_brute_force(values, weights, range(d)), abs=1e-10)
    mains = [by_brute_force(values, weights, [j]) for j in range(d)]
    assert parts.main_effects == pytest.approx(np.array(mains), abs=1e-10)
    for j, k in combinations(range(d), 2):
        both = by_brute_force(values, weights, [j, k]) - mains[j] - mains[k]
        assert parts.interaction(j, k) == pytest.approx(both, abs=1e-10)


def test_marginals_are_means_of_predictions():
    encoding = encoding_of(*SPACES["one condition"])
    points, shape, weights = grid_of(encoding)
    rng = np.random.default_rng(0)
    train = some_of(points, encoding, 200, rng)
    y = train[:, 0] + np.where(train[:, 0] < 0.3, train[:, 1], 0) + rng.normal(size=200)
    tree = DecisionTreeRegressor(random_state=0)
    tree.fit(encoding.columns(encoding.existing(train)), y)
    values = tree.predict(encoding.columns(encoding.existing(points))).reshape(shape)
    parts = Decomposition(boxes_of(tree.tree_, encoding))
    expected = values @ weights[2] @ weights[1]
    assert parts.marginal(0) + parts.mean == pytest.approx(expected, abs=1e-12)
