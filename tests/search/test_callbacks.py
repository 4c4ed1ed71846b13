"""scikit-learn's callbacks hear of the search, its rungs and its refit."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import Any

import joblib
import numpy as np
import pytest
from search.searches import (
    ALL,
    BRACKETS,
    CLASSES,
    FLAT,
    HALVING,
    SYNCHRONOUS,
    WIDE,
    Calls,
    EpochRecorder,
    data,
    make,
)
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.callback.tests._utils import (
    FailingCallback,
    MaxIterEstimator,
    RecordingAutoPropagatedCallback,
    RecordingCallback,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = data()
# as of scikit-learn's searches, of an estimator that hears nothing itself
UNHEARD = pytest.mark.filterwarnings("ignore:.*SGDClassifier does not support callbacks")


def hooks(callback: RecordingCallback) -> dict[str, int]:
    names = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")
    return {name: callback.count_hooks(name) for name in names}


def searched(kind: str, **options: Any) -> Any:
    """Return a search that any estimator's rungs would do for."""
    return make(kind, space=None if kind == "grid" else WIDE, **options)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("kind", ALL)
def test_every_task_begins_and_ends_once(kind: str, refit: bool) -> None:
    callback = RecordingCallback()
    brackets = {"brackets": "all"} if kind in BRACKETS else {}
    search = searched(kind, refit=refit, **brackets).set_callbacks(callback).fit(X, y)
    evaluations = len(search.cv_results_["params"]) * search.n_splits_
    rungs = len(search.n_resources_) if kind in HALVING else 0
    tasks = 1 + 1 + refit + rungs + evaluations  # fit, search, refit, rungs, leaves
    assert hooks(callback) == {
        "setup": 1,
        "on_fit_task_begin": tasks,
        "on_fit_task_end": tasks,
        "teardown": 1,
    }
    begun = [r["context"] for r in callback.record if r["name"] == "on_fit_task_begin"]
    names = Counter(context.task_name for context in begun)
    assert names["candidate-split-evaluation"] == evaluations
    assert names["halving-iteration"] == rungs
    assert names["refit-with-best-params"] == refit
    assert all(r["estimator"] is search for r in callback.record)
    # as many leaves as every rung has announced, where that is known
    sizes = [c.max_subtasks for c in begun if c.task_name == "halving-iteration"]
    if kind in BRACKETS:
        assert sorted(sizes) == sorted(n * search.n_splits_ for n in search.n_candidates_)
    elif kind == "asha":
        assert sizes == [None] * rungs


@pytest.mark.parametrize(
    ("kind", "options", "sizes"),
    [
        ("random", {"fold_racing": True, "n_iter": 9}, []),
        ("epochs", {"fold_racing": True}, [None] * 3),
        ("epochs", {"stop_hopeless": True}, [None] * 3),
        # 3 candidates on a fold, one of them on two more
        ("epochs", {"resource": "folds", "max_resources": "auto"}, [3, 2]),
        ("asha", {"resource": "folds", "max_resources": "auto"}, [None] * 2),
    ],
)
def test_leaves_are_the_folds_that_were_run(
    kind: str, options: dict[str, Any], sizes: list[int | None]
) -> None:
    callback = RecordingCallback()
    search = searched(kind, **options).set_callbacks(callback).fit(X, y)
    counted = hooks(callback)
    assert counted["on_fit_task_begin"] == counted["on_fit_task_end"]
    begun = [r["context"] for r in callback.record if r["name"] == "on_fit_task_begin"]
    leaves = [c for c in begun if c.task_name == "candidate-split-evaluation"]
    ran = sum(
        fold is not None
        for trial in search.history_
        for outcome in trial.outcomes.values()
        for fold in outcome.folds
    )
    assert len(leaves) == (search.resource_spent_ if "resource" in options else ran)
    rungs = [c.max_subtasks for c in begun if c.task_name == "halving-iteration"]
    assert rungs == sizes


@pytest.mark.parametrize("kind", CLASSES)
def test_leaves_are_told_their_rows_and_weights(kind: str) -> None:
    callback = RecordingCallback()
    weights = np.arange(len(X)) % 5 + 1.0
    searched(kind).set_callbacks(callback).fit(X, y, sample_weight=weights)
    leaves = [
        r["kwargs"]
        for r in callback.record
        if r["name"] == "on_fit_task_begin"
        and r["context"].task_name == "candidate-split-evaluation"
    ]
    assert {len(leaf["X"]) for leaf in leaves} == {60}
    assert all(len(leaf["metadata"]["sample_weight"]) == 60 for leaf in leaves)
    last = [r for r in callback.record if r["context"].task_name == "refit-with-best-params"]
    for record in last:
        np.testing.assert_array_equal(record["kwargs"]["metadata"]["sample_weight"], weights)


@pytest.mark.parametrize("kind", ["random", "bayes", "max_iter"])
def test_callbacks_reach_an_estimator_that_has_them(kind: str) -> None:
    """The counts of scikit-learn's own test of its searches."""
    own, spread = RecordingCallback(), RecordingAutoPropagatedCallback()
    space = (
        {"max_iter": [1, 2, 3]}
        if kind != "max_iter"
        else {"computation_intensity": [0.0, 1e-9]}
    )
    options = {"n_iter": 3} if kind in FLAT else {"max_resources": 3}
    search = make(
        kind, MaxIterEstimator(computation_intensity=0.0), space, scoring="r2", **options
    )
    search.set_callbacks(own, spread).fit(X, y)
    rungs = len(search.n_resources_) if kind in HALVING else 0
    iterations = [params["max_iter"] for params in search.cv_results_["params"]]
    tasks = 1 + 1 + 1 + rungs + len(iterations) * 3
    assert hooks(own)["on_fit_task_begin"] == hooks(own)["on_fit_task_end"] == tasks
    inner = 3 * sum(iterations) + search.best_estimator_.n_iter_
    assert hooks(spread)["on_fit_task_begin"] == tasks + inner
    assert hooks(spread)["on_fit_task_end"] == tasks + inner


