from __future__ import annotations

import datetime
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sk_hpo.journal.fingerprint import fingerprint

X = np.random.default_rng(0).normal(size=(60, 5))
DATES = pd.date_range("2020", periods=3, tz="Europe/Berlin")

DIFFERENT = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        0.0,
        -0.0,
        1.0,
        float("nan"),
        float("inf"),
        1 + 0j,
        "",
        "1",
        b"1",
    ),
    *(
        [],
        (),
        {},
        [1],
        (1,),
        [1.0],
        [True],
        ["1"],
        [1, 2],
        [2, 1],
        [[1, 2]],
        [[1], [2]],
        [1, 1.0],
    ),
    *(
        ["ab", "c"],
        ["a", "bc"],
        [None],
        [float("nan")],
        {"a": 1},
        {"a": 2},
        {"b": 1},
        {"a": {}},
    ),
    *(2**70, [2**70], [2**70, 1], Decimal("1"), Path("a"), range(3), slice(3), [0, 1, 2]),
    *(datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)),
    *(
        np.zeros(0),
        np.zeros((0, 1)),
        np.zeros((1, 0)),
        np.zeros(1),
        np.zeros((1, 1)),
        -np.zeros(1),
    ),
    *(
        np.zeros(2),
        np.float64(0),
        np.float32(0),
        np.array(0.0),
        np.zeros(2, int),
        np.zeros(2, "f4"),
    ),
    *(
        np.zeros(2, bool),
        np.array(["a"]),
        np.array(["b"]),
        np.array(["a"], object),
        np.array([b"a"]),
    ),
    *(np.array([1, None]), np.array([1, "1"], object), np.array(["2020"], "M8[D]")),
    *(np.array(["2020"], "M8[s]"), np.array([3], "m8[s]"), np.array([(1, 2.0)], "i4,f8")),
    *(np.ma.array([1.0, 2.0]), np.ma.array([1.0, 2.0], mask=[0, 1]), np.array([1.0, 2.0])),
    *(X, X[:, ::-1], X[::-1], X.T, X.reshape(5, 60), X.astype("f4"), X.view(np.int64)),
    *(sparse.csr_array(X), sparse.csr_array(X * (X > 0)), sparse.csr_array(X.astype("f4"))),
    *(
        pd.DataFrame(X),
        pd.DataFrame(X, columns=list("abcde")),
        pd.DataFrame(X, index=range(1, 61)),
    ),
    *(
        pd.DataFrame({"a": [1, 2]}),
        pd.DataFrame({"a": [1.0, 2]}),
        pd.DataFrame({"a": ["1", "2"]}),
    ),
    *(pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Series([1, 2], index=[3, 4])),
    *(pd.Series([1, None], dtype="Int64"), pd.Series([1, 2], dtype="Int64"), pd.Series(DATES)),
    *(pd.Series(DATES).dt.tz_convert("UTC"), pd.Series(["a", "b"], dtype="category")),
    *(pd.Series(["b", "a"], dtype="category"), pd.Series(["a", "b"]), pd.Series(["a", None])),
    *(pd.Series(["a", "b"], dtype=object), pd.Series(pd.period_range("2020", periods=2))),
    *(pd.Series(pd.period_range("2021", periods=2)), pd.Index([1, 2])),
]


def test_different_things_have_different_fingerprints():
    found: dict[str, object] = {}
    for thing in DIFFERENT:
        text = fingerprint(thing)
        assert text not in found, (thing, found[text])
        assert "not looked into" not in text, thing
        found[text] = thing


@pytest.mark.parametrize(
    "same",
    [
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        np.repeat(X, 2, axis=1)[:, ::2],
        X[::-1][::-1],
        X.astype(">f8"),
        X.copy(),
    ],
)
def test_the_order_in_memory_does_not_count(same):
    assert fingerprint(same) == fingerprint(X)


@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)))
def test_any_array_in_any_order(array):
    text = fingerprint(array)
    assert fingerprint(array.copy(order="F")) == text
    assert fingerprint(array.copy()) == text
    assert fingerprint(array[::-1] if array.ndim else array) == fingerprint(
        np.ascontiguousarray(array[::-1]) if array.ndim else array
    )


def test_an_array_that_is_digested_in_blocks(monkeypatch):
    monkeypatch.setattr("sk_hpo.journal.fingerprint._BLOCK", 100)
    assert fingerprint(np.asfortranarray(X)) == fingerprint(X)


def test_a_file_in_memory_and_a_read_only_array(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert fingerprint(np.load(tmp_path / "x.npy", mmap_mode="r")) == fingerprint(X)


def test_any_one_value_counts():
    for i in np.ndindex(X.shape):
        other = X.copy()
        other[i] = np.nextafter(other[i], 9)
        assert fingerprint(other) != fingerprint(X)


def test_sparse_matrices_of_any_format():
    S = sparse.random_array((20, 9), density=0.2, rng=0)
    texts = {fingerprint(S.asformat(name)) for name in ("csr", "csc", "coo", "lil", "dok")}
    unsorted = S.tocsr()
    unsorted.indices[:] = unsorted.indices[::-1].copy()
    text = fingerprint(S.tocsr())
    assert texts == {text}
    twice = sparse.coo_array((np.r_[S.data / 2, S.data / 2], np.tile(S.coords, 2)), S.shape)
    assert fingerprint(twice) == text
    before = unsorted.indices.copy()
    assert fingerprint(unsorted) != text
    assert (unsorted.indices == before).all()  # what is looked at is not changed


def test_a_frame_in_any_layout():
    left = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    right = pd.DataFrame(np.array([[1.0, 3.0], [2.0, 4.0]]), columns=["a", "b"])
    assert fingerprint(left) == fingerprint(right)


def test_polars_and_torch():
    pl, torch = pytest.importorskip("polars"), pytest.importorskip("torch")
    frames = [
        pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        pl.DataFrame({"a": [1, 2], "b": ["x", "z"]}),
        pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
        pl.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}),
    ]
    assert len({fingerprint(frame) for frame in frames}) == 4
    assert fingerprint(frames[0].clone()) == fingerprint(frames[0])
    t = torch.arange(6.0).reshape(2, 3)
    assert fingerprint(t) == fingerprint(t.T.contiguous().T)
    assert fingerprint(t) != fingerprint(t + 1)


class Unknown:
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n


def test_what_cannot_be_read_is_told_by_type_and_size():
    text = fingerprint({"a": X, "b": Unknown(3)})
    assert "not looked into" in text
    assert "Unknown" in text
    assert fingerprint(Unknown(3)) == fingerprint(Unknown(3)) != fingerprint(Unknown(4))
    assert "not looked into" in fingerprint(iter([1]))
    assert "not looked into" in fingerprint(np.array([Unknown(1)]))


def test_a_fingerprint_is_the_same_in_every_process():
    things = "({'a', 'b', 'c'}, ['x', 1.5], {'b': 1, 'a': None}, 'text', np.arange(5))[1:]"
    code = (
        "import numpy as np; from sk_hpo.journal.fingerprint import fingerprint;"
        f"print(fingerprint({things}))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(texts) == 1
