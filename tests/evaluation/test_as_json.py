from __future__ import annotations

import base64
import io
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.evaluation.as_json import _KINDS, from_json, to_json
from sk_hpo.evaluation.records import FoldResult
from sk_hpo.journal.encoding import dumps, loads

numbers = st.floats() | st.integers(-(10**9), 10**9)
scores = numbers | st.dictionaries(st.text(max_size=5), numbers, max_size=3)


def test_every_field_is_checked_and_kept():
    # But for the paused model, which never comes to a journal.
    assert set(_KINDS) == {field.name for field in fields(FoldResult)} - {"carried"}


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float):
        return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


@given(
    st.builds(
        FoldResult,
        test_scores=scores,
        train_scores=st.none() | scores,
        fit_time=numbers,
        score_time=numbers,
        cost=numbers,
        error=st.none() | st.text(),
        score_errors=st.dictionaries(st.text(max_size=5), st.text(), max_size=2),
        path=st.text(max_size=5),
        reason=st.text(max_size=5),
        digest=st.text(max_size=5),
        n_epochs=st.none() | st.integers(0, 99),
    )
)
def test_a_result_comes_back_as_it_was(result):
    back = from_json(loads(dumps(to_json(result))))
    for field in fields(FoldResult):
        assert same(getattr(result, field.name), getattr(back, field.name)), field.name


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.1, np.nan, -0.0, np.inf], np.float32),
        np.arange(6).reshape(3, 2),
        np.array(["a", "bc"]),
        np.array(["a", None, 3], dtype=object),
        np.array([], np.float64),
        [np.eye(2), np.ones((2, 3))],
    ],
    ids=repr,
)
def test_predictions_come_back_with_their_dtype(array):
    result = FoldResult(0.5, None, 0.0, 0.0, predictions={"predict": array})
    back = from_json(loads(dumps(to_json(result)))).predictions["predict"]
    pairs = zip(array, back, strict=True) if isinstance(array, list) else [(array, back)]
    for one, other in pairs:
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_an_array_of_objects_is_never_unpickled():
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    npy = base64.b64encode(file.getvalue()).decode()
    record = to_json(FoldResult(0.5, None, 0.0, 0.0))
    with pytest.raises(ValueError, match="allow_pickle"):
        from_json(record | {"predictions": {"predict": {"npy": npy}}})
