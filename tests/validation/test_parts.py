from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.validation.splits import hold_out, train_validation_test_split

seeds = st.integers(0, 2**32 - 1)


def rows_of(n, **how):
    """Return the row numbers of the three parts."""
    return train_validation_test_split(np.arange(n), **how)


ONE_OF_A_KIND = ["a"] * 9 + ["b"] * 10 + ["c"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"stratify": ONE_OF_A_KIND}, r"c has 1\): merge or drop"),
        ({"stratify": ["a"] * 18 + ["b"] * 2}, r"too few rows for 3 parts \(b has 2\)"),
        ({"stratify": ["a"] * 17 + ["b"] * 3, "test_size": 2}, "test_size leaves 0 row"),
        (
            {"stratify": list("abcde") * 4},
            "5 classes, too many for the 4 row.* validation_size",
        ),
        ({"stratify": list("ab") * 10, "test_size": 18, "validation_size": 1}, "too many"),
        ({"stratify": np.linspace(0, 1, 20)}, "continuous values"),
        ({"stratify": ["a"] * 19}, "stratify has 19 values for 20 rows"),
        ({"stratify": [None, "a"] * 10}, "stratify has values of type NoneType, str"),
        ({"groups": pd.array(["a", pd.NA] * 10, object)}, "type NAType, str: .* none missing"),
        ({"stratify": [np.nan, 1.0] * 10}, "stratify contains NaN"),
        ({"groups": [1, 2] * 10}, r"2 distinct value\(s\), too few for 3 parts"),
        ({"groups": [1] * 21}, "groups has 21 values for 20 rows"),
        ({"groups": np.ones((20, 2))}, r"groups has shape \(20, 2\)"),
        (
            {"groups": np.arange(20) // 5, "stratify": [0] * 10 + [1] * 10},
            r"2 class\(es\) have too few groups for 3 parts \(0 has 2, 1 has 2\)",
        ),
        ({"test_size": 0.9, "validation_size": 0.1}, "leave none to train on"),
        ({"test_size": 0.5, "validation_size": 0.6}, "leave none to train on"),
        ({"test_size": 10, "validation_size": 10}, "leave none to train on"),
        ({"test_size": 0}, "test_size=0 must be"),
        ({"validation_size": -3}, "validation_size=-3 must be"),
        ({"test_size": 1.0}, "test_size=1.0 must be"),
        ({"test_size": 0.0}, "test_size=0.0 must be"),
        ({"test_size": True}, "test_size=True must be"),
        ({"test_size": "0.2"}, "test_size='0.2' must be"),
        ({"test_size": None}, "test_size=None must be"),
        ({"time_ordered": True, "stratify": [0, 1] * 10}, "leave out stratify, or"),
        ({"time_ordered": True, "groups": [0] * 20, "random_state": 1}, "groups and random"),
        ({"time_ordered": True, "gap": 6}, "gap=6 leave none of 20 rows"),
        ({"time_ordered": True, "gap": -1}, "gap=-1 must be"),
        ({"time_ordered": True, "gap": 0.5}, "gap=0.5 must be"),
        ({"gap": 1}, "give time_ordered=True too"),
        ({"random_state": "x"}, "'x' cannot be used to seed"),
    ],
)
def test_impossible_requests(how, message):
    with pytest.raises(ValueError, match=message):
        rows_of(20, **how)


def test_impossible_requests_leave_the_random_state_alone():
    rng = np.random.RandomState(0)
    for how in ({"stratify": ONE_OF_A_KIND}, {"groups": [1, 2] * 10}, {"test_size": 20}):
        with pytest.raises(ValueError, match=r"class|groups|rows"):
            rows_of(20, random_state=rng, **how)
    assert rng.randint(10**6) == np.random.RandomState(0).randint(10**6)


def test_nothing_to_split_or_different_lengths():
    with pytest.raises(ValueError, match="at least one array"):
        train_validation_test_split()
    with pytest.raises(ValueError, match=r"\[20, 19\]"):
        train_validation_test_split(list(range(20)), np.zeros(19))


@pytest.mark.parametrize("size", [19, 0.99])
def test_the_held_out_part_may_leave_one_row(size):
    if size == 0.99:
        with pytest.raises(ValueError, match=r"test_size=0.99 of 20 rows leave none"):
            hold_out(20, size=size, name="test_size")
    else:
        assert len(hold_out(20, size=size, random_state=0)[0]) == 1


@given(seeds)
def test_a_class_that_the_draw_empties(seed):
    y = np.array([0] * 98 + [1] * 2)  # 0.2 rows of class 1 in the held-out part
    with pytest.raises(ValueError, match=r"size leaves 0 row.* of class 1, which has 2 of 100"):
        hold_out(100, size=0.1, stratify=y, random_state=seed)
