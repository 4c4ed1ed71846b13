from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    train_test_split,
)

from sk_hpo.validation.splits import HoldoutValidation, hold_out, train_validation_test_split

seeds = st.integers(0, 2**32 - 1)
IRIS, SPECIES = load_iris(return_X_y=True)


def rows_of(n, **how):
    """Return the row numbers of the three parts."""
    return train_validation_test_split(np.arange(n), **how)


def asked(size, n):
    return math.ceil(size * n) if isinstance(size, float) else size


# -- what any split promises ---------------------------------------------------------------

sizes = st.one_of(st.floats(0.01, 0.45), st.integers(1, 30))


@given(st.integers(70, 300), sizes, sizes, seeds)
def test_parts_are_disjoint_complete_and_of_the_sizes_asked_for(n, validation, test, seed):
    assume(asked(validation, n) + asked(test, n) < n)
    parts = rows_of(n, validation_size=validation, test_size=test, random_state=seed)
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert [len(part) for part in parts[1:]] == [asked(validation, n), asked(test, n)]


@given(st.integers(20, 200), sizes, st.integers(1, 5), seeds, st.booleans())
def test_test_rows_are_those_of_train_test_split(n, size, n_classes, seed, stratified):
    y = np.array([f"c{i % n_classes}" for i in range(n)]) if stratified else None
    try:
        train, test = train_test_split(
            np.arange(n), test_size=size, stratify=y, random_state=seed
        )
    except ValueError:
        assume(False)
    assume(y is None or set(y[test]) == set(y[train]) == set(y))
    rest, held = hold_out(n, size=size, stratify=y, random_state=seed)
    assert held.tolist() == sorted(test)
    assert rest.tolist() == sorted(train)
    assert rest.dtype.kind == held.dtype.kind == "i"


