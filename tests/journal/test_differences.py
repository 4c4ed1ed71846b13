from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from journal.strategies import headers

from sk_hpo.journal.differences import differences, in_force, raised
from sk_hpo.journal.records import Header, Parameter, Raised

SPACE = (
    Parameter("", "categorical", "two dicts", (0, 1)),
    Parameter("C", "real", "loguniform(0.001, 1.0)"),
    Parameter("kernel", "categorical", "['rbf', 'poly']", ("rbf", "poly")),
)
OLD = Header(
    seed=1,
    settings={
        "n_iter": 20,
        "max_resources": 9,
        "cv": [1, 2],
        "tol": math.nan,
        "refit": True,
        "data": {"X": "float64 (9, 2) aa", "y": None},
    },
    parameters=SPACE,
    n_splits=3,
)


def changed(**settings):
    return replace(OLD, settings={**OLD.settings, **settings})


def test_a_search_does_not_differ_from_itself():
    assert differences(OLD, OLD) == []
    assert differences(OLD, changed(cv=(1, 2), tol=float("nan"))) == []
    assert differences(OLD, replace(OLD, version="0.0.1")) == []


@given(headers)
def test_no_search_differs_from_itself(header):
    assert differences(header, header) == []
    assert in_force((header,)) == header


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (replace(OLD, seed=2), "seed: 1 in the journal, 2 now"),
        (replace(OLD, n_splits=5), "n_splits: 3 in the journal, 5 now"),
        (replace(OLD, metric="f1"), "metric: 'score' in the journal, 'f1' now"),
        (replace(OLD, resource="epochs"), "resource: None in the journal, 'epochs' now"),
        (changed(refit=1), "refit: True in the journal, 1 now"),
        (changed(cv=5), "cv: [1, 2] in the journal, 5 now"),
        (changed(tol=0.1), "tol: nan in the journal, 0.1 now"),
        (changed(extra="x"), "extra: nothing in the journal, 'x' now"),
        (
            changed(data={"X": "float64 (9, 2) bb", "y": None}),
            "data.X: 'float64 (9, 2) aa' in the journal, 'float64 (9, 2) bb' now",
        ),
        (
            changed(data={"X": "float64 (9, 2) aa"}),
            "data.y: None in the journal, nothing now",
        ),
        (changed(n_iter=10), "n_iter: 20 in the journal, 10 now (it may only grow)"),
        (changed(n_iter="all"), "n_iter: 20 in the journal, 'all' now (it may only grow)"),
        (changed(n_iter=math.nan), "n_iter: 20 in the journal, nan now (it may only grow)"),
        (
            replace(OLD, parameters=SPACE[:2]),
            "space.kernel: ['rbf', 'poly'] in the journal, nothing now",
        ),
        (
            replace(
                OLD, parameters=(*SPACE[:2], Parameter("kernel", "categorical", "", ("rbf",)))
            ),
            "space.kernel: ['rbf', 'poly'] in the journal, ['rbf'] now",
        ),
        (
            replace(
                OLD, parameters=(SPACE[0], Parameter("C", "real", "uniform(0, 1)"), SPACE[2])
            ),
            "space.C: 'loguniform(0.001, 1.0)' in the journal, 'uniform(0, 1)' now",
        ),
    ],
)
def test_each_difference_is_told(new, expected):
    assert differences(OLD, new) == [expected]


def test_all_differences_are_told_at_once():
    assert len(differences(OLD, replace(changed(cv=3, n_iter=1), seed=9))) == 3


def test_parameters_in_another_order_are_another_space():
    other = replace(OLD, parameters=(SPACE[0], SPACE[2], SPACE[1]))
    assert differences(OLD, other) == [
        "order of the space: ['', 'C', 'kernel'] in the journal, ['', 'kernel', 'C'] now"
    ]


def test_the_same_parameter_of_two_dicts_is_compared_with_its_own():
    twice = replace(OLD, parameters=(*SPACE, Parameter("C", "real", "uniform(0, 1)")))
    assert differences(twice, twice) == []
    less = replace(OLD, parameters=(*SPACE, Parameter("C", "real", "uniform(0, 2)")))
    assert differences(twice, less) == [
        "space.C': 'uniform(0, 1)' in the journal, 'uniform(0, 2)' now"
    ]


def test_what_is_long_is_cut_short():
    (message,) = differences(OLD, changed(cv="x" * 1000))
    assert len(message) < 200


def test_what_may_grow_may_grow():
    more = changed(n_iter=30, max_resources=27)
    assert differences(OLD, more) == []
    assert raised(OLD, more, ("n_iter", "max_resources")) == {"n_iter": 30, "max_resources": 27}
    assert raised(OLD, OLD, ("n_iter", "missing")) == {}
    assert len(differences(OLD, more, may_grow=())) == 2


def test_the_last_raise_is_in_force():
    raises = [Raised({"n_iter": 30}), Raised({"n_iter": 40, "data.X": "new", "a.b": 1})]
    found = in_force((OLD, *raises)).settings
    assert found == {
        **OLD.settings,
        "n_iter": 40,
        "data": {"X": "new", "y": None},
        "a": {"b": 1},
    }
