"""Bars are the fits: when they ran, and who ran them."""

import math
from collections import Counter
from dataclasses import replace

import joblib
import numpy as np
import pytest
from inspection.made import flat, hyperband
from scipy.stats import uniform
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.svm import SVC

from sk_hpo import RandomSearchCV
from sk_hpo.inspection.record import FoldRun, Rung, TrialRecord
from sk_hpo.inspection.timeline_display import TimelineDisplay


def boxes(ax):
    """Left, right, low and high of every bar."""
    [bars] = ax.collections
    corners = [path.vertices for path in bars.get_paths()]
    return [(*at[:, 0][[0, 1]], at[:, 1].min(), at[:, 1].max()) for at in corners]


def marks(ax, label):
    found = [line for line in ax.lines if str(line.get_label()).startswith(label)]
    return sorted(tuple(at) for line in found for at in np.column_stack(line.get_data()))


def test_bars_are_the_fits():
    search = RandomSearchCV(
        SVC(), {"C": uniform(-0.3, 1.0)}, n_iter=8, cv=2, n_jobs=2, random_state=0
    )
    with (
        joblib.parallel_config("threading"),
        pytest.warns(FitFailedWarning),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(*load_iris(return_X_y=True))
    folds = [fold for trial in search.history_ for fold in trial.outcomes[1].folds]
    first = min(fold.began for fold in folds)
    began = {}
    for fold in folds:
        began[fold.worker] = min(fold.began, began.get(fold.worker, math.inf))
    row = {worker: i for i, worker in enumerate(sorted(began, key=began.get))}
    expected = Counter((f.began - first, f.ended - first, row[f.worker]) for f in folds)

    ax = TimelineDisplay.from_search(search).ax_
    drawn = Counter(
        (left, right, round((low + high) / 2)) for left, right, low, high in boxes(ax)
    )
    assert drawn == expected
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        f"worker {i + 1}" for i in range(len(row))
    ]
    failed = sorted((f.ended - first, row[f.worker]) for f in folds if f.error)
    assert failed
    np.testing.assert_allclose(marks(ax, "failed"), failed)


def together(*spans):
    """A search of one worker whose fits take these times."""
    runs = tuple(FoldRun(i, 0.5, b - a, a, b, "here:1") for i, (a, b) in enumerate(spans))
    rung = Rung(0, 1, 0.5, scores=(0.5,) * len(runs), runs=runs)
    return replace(flat(1), trials=(TrialRecord(0, 0, {}, (rung,)),))


def test_fits_at_once_share_the_row():
    spans = (0, 4), (0, 4), (0, 2), (2, 4), (4, 6), (6, 8), (7, 9)
    found = boxes(TimelineDisplay(together(*spans)).plot().ax_)
    assert sorted((left, right) for left, right, *_ in found) == sorted(spans)
    heights = {(left, right): round(high - low, 9) for left, right, low, high in found}
    row = heights[4, 6]
    assert heights[0, 4] == heights[0, 2] == heights[2, 4] == round(row / 3, 9)
    assert heights[6, 8] == heights[7, 9] == round(row / 2, 9)
    for i, (left, right, low, high) in enumerate(found):
        assert -row / 2 - 1e-9 <= low < high <= row / 2 + 1e-9
        for other in found[:i]:
            beside = right <= other[0] or other[1] <= left
            assert beside or high <= other[2] + 1e-9 or other[3] <= low + 1e-9


def test_retries_and_deaths_are_seen():
    record = together((0, 1), (1, 2), (2, 3))
    [trial] = record.trials
    runs = list(trial.last.runs)
    runs[1] = replace(runs[1], losses=1)
    runs[2] = FoldRun(2, math.nan, 0.0, losses=3, failure="WorkerLost: died")
    rung = replace(trial.last, score=math.nan, failure="WorkerLost: died", runs=tuple(runs))
    lost = replace(record, trials=(replace(trial, rungs=(rung,)),))
    ax = TimelineDisplay(lost).plot().ax_
    assert len(boxes(ax)) == 2
    assert marks(ax, "tried again") == [(1, 0)]
    assert marks(ax, "failed") == [(2, 1)]  # about then, in a row of its own
    assert [label.get_text() for label in ax.get_yticklabels()] == ["worker 1", "given up"]


def test_machines_are_named_where_there_are_several():
    record = together((0, 1), (1, 2), (2, 3))
    [trial] = record.trials
    names = "left:7", "right:8", "left:9"
    runs = [replace(r, worker=w) for r, w in zip(trial.last.runs, names, strict=True)]
    rungs = (replace(trial.last, runs=tuple(runs)),)
    record = replace(record, trials=(replace(trial, rungs=rungs),))
    ax = TimelineDisplay(record).plot().ax_
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["left 1", "left 2", "right 1"]
    assert {(left, (low + high) / 2) for left, _, low, high in boxes(ax)} == {
        *((0, 0), (2, 1)),
        (1, 2),
    }


def test_rungs_have_their_colours():
    record = hyperband(27, n_workers=3)
    ax = TimelineDisplay(record).plot().ax_
    runs = [(run, rung) for _, rung in record.results() for run in rung.runs]
    resource = {(run.began, run.ended): rung.resource for run, rung in runs}
    colors = {}
    for box, color in zip(boxes(ax), ax.collections[0].get_facecolors(), strict=True):
        colors.setdefault(resource[box[:2]], set()).add(tuple(color))
    assert [len(colors[level]) for level in (1, 3, 9, 27)] == [1] * 4
    assert len(set.union(*colors.values())) == 4
    brightness = [sum(next(iter(colors[level]))[:3]) for level in (1, 3, 9, 27)]
    assert brightness == sorted(brightness, reverse=True)
