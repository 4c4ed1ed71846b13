from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from journal.strategies import json as json_values
from journal.strategies import records

from sk_hpo.journal.encoding import dumps, loads
from sk_hpo.journal.line import line
from sk_hpo.journal.records import Ask, Value, content_of, kind_of, record_of
from sk_hpo.trial import Job, Reason


def strict(text):
    """Read as a reader does that knows nothing but the standard."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@given(json_values)
def test_every_value_comes_back_to_the_last_bit(value):
    text = dumps(value)
    strict(text)
    assert text.isascii()
    assert "\n" not in text
    assert repr(loads(text)) == repr(value)  # repr tells -0.0, NaN, and 1 from 1.0 and True


@given(records)
def test_every_record_comes_back(record):
    text = line(0, kind_of(record), content_of(record))
    content = loads(text)[kind_of(record)]
    assert repr(record_of(kind_of(record), content)) == repr(record)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        0.1,
        2**80,
        -(10**500),
    ],
)
def test_numbers(value):
    assert repr(loads(dumps({"a": [value]}))) == repr({"a": [value]})


def test_scalars_of_numpy_are_numbers():
    given = [np.float32(0.1), np.float64("nan"), np.int64(3), np.bool_(True), np.float32("inf")]
    assert repr(loads(dumps(given))) == repr(
        [float(np.float32(0.1)), math.nan, 3, True, math.inf]
    )


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"x", 1j, np.zeros(2), [math.nan, object()]]
)
def test_what_is_not_json_is_refused_by_its_type(value):
    with pytest.raises(TypeError, match="cannot be written to a journal"):
        dumps(value)


def test_a_circle_is_refused():
    value: list = []
    value.append(value)
    with pytest.raises(TypeError, match="circle"):
        dumps(value)


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "{", "", "[" * 100_000, '{"a": -Infinity}']
)
def test_what_is_not_json_is_not_read(text):
    with pytest.raises(ValueError):  # noqa: PT011
        loads(text)


def test_what_is_as_by_default_is_not_written():
    job = Job(trial=1, config=(0.5,), start=0, stop=1)
    assert content_of(Ask(1, job)) == {
        "job": 1,
        "trial": 1,
        "config": (0.5,),
        "start": 0,
        "stop": 1,
    }
    assert content_of(Ask(1, job, Reason("model", mean=0.5))).keys() >= {"origin", "mean"}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("unheard_of", {}),
        ("ask", []),
        ("ask", {"job": 0}),
        ("ask", {"job": 0, "trial": 0, "config": ["x"], "start": 0, "stop": 1}),
        ("ask", {"job": 0, "trial": 0, "config": [True], "start": 0, "stop": 1}),
        ("ask", {"job": -1, "trial": 0, "config": [], "start": 0, "stop": 1}),
        ("ask", {"job": 0, "trial": 0, "config": [], "start": 0.0, "stop": 1}),
        ("ask", {"job": 0, "trial": 0, "config": [], "start": 0, "stop": 1, "origin": "x"}),
        ("ask", {"job": 0, "trial": 0, "config": [], "start": 0, "stop": 1, "mean": 10**400}),
        ("value", {"job": 0, "part": 0, "value": 3}),
        ("stop", {"why": None}),
        ("run", {"pid": True, "host": "", "time": 0}),
        ("header", {"format": 2, "version": "9.9"}),
    ],
)
def test_what_is_no_record_is_refused(kind, content):
    with pytest.raises((ValueError, TypeError, KeyError, OverflowError)):
        record_of(kind, content)


def test_a_value_keeps_the_order_of_its_keys():
    value = {"b": 1, "a": {"d": 2, "c": math.nan}}
    read = record_of("value", loads(dumps(content_of(Value(0, 0, value)))))
    assert list(read.value) == ["b", "a"]
    assert list(read.value["a"]) == ["d", "c"]
