"""What holds for every display of a search's course."""

import math
import sys
from dataclasses import replace

import pytest
from inspection.made import asha, flat, hyperband
from matplotlib import pyplot as plt

from sk_hpo import Journal
from sk_hpo.inspection.bracket_display import BracketDisplay
from sk_hpo.inspection.calibration_display import CalibrationOfScoresDisplay
from sk_hpo.inspection.history_display import SearchHistoryDisplay
from sk_hpo.inspection.learning_curves_display import LearningCurvesDisplay
from sk_hpo.inspection.timeline_display import TimelineDisplay

DISPLAYS = [
    BracketDisplay,
    CalibrationOfScoresDisplay,
    LearningCurvesDisplay,
    SearchHistoryDisplay,
    TimelineDisplay,
]
every = pytest.mark.parametrize("display", DISPLAYS, ids=lambda d: d.__name__)


def show(display, record, **arguments):
    records = {record.name: [record]} if display is SearchHistoryDisplay else record
    found = display(records).plot(**arguments)
    found.figure_.canvas.draw()
    return found


def words(display):
    return [text.get_text() for text in display.ax_.texts]


def empty(record):
    return replace(record, trials=tuple(replace(t, rungs=()) for t in record.trials), best=None)


@every
def test_a_search_without_a_result_says_so(display):
    shown = show(display, empty(hyperband(9)))
    assert len(words(shown)) == 1
    assert "No" in words(shown)[0]
    assert "(17 candidates have begun)" in words(shown)[0]
    assert not shown.ax_.lines
    show(display, replace(flat(1), trials=(), best=None))


@every
@pytest.mark.parametrize("n", [1, 5000])
def test_one_candidate_and_thousands(display, n):
    shown = show(display, asha(n, n_rungs=4, n_folds=2))
    assert shown.ax_.lines
    assert not any("No " in text for text in words(shown))


@every
def test_where_everyone_failed(display):
    def fail(rung):
        runs = tuple(replace(run, score=math.nan, failure="no") for run in rung.runs)
        scores = (math.nan,) * len(rung.scores)
        return replace(rung, score=math.nan, scores=scores, failure="no", runs=runs)

    record = asha(6)
    trials = tuple(replace(t, rungs=tuple(map(fail, t.rungs))) for t in record.trials)
    shown = show(display, replace(record, trials=trials, best=None))
    if display is CalibrationOfScoresDisplay:
        assert words(shown) == ["No sound result yet (6 candidates have begun)."]
    else:
        assert any(str(line.get_label()).startswith("failed") for line in shown.ax_.lines)


@every
def test_it_draws_where_it_is_told(display):
    figure, (left, right) = plt.subplots(1, 2)
    shown = show(display, hyperband(9), ax=right)
    assert shown.ax_ is right
    assert shown.figure_ is figure
    assert not left.lines
    assert plt.get_fignums() == [figure.number]


@every
def test_a_search_that_is_running(display, failing_hyperband, tmp_path):
    with open(failing_hyperband.journal_, "rb") as file:
        lines = file.readlines()
    begun = next(i for i, line in enumerate(lines) if b'"value":' in line)
    for end in (begun, len(lines) // 2):
        path = tmp_path / f"{end}.journal"
        path.write_bytes(b"".join(lines[:end]))
        shown = display.from_search(Journal.read(path))
        assert shown.ax_.lines or "No" in words(shown)[0]


def test_who_has_no_matplotlib_is_told_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install sk-hpo\[plot\]"):
        TimelineDisplay(flat(1)).plot()
