"""Who is told of results: lines and tables on the screen, files, TensorBoard."""

from __future__ import annotations

import csv
import io
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.callback import ProgressBar
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.svm import SVC

from sk_hpo import (
    ASHASearchCV,
    CSVWriter,
    HalvingHyperbandSearchCV,
    MaxTrials,
    RandomSearchCV,
    TensorBoardWriter,
)
from sk_hpo.inspection.recorded import record_of

X, y = load_iris(return_X_y=True)
ALPHA = {"alpha": loguniform(1e-5, 1e-1)}


def hyperband(**options):
    defaults = {"max_resources": 9, "cv": 3, "random_state": 0}
    return HalvingHyperbandSearchCV(SGDClassifier(), ALPHA, **defaults | options)


class Recorder:
    """A callback that only listens."""

    def __init__(self):
        self.heard = []

    def setup(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_search_begin(self, search, plan, names):
        self.heard.append((plan.n_candidates, names))

    def on_result(self, trial, rung):
        self.heard.append((trial, rung))

    def on_search_end(self):
        self.heard.append("end")


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
@pytest.mark.parametrize(
    "options",
    [{}, {"resource": "folds", "max_resources": 3}, {"fold_racing": True}, {"n_jobs": 2}],
    ids=str,
)
def test_every_result_is_told_once(options):
    told = Recorder()
    search = hyperband(**options).set_callbacks(told)
    search.fit(X, y)
    (n, names), *results, end = told.heard
    assert (n, names, end) == (search.plan(X, y).n_candidates, ("alpha",), "end")
    known = {(t.id, r.resource): (t, r) for t, r in record_of(search).results()}
    heard = {(t.id, r.resource): (t, r) for t, r in results}
    assert len(heard) == len(results)
    assert set(heard) == set(known)
    for key, (trial, rung) in heard.items():
        of_record, at = known[key]
        assert (trial.params, trial.bracket) == (of_record.params, of_record.bracket)
        assert (rung.number, rung.scores) == (at.number, at.scores)
        assert [run.fold for run in rung.runs] == [run.fold for run in at.runs]


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
def test_a_search_that_goes_on_tells_all_again(tmp_path):
    options = {"journal": tmp_path / "x.journal"}
    first, second = Recorder(), Recorder()
    hyperband(stop=MaxTrials(5), **options).set_callbacks(first).fit(X, y)
    search = hyperband(**options).set_callbacks(second).fit(X, y)
    assert len(second.heard) - 2 == len(search.cv_results_["params"])
    begun = [(t.id, r.score) for t, r in first.heard[1:-1]]
    assert [(t.id, r.score) for t, r in second.heard[1:-1]][: len(begun)] == begun


def lines_of(search, capsys):
    search.fit(X, y)
    return capsys.readouterr().out.splitlines()


def test_a_line_for_each_rung(capsys):
    search = hyperband(verbose=1)
    lines = [line for line in lines_of(search, capsys) if line.startswith("bracket ")][1:]
    results = search.cv_results_
    found = []
    for line in lines:
        told = re.fullmatch(
            r"bracket (\d), iter (\d): (\d+) candidates at (\d) epochs, best (\S+) "
            r"\(trial (\d+)\); incumbent (\S+) .*\(trial (\d+), (\d) epochs\); \d+ s",
            line,
        )
        assert told, line
        found.append(told.groups())
    assert len(found) == 6
    for bracket, number, n, resource, best, trial, *_ in found:
        rows = (results["bracket"] == int(bracket)) & (results["iter"] == int(number))
        assert int(n) == rows.sum()
        assert {int(resource)} == set(results["n_resources"][rows])
        score = results["mean_test_score"][rows].max()
        assert float(best) == pytest.approx(score, abs=1e-4)
        first = min(results["trial"][rows & (results["mean_test_score"] == score)])
        assert int(trial) == first
    *_, score, trial, resource = found[-1]
    assert float(score) == pytest.approx(search.best_score_, abs=1e-4)
    assert int(resource) == 9


def test_without_rungs_a_line_for_each_incumbent(capsys):
    search = RandomSearchCV(
        SVC(), {"C": loguniform(1e-3, 1e3)}, n_iter=12, verbose=1, random_state=0
    )
    lines = [line for line in lines_of(search, capsys) if "incumbent" in line]
    scores = search.cv_results_["mean_test_score"]
    best = np.maximum.accumulate(scores)
    at = [i for i in range(12) if i == 0 or best[i] > best[i - 1]]
    assert [line.split(" (trial")[0].split(" \u00b1")[0] for line in lines] == [
        f"{i + 1} of 12 candidates: incumbent {scores[i]:.4g}" for i in at
    ]


def test_rungs_that_were_not_filled_are_told_at_the_end(capsys):
    lines = lines_of(hyperband(verbose=1, stop=MaxTrials(5)), capsys)
    [line] = [line for line in lines if line.startswith("bracket 0, ")]
    assert line.startswith("bracket 0, iter 0: 5 of 9 candidates at 1 epochs")
    search = ASHASearchCV(
        SGDClassifier(), ALPHA, n_candidates=9, max_resources=9, verbose=1, random_state=0
    )
    lines = [line for line in lines_of(search, capsys) if line.startswith("bracket 0, ")]
    assert len(lines) == len({*search.cv_results_["iter"]})


def test_on_a_terminal_a_table_stays_in_its_place(monkeypatch):
    pytest.importorskip("rich")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    search = hyperband(verbose=1).fit(X, y)
    last = terminal.getvalue().split("bracket ")[-1]
    rows = [re.findall(r"[\d./]+", line) for line in last.splitlines()]
    cells = [row for row in rows if len(row) == 5 and "/" in row[3]]
    assert [row[3] for row in cells[-6:]] == ["9/9", "3/3", "1/1", "5/5", "1/1", "3/3"]
    assert f"incumbent {search.best_score_:.4g}" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()  # it went back, to write in the same place


def test_rubbish_in_the_estimator_is_no_incumbent(capsys):
    search = RandomSearchCV(
        SVC(), {"C": [-1.0, 1.0]}, n_iter=2, error_score=2.0, verbose=1, random_state=0
    )
    with pytest.warns(Warning, match="fits failed"):
        lines = lines_of(search, capsys)
    [line] = [line for line in lines if "incumbent" in line]
    assert line.startswith("2 of 2 candidates")


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_table_of_trials_is_that_of_the_search(tmp_path, n_jobs):
    writer = CSVWriter(tmp_path / "new" / "trials.csv")
    search = hyperband(n_jobs=n_jobs).set_callbacks(pickle.loads(pickle.dumps(writer)))
    results = search.fit(X, y).cv_results_
    with open(tmp_path / "new" / "trials.csv", newline="") as file:
        rows = {(r["trial"], r["n_resources"]): r for r in csv.DictReader(file)}
    assert len(rows) == len(results["params"])
    for i, params in enumerate(results["params"]):
        row = rows[str(results["trial"][i]), str(results["n_resources"][i])]
        assert float(row["param_alpha"]) == params["alpha"]
        assert float(row["mean_test_score"]) == results["mean_test_score"][i]
        assert float(row["split2_test_score"]) == results["split2_test_score"][i]
        assert row["failure"] == ""


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
@pytest.mark.filterwarnings("ignore:.*are non-finite")
def test_failures_and_absent_parameters_in_the_table(tmp_path):
    space = [{"C": [-1.0]}, {"kernel": ["linear"]}]
    search = RandomSearchCV(SVC(), space, n_iter=2, random_state=0)
    search.set_callbacks(CSVWriter(tmp_path / "t.csv"))
    with pytest.warns(Warning, match="fits failed"):
        search.fit(X, y)
    with open(tmp_path / "t.csv", newline="") as file:
        failed, sound = sorted(csv.DictReader(file), key=lambda row: row["param_kernel"])
    assert (failed["param_C"], failed["param_kernel"]) == ("-1.0", "")
    assert failed["mean_test_score"] == ""
    assert failed["failure"].startswith("sklearn.utils._param_validation.InvalidParameter")
    assert (sound["param_C"], sound["param_kernel"], sound["failure"]) == ("", "linear", "")


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
def test_tensorboard_reads_the_curves_and_the_parameters(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    search = hyperband(n_jobs=2).set_callbacks(TensorBoardWriter(tmp_path)).fit(X, y)
    [run] = Path(tmp_path).iterdir()
    for trial in record_of(search).trials:
        events = EventAccumulator(str(run / f"trial-{trial.id}")).Reload()
        curve = [(event.step, event.value) for event in events.Scalars("score")]
        assert curve == [(r.resource, pytest.approx(r.score)) for r in trial.rungs]
        [content] = events.PluginTagToContent("hparams").values()
        told = HParamsPluginData.FromString(content).session_start_info.hparams
        assert told["alpha"].number_value == trial.params["alpha"]


def test_the_progress_bar_shows_the_time_left(capsys, monkeypatch):
    pytest.importorskip("rich")
    with pytest.warns(UserWarning, match="does not support callbacks"):
        hyperband().set_callbacks(ProgressBar()).fit(X, y)
    assert re.search(r"100%.*\d:\d\d:\d\d", capsys.readouterr().out)
