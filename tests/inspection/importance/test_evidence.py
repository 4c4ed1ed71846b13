"""From a record to axes, points and scores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sk_hpo.inspection.importance.evidence import WHICH, evidence_of
from sk_hpo.inspection.record import Parameter, Rung, SearchRecord, TrialRecord


def record(params, parameters, scores=None, rungs=None):
    """A search with these candidates; `rungs` are (resource, score) of each."""
    rng = np.random.default_rng(0)
    scores = rng.random(len(params)) if scores is None else scores
    rungs = [[(1, score)] for score in scores] if rungs is None else rungs
    trials = [
        TrialRecord(i, 0, p, tuple(Rung(n, r, s) for n, (r, s) in enumerate(known)))
        for i, (p, known) in enumerate(zip(params, rungs, strict=True))
    ]
    return SearchRecord("Search", "score", None, 2, tuple(parameters), tuple(trials))


X = Parameter("x", "number", low=0.0, high=1.0)


def of_x(n, **changes):
    return record([{"x": i / n} for i in range(n)], [X], **changes)


def test_integers_have_cells_of_one_width_and_of_one_ratio():
    params = [{"n": 1 + i % 4, "units": 2 ** (i % 5)} for i in range(20)]
    n = Parameter("n", "number", low=1.0, high=4.0)
    units = Parameter("units", "number", log=True, low=1.0, high=16.0)
    axes = evidence_of(record(params, [n, units]), None, 0.0).encoding.axes
    assert axes[0].weights == pytest.approx([0.25] * 4)
    widths = np.log([(k + 0.5) / (k - 0.5) for k in range(1, 17)]) / np.log(16.5 / 0.5)
    assert axes[1].weights == pytest.approx(widths)


def test_listed_numbers_are_equally_likely_and_in_order():
    values = [0.001, 0.1, 30.0]
    params = [{"alpha": values[i % 3]} for i in range(12)]
    alpha = Parameter("alpha", "number", low=0.001, high=30.0, labels=("0.001", "0.1", "30.0"))
    evidence = evidence_of(record(params, [alpha]), None, 0.0)
    assert evidence.encoding.axes[0].weights == pytest.approx([1 / 3] * 3)
    assert evidence.points[:3, 0] == pytest.approx([1 / 6, 1 / 2, 5 / 6])


def test_none_is_a_choice_and_what_is_not_there_is_none():
    params = [{"w": [None, "balanced"][i % 2]} for i in range(10)] + [{"x": 0.5}] * 2
    w = Parameter("w", "choice", labels=("None", "balanced"))
    points = evidence_of(record(params, [w, X]), None, 0.0).points
    assert points[[0, 1, 10], 0] == pytest.approx([0.25, 0.75, math.nan], nan_ok=True)


def test_what_no_parameter_tells_is_one_more():
    params = [{"x": 0.1 * i} if i < 5 else {"y": 0.1} for i in range(20)]
    y = Parameter("y", "number", low=0.0, high=1.0)
    evidence = evidence_of(record(params, [X, y]), None, 0.0)
    assert evidence.names == ["x", "y", WHICH]
    x_axis, y_axis, which = evidence.encoding.axes
    assert sorted(which.weights) == pytest.approx([0.25, 0.75])
    assert which.weights[x_axis.exists[2]] == pytest.approx([0.25])
    assert which.weights[y_axis.exists[2]] == pytest.approx([0.75])


def test_failures_are_as_bad_as_the_worst_and_a_quantile_lifts_the_bad():
    scores = [float(i) for i in range(12)] + [math.nan, -math.inf]
    evidence = evidence_of(of_x(14, scores=scores), None, 0.0)
    assert evidence.scores.tolist() == [*map(float, range(12)), 0.0, 0.0]
    assert evidence.n_failed == 2
    half = evidence_of(of_x(14, scores=scores), None, 0.5).scores
    assert half.tolist() == np.maximum(evidence.scores, np.median(evidence.scores)).tolist()


def rungs_of(counts):
    """Of as many trials as the first count, the first few reach each resource."""
    n = counts[0][1]
    return [[(r, float(i)) for r, count in counts if i < count] for i in range(n)]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([(1, 81), (3, 33), (9, 27)], 3),  # the highest that 30 have
        ([(1, 25), (3, 20), (9, 5)], 1),  # or else that of most
        ([(1, 20), (3, 20)], 3),  # the higher of two
    ],
)
def test_resource(counts, expected):
    found = of_x(counts[0][1], rungs=rungs_of(counts))
    evidence = evidence_of(found, None, 0.0)
    assert (evidence.resource, len(evidence.scores)) == (expected, dict(counts)[expected])
    chosen = evidence_of(found, 1, 0.0)
    assert (chosen.resource, len(chosen.scores)) == (1, counts[0][1])


@pytest.mark.parametrize(
    ("made", "resource", "message"),
    [
        (record([], []), None, "no parameters"),
        (record([], [X]), None, "needs 10 trials .* has 0"),
        (of_x(9), None, "needs 10 trials .* has 9"),
        (of_x(12, scores=[1.0] * 9 + [math.nan] * 3), None, "has 9"),
        (of_x(12, scores=[1.0] * 12), None, "All scores are the same"),
        (of_x(12), 3, r"resource=3; there are some at \[1\]"),
    ],
)
def test_what_cannot_be_told_is_an_error(made, resource, message):
    with pytest.raises(ValueError, match=message):
        evidence_of(made, resource, 0.0)


def test_references():
    evidence = evidence_of(of_x(11, scores=[float(i) for i in range(11)]), None, 0.0)
    assert evidence.best == pytest.approx([10 / 11])
    assert evidence.reference("worst") == pytest.approx([0.0])
    assert evidence.reference("median") == pytest.approx([5 / 11])
    assert evidence.reference({"x": 0.3}) == pytest.approx([0.3])
    assert np.isnan(evidence.reference({})).all()
    with pytest.raises(ValueError, match="reference must be"):
        evidence.reference("default")
    with pytest.raises(ValueError, match="'z', which was not searched"):
        evidence.reference({"z": 1})


def test_a_reference_with_a_choice_that_was_not_searched():
    w = Parameter("w", "choice", labels=("a", "b"))
    made = record([{"w": "ab"[i % 2]} for i in range(12)], [w])
    with pytest.raises(ValueError, match="w='c'"):
        evidence_of(made, None, 0.0).reference({"w": "c"})
