from __future__ import annotations

import datetime as dt
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from sk_hpo.validation.row_hashes import half_hashes, hashes_or_none, row_hashes

torch = pytest.importorskip("torch")

GOLDEN = [
    9215324193217173736,
    12461535947056817319,
]  # fingerprints that were pickled must still compare

CONTAINERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "object": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
    "3-d": lambda X: X[:, None, :],
    "4-d, channels moved": lambda X: np.moveaxis(X[:, :, None, None], 1, 3),
    "dict": lambda X: {"a": X[:, :1], "b": X[:, 1:]},
    "dict of columns": lambda X: {f"c{j}": X[:, j] for j in range(X.shape[1])},
    "structured": lambda X: np.rec.fromarrays(list(X.T)),
    "DataFrame": pd.DataFrame,
    "DataFrame of two dtypes": lambda X: pd.DataFrame(X).astype({0: object}),
    "polars": lambda X: pl.DataFrame({f"c{j}": X[:, j] for j in range(X.shape[1])}),
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "tensor": lambda X: torch.tensor(X.astype(np.float64)),
}


def groups(keys) -> list[int]:
    """Return for each key where it occurs first."""
    first: dict = {}
    return [first.setdefault(key, i) for i, key in enumerate(keys)]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", "uint32", "int64", "f4", "f8"]
)
def test_a_hash_is_of_values_not_of_their_container_or_dtype(container, dtype):
    X = np.random.default_rng(0).integers(0, 2, (40, 3))
    hashes = row_hashes(CONTAINERS[container](X.astype(dtype)))
    assert hashes.dtype == np.uint64
    np.testing.assert_array_equal(hashes, row_hashes(X))


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    dtype=st.sampled_from(["bool", "i1", "u1", "i2", "i4", "u8", "i8", "f2", "f4", "f8"]),
    container=st.sampled_from(["C", "F", "strided", "list", "3-d", "DataFrame", "csr", "dict"]),
)
def test_rows_have_equal_hashes_just_when_they_are_equal(data, dtype, container):
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 4)))
    X = data.draw(arrays(np.dtype(dtype), shape))
    keys = [tuple("nan" if v != v else v for v in row) for row in X.tolist()]
    assert groups(row_hashes(CONTAINERS[container](X)).tolist()) == groups(keys)


def test_hashes_are_the_same_in_every_process():
    rows = [[1.0, "one"], [2.5, None]]
    assert row_hashes(np.array(rows, object)).tolist() == GOLDEN
    assert row_hashes(pd.DataFrame(rows)).tolist() == GOLDEN


def test_zeros_of_both_signs_and_all_missing_values_are_equal():
    odd_nan = np.array([0xFFF8000000000001], np.uint64).view(np.float64)[0]
    assert len(set(row_hashes(np.array([0.0, -0.0])).tolist())) == 1
    assert len(set(row_hashes(np.array([np.nan, -np.nan, odd_nan])).tolist())) == 1
    missing = np.array([None, np.nan, pd.NaT, pd.NA, np.float32("nan")], object)
    assert len(set(row_hashes(missing).tolist())) == 1
    assert row_hashes(missing)[0] == row_hashes(np.array([np.nan]))[0]


def test_integers_that_no_float_holds_are_told_apart():
    X = np.array([2**53, 2**53 + 1, 2**62, 2**62 + 1, -(2**53) - 1, -(2**53) - 2])
    assert len(set(row_hashes(X).tolist())) == len(X)
    assert len(set(row_hashes(X[:4].astype(np.uint64)).tolist())) == 4
    assert len(set(row_hashes(X.astype(object)).tolist())) == len(X)


@pytest.mark.parametrize("values", [(0.0, 2.0), (0.0, 1.0), (1.0, -1.0)])
def test_no_two_of_65536_binary_rows_collide(values):
    bits = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
    assert len(np.unique(row_hashes(np.array(values)[bits]))) == 2**16


def test_no_two_of_65536_pairs_of_bytes_collide():
    X = np.stack(np.meshgrid(np.arange(256), np.arange(256)), axis=-1).reshape(-1, 2)
    assert len(np.unique(row_hashes(X.astype(np.uint8)))) == 2**16
    assert len(np.unique(row_hashes(X.astype(np.float32)))) == 2**16
    assert len(np.unique(row_hashes((X - 128).astype(np.int8)))) == 2**16


def test_neither_explicit_zeros_nor_the_order_of_entries_count_in_sparse_rows():
    plain = sparse.csr_array(np.array([[0.0, 3.0, 5.0], [1.0, 0.0, 0.0]]))
    data, columns = np.array([5.0, 1.0, 2.0, 0.0, 1.0]), np.array([2, 1, 1, 2, 0])
    messy = sparse.csr_array((data, columns, [0, 3, 5]), shape=(2, 3))
    np.testing.assert_array_equal(row_hashes(messy), row_hashes(plain))
    assert messy.nnz == 5  # as it was


def test_very_wide_and_empty_sparse_rows():
    X = sparse.csr_array(([1, 1], ([0, 1], [2**20 - 1, 7])), shape=(4, 2**20))
    hashes = row_hashes(X)
    assert hashes[2] == hashes[3]
    assert len(set(hashes.tolist())) == 3


