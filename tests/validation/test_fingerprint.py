from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

from sk_hpo.validation import fingerprint as module
from sk_hpo.validation.fingerprint import Fingerprint
from sk_hpo.validation.row_hashes import row_hashes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["int8", "float64"])
@pytest.mark.parametrize("columns", [1, 3, 300_000])
def test_rows_that_collide_are_compared_and_told_apart(monkeypatch, dtype, columns):
    joined = module.joined
    monkeypatch.setattr(module, "joined", lambda halves: joined(halves) % np.uint64(4))
    X = np.zeros((40, columns), dtype)
    X[:, 0] = RNG.integers(0, 9, 40)
    hashes = Fingerprint.of(X).hashes
    for i in range(40):  # what collided is told apart, if not always found again
        assert all(X[j, 0] == X[i, 0] for j in np.flatnonzero(hashes == hashes[i]))
    assert (hashes[X[:, 0] == X[0, 0]] == hashes[0]).all()


def test_missing_values_that_are_compared_are_equal(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 3)
    X = np.array([[np.nan, 1.0], [0.0, 1.0], [np.nan, 1.0], [0.0, 2.0], [-0.0, 1.0]])
    hashes = Fingerprint.of(X).hashes
    assert hashes[0] == hashes[2]
    assert hashes[1] == hashes[4]
    assert len(np.unique(hashes)) == 3


def test_hashes_are_those_of_the_rows():
    X = RNG.integers(0, 3, (50, 2))
    np.testing.assert_array_equal(Fingerprint.of(X).hashes, row_hashes(X))


def test_all_rows_of_rich_tables_are_telling():
    digits = load_digits().data
    assert Fingerprint.of(digits).telling.all()
    assert Fingerprint.of(np.concatenate([digits, digits])).telling.all()
    assert Fingerprint.of(RNG.normal(size=(50, 2))).telling.all()


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((1000, 3)),
        RNG.integers(0, 2, (1000, 1)),
        RNG.normal(size=(1000, 1)),
        RNG.integers(0, 4, (1000, 3)),
        RNG.normal(size=(49, 2)),
        np.repeat(RNG.normal(size=(100, 2)), 5, axis=0),
        np.zeros((0, 2)),
        np.zeros((90, 0)),
        np.array(["yes", "no"])[RNG.integers(0, 2, 100)],
        [f"category {i}" for i in range(100)],
    ],
    ids=[
        "constant", "binary", "one column", "coarse", "few rows", "repeated", "no rows",
        "no columns", "words", "short texts",
    ],
)  # fmt: skip
def test_no_row_of_a_table_that_repeats_by_nature_is_telling(X):
    assert not Fingerprint.of(X).telling.any()


def test_the_one_copied_row_of_iris_is_not_telling():
    X = load_iris().data
    rows = Fingerprint.of(X)
    _, ids, counts = np.unique(rows.hashes, return_inverse=True, return_counts=True)
    copied = counts[ids] > 1
    assert copied.sum() == 2
    assert not rows.telling[copied].any()


def test_long_texts_are_telling_unless_they_have_a_half_in_common():
    texts = [f"{i:020d}{-i:020d}" for i in range(60)]
    assert Fingerprint.of(texts).telling.all()
    forms = [f"Dear customer, thank you for {i:020d}" for i in range(60)]
    assert not Fingerprint.of(forms).telling.any()


def test_taking_and_pickling():
    X = RNG.normal(size=(60, 3))
    kept = Fingerprint.of(X)
    assert len(kept) == 60
    assert kept.hashes.tolist() == row_hashes(X).tolist()
    part = kept.take(np.array([3, 1]))
    assert part.hashes.tolist() == row_hashes(X[[3, 1]]).tolist()
    assert part.telling.all()
    assert pickle.loads(pickle.dumps(kept)).hashes.tolist() == kept.hashes.tolist()
    assert kept.hashes.nbytes + kept.telling.nbytes == 9 * 60


@pytest.mark.parametrize(
    ("n_telling", "n_copied", "n_scored", "expected"),
    [
        (4, 4, 10, False),
        (5, 5, 10, True),
        (5, 20, 10, True),
        (5, 21, 10, False),
        (5, 5, 5000, True),
        (5, 5, 5001, False),
        (70, 70, 70_000, True),
    ],
)
def test_how_many_copies_are_beyond_chance(n_telling, n_copied, n_scored, expected):
    rows = Fingerprint(np.arange(100, dtype=np.uint64), np.arange(100) < n_telling)
    assert rows.beyond_chance(np.arange(100) < n_copied, n_scored) is expected


def test_one_row_that_is_copied_often_is_one_row():
    X = np.concatenate([RNG.normal(size=(60, 2)), np.ones((20, 2))])
    copied = np.arange(80) >= 60
    rows = Fingerprint.of(X)
    assert rows.telling.all()
    assert not rows.beyond_chance(copied, 80)
    assert rows.beyond_chance(~copied, 80)
