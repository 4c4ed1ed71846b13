"""Conditions are read off trials: those that a space was given come back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import randint, uniform

from sk_hpo import Space, when
from sk_hpo.inspection.importance.existence import conditions_of

SPACES = {
    "one value": {"a": ["p", "q", "r"], "b": uniform(), "c": when(uniform(), a="q")},
    "several values": {"a": ["p", "q", "r"], "c": when([1, 2, 3], a=["p", "r"]), "d": [1, 2]},
    "a chain": {
        "a": ["p", "q"],
        "b": when([1, 2, 4], a="p"),
        "c": when(uniform(), b=[2, 4]),
        "d": ["x", "y", "z"],
    },
    "two at once": {
        "a": ["p", "q", "r"],
        "b": [True, False],
        "c": when(uniform(), a=["p", "q"], b=True),
        "d": [0, 1],
    },
    "a depth": {
        "n": randint(1, 6),
        **{f"u{i}": when(uniform(), n=range(i, 6)) for i in (2, 4)},
    },
}


@pytest.mark.parametrize("name", SPACES)
def test_conditions_come_back(name):
    space = Space(SPACES[name])
    rng = np.random.default_rng(0)
    configs = [space.sample(rng) for _ in range(120)]
    dimensions = space.dimensions
    starts = [min(d.domain.levels()) if np.isfinite(d.n_levels) else 0 for d in dimensions]

    def levels_of(config):
        pairs = zip(config, starts, dimensions, strict=True)
        return [
            -1 if code is None else int(code - low) if np.isfinite(d.n_levels) else 0
            for code, low, d in pairs
        ]

    levels = np.array([levels_of(config) for config in configs])
    sizes = [int(d.n_levels) if np.isfinite(d.n_levels) else None for d in dimensions]
    found = conditions_of(levels, sizes, [d.kind != "categorical" for d in dimensions])
    for condition, dimension in zip(found, dimensions, strict=True):
        clauses = dimension.condition.clauses if dimension.condition else ()
        expected = {
            c.dimension: {int(code) - starts[c.dimension] for code in c.codes} for c in clauses
        }
        assert {k: set(np.flatnonzero(ok)) for k, ok in condition.items()} == expected


def test_no_rule_is_none():
    levels = np.array([[0, 0], [0, -1], [1, 0], [1, -1]])
    assert conditions_of(levels, [2, None], [True, True]) == [{}, None]


def test_levels_never_tried_are_as_the_next_one_if_ordered():
    levels = np.array([[0, -1], [1, -1], [4, 0], [5, 0]])
    [_, ordered] = conditions_of(levels, [8, None], [True, True])
    assert ordered[0].tolist() == [False] * 3 + [True] * 5
    [_, listed] = conditions_of(levels, [8, None], [False, True])
    assert np.flatnonzero(listed[0]).tolist() == [4, 5]