def mixed_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 60
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2, n), unit="D")
    return pd.DataFrame(
        {
            "number": rng.integers(0, 2, n).astype(np.float32),
            "flag": rng.integers(0, 2, n).astype(bool),
            "text": rng.choice(["a", "b"], n),
            "object": rng.choice(np.array(["a", None, 3], object), n),
            "category": pd.Categorical(rng.choice(["x", "y"], n)),
            "nullable": pd.array(rng.choice([1, None], n), dtype="Int64"),
            "day": days,
            "here": pd.Series(days).dt.tz_localize("Europe/Berlin").to_numpy(),
            "zone": pd.Series(days).dt.tz_localize("Europe/Berlin"),
            "length": pd.to_timedelta(rng.integers(0, 2, n), unit="s"),
            "period": pd.Series(days).dt.to_period("D"),
            "sparse": pd.arrays.SparseArray(rng.integers(0, 2, n).astype(float)),
        }
    )


@pytest.mark.parametrize("n_columns", range(1, 13))
def test_mixed_columns_of_pandas_agree_with_its_own_duplicated(n_columns):
    X = mixed_table().iloc[:, -n_columns:].copy()
    X = pd.concat([X, X.iloc[:7]])
    expected = X.duplicated(keep=False).to_numpy()
    hashes = row_hashes(X)
    _, ids, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(counts[ids] > 1, expected)
    np.testing.assert_array_equal(
        row_hashes(X.rename(columns=str.upper).reset_index(drop=True)), hashes
    )


def test_polars_columns_hash_as_those_of_pandas():
    columns = {"a": [1, 2, None], "b": ["x", "y", None], "c": [0.5, -0.0, 2.0]}
    np.testing.assert_array_equal(
        row_hashes(pl.DataFrame(columns)), row_hashes(pd.DataFrame(columns))
    )
    np.testing.assert_array_equal(row_hashes(pl.Series([1, 2])), row_hashes([1, 2]))


@pytest.mark.parametrize(
    "rows",
    [
        ["a text", "another", "", "a text", "ein längerer Text, von mehr als 32 Zeichen"],
        [b"bytes", b"more", b"bytes"],
        [["a", "b"], ["a", "c"], ["a", "b"]],
        [[1], [1, 2], [1], []],
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}],
        [(1, "a"), (1, "b"), (1, "a")],
        [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 1)],
        [],
    ],
    ids=lambda rows: type(rows[0]).__name__ if rows else "none",
)
def test_lists_of_what_is_not_a_number(rows):
    expected = groups(
        [str(sorted(r.items())) if isinstance(r, dict) else repr(r) for r in rows]
    )
    assert groups(row_hashes(rows).tolist()) == expected
    as_array = np.empty(len(rows), object)
    as_array[:] = rows
    if rows and not isinstance(rows[0], list | tuple):
        np.testing.assert_array_equal(row_hashes(as_array), row_hashes(rows))
        np.testing.assert_array_equal(row_hashes(pd.Series(as_array)), row_hashes(rows))


@pytest.mark.parametrize("dtype", ["U", "S", "datetime64[s]", "timedelta64[ms]", "complex64"])
def test_arrays_of_other_dtypes(dtype):
    X = np.array([[0, 1], [2, 3], [0, 1], [3, 2]]).astype(dtype)
    assert groups(row_hashes(X).tolist()) == [0, 1, 0, 3]


def test_texts_do_not_depend_on_the_width_of_their_array():
    np.testing.assert_array_equal(
        row_hashes(np.array(["a", "b"])), row_hashes(np.array(["a", "b", "longer"]))[:2]
    )


def test_a_half_of_the_columns_does_not_see_the_other():
    X = np.random.default_rng(0).normal(size=(1, 9))
    before = half_hashes(X)[0]
    halves = []
    for column in range(9):
        changed = X.copy()
        changed[0, column] += 1
        same = half_hashes(changed)[0] == before
        assert sorted(same) == [False, True]
        halves.append(int(same[0]))
    assert {halves[j] != halves[j + 1] for j in range(0, 8, 2)} == {True}


def test_a_long_text_is_cut_and_a_short_one_is_not():
    a, b = "x" * 20, "y" * 20
    halves = half_hashes([a + a, a + b, b + b, "short", "brief"])
    agree = halves[:, None] == halves[None]  # (text, text, half)
    assert sorted(agree[0, 1]) == sorted(agree[1, 2]) == [False, True]
    assert list(agree[0, 1]) == list(~agree[1, 2])
    assert sorted(agree[3, 4]) == [False, True]
    assert not agree[0, 2].any()


def test_blocks_do_not_change_a_hash():
    X = np.random.default_rng(0).normal(size=(300, 401))
    np.testing.assert_array_equal(
        row_hashes(X), np.concatenate([row_hashes(r[None]) for r in X])
    )


@pytest.mark.parametrize(
    "X",
    [iter([1]), object(), np.array(1.0), [threading.Lock()], sparse.coo_array([1.0, 2.0])],
    ids=["generator", "object", "scalar", "no pickle", "sparse 1-d"],
)
def test_rows_that_cannot_be_read_are_refused(X):
    with pytest.raises(TypeError, match=r"Cannot read|A single value"):
        row_hashes(X)
    assert hashes_or_none(X) is None


def test_arrays_of_different_lengths_are_refused():
    X = {"a": np.zeros(2), "b": np.zeros(3)}
    with pytest.raises(ValueError, match=r"differ in their numbers of rows: \[2, 3\]"):
        row_hashes(X)
    assert hashes_or_none(X) is None