@pytest.mark.parametrize(
    "stratify",
    [SPECIES, SPECIES.astype(str), pd.Series(SPECIES, dtype="category"), pl.Series(SPECIES)]
    + [list(SPECIES), np.stack([SPECIES == 0, SPECIES == 1], axis=1).astype(int), None],
    ids=["ints", "strings", "categories", "polars", "list", "multilabel", "none"],
)
def test_the_three_parts_are_two_calls_of_train_test_split(stratify):
    rng = np.random.RandomState(7)
    rest, test = train_test_split(
        np.arange(150), test_size=0.2, stratify=stratify, random_state=rng
    )
    train, validation = train_test_split(
        rest,
        test_size=45,
        stratify=None if stratify is None else np.asarray(stratify)[rest],
        random_state=rng,
    )
    parts = rows_of(150, validation_size=0.3, stratify=stratify, random_state=7)
    for part, expected in zip(parts, (train, validation, test), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_int_or_instance_or_none_as_random_state():
    again = rows_of(50, random_state=3)
    for part, other in zip(rows_of(50, random_state=3), again, strict=True):
        np.testing.assert_array_equal(part, other)
    rng = np.random.RandomState(3)
    first, second = rows_of(50, random_state=rng), rows_of(50, random_state=rng)
    np.testing.assert_array_equal(first[2], again[2])
    assert second[2].tolist() != again[2].tolist()
    assert {tuple(hold_out(50, size=5)[1]) for _ in range(5)} != {tuple(again[2])}


def test_number_of_rows_or_the_rows():
    for X in (np.zeros((40, 2)), sparse.eye_array(40).tocsr(), pd.Series(range(40)), [0] * 40):
        for by_rows, by_number in zip(
            hold_out(X, size=7, random_state=0),
            hold_out(np.int64(40), size=7, random_state=0),
            strict=True,
        ):
            np.testing.assert_array_equal(by_rows, by_number)


# -- classes -------------------------------------------------------------------------------


@given(
    st.lists(st.integers(12, 60), min_size=1, max_size=6),
    st.floats(0.2, 0.4),
    st.floats(0.2, 0.4),
    seeds,
)
def test_every_class_is_within_one_row_of_its_share(counts, validation, test, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = rows_of(
        len(y), validation_size=validation, test_size=test, stratify=y, random_state=seed
    )
    train, validation, test = (np.bincount(y[p], minlength=len(counts)) for p in parts)
    counts = np.array(counts)
    assert (np.abs(test - counts * len(parts[2]) / len(y)) < 1).all()
    left, n_left = counts - test, len(y) - len(parts[2])
    assert (np.abs(validation - left * len(parts[1]) / n_left) < 1).all()
    assert (np.abs(train - left * len(parts[0]) / n_left) < 1).all()
    assert min(train.min(), validation.min(), test.min()) >= 1


def test_distinct_rows_of_several_outputs_are_the_classes():
    y = np.array(list(product([0, 1], [0, 1])) * 10)
    for stratify in (y, sparse.csr_matrix(y), pd.DataFrame(y)):
        parts = rows_of(40, stratify=stratify, random_state=0)
        for part, each in zip(parts, (6, 2, 2), strict=True):
            assert np.unique(y[part], axis=0, return_counts=True)[1].tolist() == [each] * 4


# -- groups --------------------------------------------------------------------------------

groupings = st.lists(st.integers(1, 9), min_size=3, max_size=25)


def grouped(group_sizes, seed):
    return np.random.default_rng(seed).permutation(
        np.repeat([f"g{i}" for i in range(len(group_sizes))], group_sizes)
    )


@given(groupings, st.floats(0.05, 0.45), st.floats(0.05, 0.45), seeds)
def test_groups_never_straddle(group_sizes, validation, test, seed):
    groups = grouped(group_sizes, seed)
    n = len(groups)
    assume(asked(validation, n) + asked(test, n) < n)
    parts = rows_of(
        n, validation_size=validation, test_size=test, groups=groups, random_state=seed
    )
    assert sorted(np.concatenate(parts)) == list(range(n))
    members = [set(groups[part]) for part in parts]
    assert all(members)
    assert sum(map(len, members)) == len(group_sizes)
    for part in parts:
        assert part.tolist() == sorted(part)


@given(groupings, st.floats(0.02, 0.95), seeds)
def test_held_groups_are_as_near_to_the_size_as_promised(group_sizes, size, seed):
    groups = grouped(group_sizes, seed)
    target = asked(size, len(groups))
    assume(target < len(groups))
    rest, held = hold_out(len(groups), size=size, groups=groups, random_state=seed)
    inside = np.unique(groups[held], return_counts=True)[1]
    outside = np.unique(groups[rest], return_counts=True)[1]
    excess = len(held) - target
    assert 2 * excess <= inside.min() or len(inside) == 1
    assert -2 * excess <= outside.min() or len(outside) == 1


def distance(held, groups, y, target):
    """The promise of hold_out, counted row by row."""
    return sum(
        (np.mean([group in held for group in groups[y == label]]) - target) ** 2
        for label in np.unique(y)
    )


@given(groupings, st.integers(2, 3), st.floats(0.1, 0.5), seeds)
def test_no_group_could_change_sides_for_better_class_shares(group_sizes, k, size, seed):
    groups = grouped(group_sizes, seed)
    y = np.random.default_rng(seed).integers(k, size=len(groups))
    n_held = asked(size, len(groups))
    assume(n_held < len(groups))
    try:
        rest, held = hold_out(
            len(groups), size=size, groups=groups, stratify=y, random_state=seed
        )
    except ValueError as error:
        assume("do not stratify" not in str(error))
        raise
    inside, outside = set(groups[held]), set(groups[rest])
    assert not inside & outside
    assert set(y[held]) == set(y[rest]) == set(y)
    assume(min(len(inside), len(outside)) > 1)
    reached = distance(inside, groups, y, n_held / len(groups))
    for group in inside | outside:
        moved = distance(inside ^ {group}, groups, y, n_held / len(groups))
        assert moved > reached - 1e-6


def test_stratified_groups_have_nearly_the_shares_asked_for():
    rng = np.random.default_rng(0)
    groups = rng.integers(200, size=4000)
    y = (rng.random(4000) < rng.random(200)[groups]).astype(int)
    parts = rows_of(4000, stratify=y, groups=groups, random_state=0)
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) - share * 4000) < 10
        assert abs(y[part].mean() - y.mean()) < 0.01


def test_every_group_has_its_turn():
    groups = np.repeat(np.arange(6), 5)
    turns = np.zeros(6)
    for seed in range(300):
        turns[
            np.unique(groups[hold_out(30, size=10, groups=groups, random_state=seed)[1]])
        ] += 1
    assert (np.abs(turns - 100) < 35).all()  # four standard deviations


@pytest.mark.parametrize("seed", range(8))
def test_where_every_group_is_too_big_the_smallest_is_held_out(seed):
    groups = np.repeat(["a", "b", "c", "d"], [30, 10, 6, 50])
    held = hold_out(96, size=2, groups=groups, random_state=seed)[1]
    assert set(groups[held]) == {"c"}


def test_as_many_groups_as_parts():
    parts = rows_of(60, groups=np.repeat(["a", "b", "c"], [1, 58, 1]), random_state=0)
    assert sorted(map(len, parts)) == [1, 1, 58]
    assert len(parts[0]) == 58


# -- time ----------------------------------------------------------------------------------


@given(st.integers(12, 100), sizes, sizes, st.integers(0, 20))
def test_time_runs_from_train_to_test(n, validation, test, gap):
    n_validation, n_test = asked(validation, n), asked(test, n)
    assume(n_validation + n_test + 2 * gap < n)
    parts = rows_of(n, validation_size=validation, test_size=test, time_ordered=True, gap=gap)
    expected = list(range(n))
    assert parts[2].tolist() == expected[n - n_test :]
    assert parts[1].tolist() == expected[n - n_test - gap - n_validation : n - n_test - gap]
    assert parts[0].tolist() == expected[: n - n_test - n_validation - 2 * gap]