@pytest.mark.parametrize("kind", SYNCHRONOUS)
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_counts_do_not_depend_on_n_jobs(kind: str, backend: str) -> None:
    if backend == "loky" and kind != "epochs":
        pytest.skip("one class is enough for processes")
    counts = []
    for n_jobs in (1, 2):
        callback = RecordingCallback()
        with joblib.parallel_config(backend=backend):
            searched(kind, n_jobs=n_jobs).set_callbacks(callback).fit(X, y)
        counts.append(hooks(callback))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("error_score", [np.nan, "raise"])
def test_failures_leave_no_task_open(kind: str, error_score: Any) -> None:
    space = {"alpha": [1e-4, -1.0, 1e-3, -2.0, 1e-2, -3.0]}
    callback = RecordingCallback()
    search = make(kind, space=space, error_score=error_score, refit=False).set_callbacks(
        callback
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if error_score == "raise":
            with pytest.raises(ValueError, match="alpha"):
                search.fit(X, y)
        else:
            search.fit(X, y)
            assert hooks(callback)["on_fit_task_begin"] == hooks(callback)["on_fit_task_end"]
    assert hooks(callback)["setup"] == hooks(callback)["teardown"] == 1


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("where", ["setup", "on_fit_task_begin", "on_fit_task_end", "teardown"])
def test_a_callback_that_fails_is_heard(kind: str, where: str) -> None:
    calls = Calls()
    search = make(kind, EpochRecorder(calls), {"x": [1.0, 2.0, 3.0, 4.0, 5.0]})
    with pytest.raises(ValueError, match=f"Failing callback failed at {where}"):
        search.set_callbacks(FailingCallback(where)).fit(X, y)
    if where in ("setup", "on_fit_task_begin"):
        assert not calls.noted


@pytest.mark.parametrize("kind", CLASSES)
def test_scores_are_those_without_callbacks(kind: str) -> None:
    heard = searched(kind).set_callbacks(RecordingCallback()).fit(X, y)
    unheard = searched(kind).fit(X, y)
    np.testing.assert_array_equal(
        heard.cv_results_["mean_test_score"], unheard.cv_results_["mean_test_score"]
    )


@UNHEARD
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", CLASSES)
def test_the_progress_bar_shows_rungs_and_gets_to_its_end(
    kind: str, n_jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    search = searched(kind, n_jobs=n_jobs)
    with joblib.parallel_config(backend="threading"):
        search.set_callbacks(ProgressBar()).fit(X, y)
    shown = capsys.readouterr().out
    name = type(search).__name__
    assert f"{name} - fit" in shown
    assert f"{name} - search" in shown
    if kind in HALVING:
        for rung in range(3):
            assert re.search(rf"{name} - halving-iteration #{rung}", shown)
    assert "100%" in shown
    assert not re.search(r"\b[0-9]{1,2}%", shown)


@UNHEARD
def test_the_progress_bar_crosses_processes(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    searched("epochs", n_jobs=2).set_callbacks(ProgressBar()).fit(X, y)
    shown = capsys.readouterr().out
    assert "halving-iteration #2" in shown
    assert not re.search(r"\b[0-9]{1,2}%", shown)


def test_the_progress_bar_of_a_search_in_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    inner = make("epochs")
    outer = GridSearchCV(inner, {"factor": [3, 9]}, cv=2).set_callbacks(ProgressBar())
    outer.fit(X, y)
    shown = capsys.readouterr().out
    assert "halving-iteration" in shown
    assert not re.search(r"\b[0-9]{1,2}%", shown)


@UNHEARD
def test_a_search_within_a_pipeline_is_heard() -> None:
    own, spread = RecordingCallback(), RecordingAutoPropagatedCallback()
    search = make("epochs").set_callbacks(own)
    make_pipeline(StandardScaler(), search).fit(X, y)
    make("epochs").set_callbacks(spread).fit(X, y)
    assert hooks(own) == hooks(spread)


def monitored() -> tuple[ScoringMonitor, Any]:
    """Return a monitor, which does not propagate, and the estimator that it watches."""
    monitor = ScoringMonitor(scoring="r2")
    return monitor, MaxIterEstimator(computation_intensity=0.0).set_callbacks(monitor)


@pytest.mark.parametrize("kind", ["random", "bayes"])
def test_the_scoring_monitor_logs_what_it_logs_of_scikit_learns(kind: str) -> None:
    space = {"max_iter": [1, 2, 3]}
    monitor, estimator = monitored()
    make(kind, estimator, space, scoring="r2", n_iter=3).fit(X, y)
    other, estimator = monitored()
    GridSearchCV(estimator, space, scoring="r2", cv=3).fit(X, y)
    ours, theirs = monitor.get_logs(), other.get_logs()
    assert ours.estimator_name != theirs.estimator_name
    assert sorted(row["r2"] for row in ours.data) == sorted(row["r2"] for row in theirs.data)


def test_the_scoring_monitor_hears_of_rungs() -> None:
    monitor, estimator = monitored()
    space = {"computation_intensity": [0.0, 1e-9]}
    search = make("max_iter", estimator, space, scoring="r2", max_resources=3).fit(X, y)
    # each iteration and each fit, on each fold of every row, and those of the refit
    resources = search.cv_results_["n_resources"]
    expected = 3 * sum(resources + 1) + 3 + 1
    assert len(monitor.get_logs().data) == expected