def test_hold_out_of_the_last_rows():
    rest, held = hold_out(10, size=3, time_ordered=True, gap=2)
    assert (rest.tolist(), held.tolist()) == ([0, 1, 2, 3, 4], [7, 8, 9])


# -- types ---------------------------------------------------------------------------------


def test_types_are_kept_and_rows_stay_together():
    numbers = np.arange(20)
    arrays = {
        "array": (numbers, lambda part: part),
        "list": (numbers.tolist(), np.array),
        "frame": (pd.DataFrame({"a": numbers}, index=numbers + 5), lambda p: p["a"].to_numpy()),
        "series": (pd.Series(numbers), lambda part: part.to_numpy()),
        "polars": (pl.DataFrame({"a": numbers}), lambda part: part["a"].to_numpy()),
        "sparse": (sparse.csr_array(numbers[:, None]), lambda part: part.toarray()[:, 0]),
        "coo": (sparse.coo_matrix(numbers[:, None]), lambda part: part.toarray()[:, 0]),
    }
    parts = train_validation_test_split(*(a for a, _ in arrays.values()), random_state=0)
    assert len(parts) == 3 * len(arrays)
    for i, (name, (array, back)) in enumerate(arrays.items()):
        for part, rows in zip(parts[3 * i : 3 * i + 3], parts[:3], strict=True):
            np.testing.assert_array_equal(back(part), rows)
            assert name == "coo" or type(part) is type(array)


# -- a fixed validation set ----------------------------------------------------------------

MASK = np.arange(150) % 5 == 2


@pytest.mark.parametrize(
    "indices",
    [MASK, MASK.tolist(), np.flatnonzero(MASK), np.flatnonzero(MASK)[::-1].tolist()]
    + [pd.Series(MASK), range(2, 150, 5), np.flatnonzero(MASK).astype(np.uint8)],
)
def test_row_numbers_or_a_mask(indices):
    expected = PredefinedSplit(np.where(MASK, 0, -1))
    for cv in (HoldoutValidation(indices), HoldoutValidation(indices=indices)):
        (split,) = cv.split(IRIS)
        for rows, others in zip(split, next(expected.split()), strict=True):
            np.testing.assert_array_equal(rows, others)
        assert cv.get_n_splits() == 1
        assert cv.joined(IRIS, SPECIES, {"a": 1}) == (IRIS, SPECIES, {"a": 1}, cv)


def test_as_the_cv_of_a_search():
    searches = [
        GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.01, 1.0]}, cv=cv)
        for cv in (HoldoutValidation(MASK), PredefinedSplit(np.where(MASK, 0, -1)))
    ]
    ours, theirs = (clone(search).fit(IRIS, SPECIES) for search in searches)
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([], "names 0 of 150"),
        (np.arange(150), "names 150 of 150"),
        (MASK[:100], r"mask of shape \(100,\) for 150"),
        ([3, 150], "1 row number.* such as 150, but X has the rows 0 to 149"),
        ([-1], "such as -1"),
        ([[1, 2]], r"shape \(1, 2\)"),
        ([0.5], "dtype float64"),
    ],
)
def test_indices_that_do_not_fit(indices, message):
    with pytest.raises(ValueError, match=message):
        next(HoldoutValidation(indices=indices).split(IRIS))


@pytest.mark.parametrize(
    "given",
    [{}, {"X_val": IRIS, "indices": [1]}, {"indices": [1], "y_val": SPECIES}]
    + [{"indices": [1], "params": {"sample_weight": [1.0]}}, {"y_val": SPECIES}],
)
def test_either_rows_or_which_rows(given):
    with pytest.raises(TypeError, match=r"HoldoutValidation|with indices"):
        HoldoutValidation(**given)


@pytest.mark.parametrize(
    "X_val", [IRIS, ["some", "text"], [[1, 2], [3]], np.zeros(3), sparse.csr_array(IRIS)]
)
def test_rows_are_not_taken_for_row_numbers(X_val):
    assert HoldoutValidation(X_val).X_val is X_val


def test_rows_beside_x_must_be_joined_first():
    cv = HoldoutValidation(IRIS[:30], SPECIES[:30])
    with pytest.raises(ValueError, match=r"call joined\(X, y\) first"):
        next(cv.split(IRIS[30:]))


def test_repr():
    assert repr(HoldoutValidation(list(range(9)))) == "HoldoutValidation(indices=<9 list>)"
    cv = HoldoutValidation(pd.DataFrame(IRIS), SPECIES, params={"sample_weight": SPECIES})
    assert repr(cv) == (
        "HoldoutValidation(X_val=<150 x 4 DataFrame>, y_val=<150 ndarray>,"
        " params=['sample_weight'])"
    )
