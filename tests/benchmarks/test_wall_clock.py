"""Searches against the clock: what is recorded, judged and reported."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import wall_clock
from clock import methods, run
from clock.cpu import CpuMeter
from clock.events import Event, FoldLog, incumbents
from clock.judging import Judge
from clock.methods import METHODS
from clock.peers import ours, with_sklearn
from clock.problem import FOLDS, SPACE, Problem, load
from clock.report import Setting, grouped, soon, to_json, to_text
from clock.results import Incumbent, Key, Result, append, read
from hypothesis import given
from hypothesis import strategies as st

import sk_hpo

KEY = Key("sklearn-random", 600, 3, 1, 0)
PARAMS = {
    "lr": 0.1,
    "optimizer__momentum": 0.5,
    "optimizer__weight_decay": 1e-4,
    "batch_size": 32,
    "module__hidden": 16,
}


def result(key: Key = KEY, wall: float = 8.0, tests=((1.0, 0.5), (4.0, 0.75))) -> Result:
    found = tuple(Incumbent(seconds, PARAMS, 3, 0.5, test) for seconds, test in tests)
    return Result(key, wall, 2 * wall, 45, found)


@pytest.fixture(scope="module")
def problem() -> Problem:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 10
    X = (rng.random((120, 12)) + np.eye(12)[y]).astype(np.float32)
    return Problem(X[:90], y[:90], X[90:], y[90:], max_epochs=3)


# -- the file ------------------------------------------------------------------------------


def test_runs_are_read_as_they_were_written_and_the_later_one_counts(tmp_path):
    path = tmp_path / "runs.jsonl"
    other = result(KEY._replace(seed=1))
    for written in (result(), other, result(wall=9.0)):
        append(path, written)
    assert read([path, tmp_path / "none"]) == {KEY: result(wall=9.0), other.key: other}


def test_wherever_the_file_was_torn_the_rest_counts(tmp_path):
    path = tmp_path / "runs.jsonl"
    append(path, result())
    whole = path.read_bytes()
    append(path, result(KEY._replace(seed=1)))
    for cut in range(len(whole), len(path.read_bytes()) - 1, 20):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(path.read_bytes()[:cut])
        assert set(read([torn])) == {KEY}
        append(torn, result(KEY._replace(seed=2)))
        assert set(read([torn])) == {KEY, KEY._replace(seed=2)}


def test_an_answer_holds_until_the_next():
    times = (0.5, 1.0, 3.9, 4.0, 99.0)
    assert [result().test_at(t) for t in times][1:] == [0.5, 0.5, 0.75, 0.75]
    assert np.isnan(result().test_at(0.5))
    assert [result().reaches(test) for test in (0.4, 0.5, 0.6, 0.8)] == [1, 1, 4, np.inf]
    lucky = result(tests=((1.0, 0.8), (2.0, 0.5), (3.0, 0.6), (4.0, 0.7)))
    assert lucky.reaches(0.6) == 1
    assert [lucky.keeps(test) for test in (0.4, 0.6, 0.65, 0.8)] == [1, 3, 4, np.inf]


# -- events --------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0.1, 0.2, 0.3, np.nan]))))
def test_the_incumbent_is_the_first_best_of_those_trained_longest(rows):
    events = [Event(float(i), PARAMS, *row) for i, row in enumerate(rows)]
    found = incumbents(events)
    for n in range(1, len(events) + 1):
        finite = [event for event in events[:n] if event.score == event.score]
        known = [event for event in found if event.seconds < n]
        if not finite:
            assert not known
            continue
        longest = max(event.epochs for event in finite)
        among = [event for event in finite if event.epochs == longest]
        assert known[-1] == max(among, key=lambda event: event.score)


def test_a_candidate_counts_when_all_folds_are_there(tmp_path):
    log = FoldLog(tmp_path / "log")
    other = PARAMS | {"lr": 0.2}
    lines = [(PARAMS, 1, 0.1), (other, 1, 0.5), (PARAMS, 1, 0.2), (PARAMS, 2, 0.9)]
    for line in [*lines, (PARAMS, 1, 0.6), (other, 1, 0.5)]:
        log.write(*line)
    [event] = log.events()
    assert (event.params, event.epochs, event.score) == (PARAMS, 1, pytest.approx(0.3))
    assert event.seconds >= 0
    assert (log.epochs_anew(), log.epochs_in_steps()) == (7, 6)


def test_the_log_scores_nets_as_they_score_themselves(problem, tmp_path):
    log = FoldLog(tmp_path / "log")
    net = problem.net(**PARAMS, max_epochs=2).fit(problem.X, problem.y)
    score = log(net, problem.X_test, problem.y_test)
    assert score == net.score(problem.X_test, problem.y_test)
    [line] = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)[1:] == [PARAMS, 2, score]


# -- the searches --------------------------------------------------------------------------


def test_our_events_are_the_rows_of_cv_results(problem):
    events: list[Event] = []
    search = ours.heard(sk_hpo.HalvingHyperbandSearchCV, events)(
        problem.net(), with_sklearn.distributions(), cv=FOLDS, refit=False, random_state=0
    ).fit(problem.X, problem.y)
    table = search.cv_results_
    columns = (table["params"], table["n_resources"], table["mean_test_score"])
    rows = sorted((p["lr"], r, s) for p, r, s in zip(*columns, strict=True))
    assert sorted((e.params["lr"], e.epochs, e.score) for e in events) == rows
    assert [e.seconds for e in events] == sorted(e.seconds for e in events)


@pytest.mark.parametrize("name", METHODS)
def test_every_search_answers_within_the_space(name, problem, tmp_path):
    if lacks := methods.missing(name):
        pytest.skip(f"{lacks} is missing")
    module, search = METHODS[name].load()
    getattr(module, "set_up", lambda jobs: None)(1)
    found = search(problem, 0, 1, tmp_path)
    getattr(module, "tear_down", lambda jobs: None)(1)
    assert found.epochs >= FOLDS * problem.max_epochs
    best = incumbents(found.events)[-1]
    assert best.epochs == problem.max_epochs
    assert best.params.keys() == SPACE.keys()
    for parameter, value in ((SPACE[key], best.params[key]) for key in SPACE):
        if parameter.kind == "choice":
            assert value in parameter.choices
        else:
            assert parameter.low <= value <= parameter.high
        assert isinstance(value, int | float)


def test_paired_searches_try_the_same_candidates(problem, tmp_path):
    tried = []
    for name in ("sklearn-random", "sk_hpo-hyperband-paired"):
        found = METHODS[name].load()[1](problem, 3, 1, tmp_path)
        tried.append({json.dumps(event.params, sort_keys=True) for event in found.events})
    assert len(tried[0]) == problem.n_candidates
    assert tried[0] == tried[1]


def test_epochs_trained_are_counted(problem, tmp_path):
    n = problem.n_candidates
    assert n == 5  # three from one epoch on, two from three
    for name, epochs in {
        "random": n * 3,
        "halving": 5 + 2 * 3,
        "halving-default": 3 + 3,
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        found = METHODS[f"sklearn-{name}"].load()[1](problem, 0, 1, folder)
        assert found.epochs == FOLDS * epochs


def test_what_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    monkeypatch.delattr(sk_hpo, "HalvingHyperbandSearchCV")
    names = "sklearn-random,optuna,ray-asha,sk_hpo-hyperband"
    assert wall_clock.usable(names) == ["sklearn-random"]
    printed = capsys.readouterr().out.splitlines()
    lacks = ("optuna", "ray", "sk_hpo.HalvingHyperbandSearchCV")
    assert [line.split(": ")[1] for line in printed] == [f"{what} is missing" for what in lacks]


# -- the judge -----------------------------------------------------------------------------


def test_the_judge_trains_as_the_net_does(problem):
    curve = Judge(problem, trainings=2).curve(PARAMS, 3)
    assert curve.shape == (3,)
    np.testing.assert_array_equal(Judge(problem, trainings=2).curve(PARAMS, 2), curve[:2])
    scores = [
        problem.net(**PARAMS, max_epochs=60)
        .fit(problem.X, problem.y)
        .score(problem.X_test, problem.y_test)
        for _ in range(5)
    ]
    long = Judge(problem, trainings=5).curve(PARAMS, 60)[-1]
    assert long == pytest.approx(np.mean(scores), abs=0.1)


def test_each_incumbent_is_judged_at_its_own_epochs(problem):
    judge = Judge(problem, trainings=1)
    other = PARAMS | {"batch_size": 64}
    given = [Event(1.0, PARAMS, 1, 0.1), Event(2.0, other, 2, 0.2), Event(3.0, PARAMS, 3, 0.3)]
    judged = judge.judge(given)
    curve = judge.curve(PARAMS, 3)
    assert [found.test for found in judged] == [curve[0], judge.curve(other, 2)[1], curve[2]]
    assert [found.cv for found in judged] == [0.1, 0.2, 0.3]


# -- running -------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(4090) % 10
    X = (99 * rng.random((4090, 2, 6)) + 99 * np.eye(12)[y].reshape(-1, 2, 6)).astype("uint8")
    np.savez(tmp_path / "data.npz", X=X, y=y.astype("uint8"))
    return tmp_path / "data.npz"


def test_rows_are_the_same_at_each_call_and_test_rows_apart(data):
    few, many = (load(data, rows, 3) for rows in (40, 90))
    np.testing.assert_array_equal(few.X, many.X[:40])
    np.testing.assert_array_equal(few.X_test, many.X_test)
    assert few.X.max() <= 1
    assert few.X.dtype == np.float32
    rows = {tuple(row) for row in many.X}
    assert not rows & {tuple(row) for row in many.X_test}
    with pytest.raises(ValueError, match="91 rows are wanted"):
        load(data, 91, 3)


def test_a_run_is_a_search_and_its_judged_incumbents(data):
    ran = run.run_one(KEY._replace(rows=60), data)
    assert ran.epochs == FOLDS * 3 * 5
    seconds = [found.seconds for found in ran.incumbents]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= ran.wall
    assert ran.cpu > 0
    assert all(0 < found.test < 1 for found in ran.incumbents)


def test_what_the_file_holds_is_not_run_again(tmp_path, monkeypatch, capsys):
    path = tmp_path / "runs.jsonl"
    append(path, result())
    called = []

    def fake(command, env):
        called.append(command[3:])
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(subprocess, "run", fake)
    other = KEY._replace(seed=1)
    run.run_all([KEY, other], tmp_path / "data.npz", path)
    run.run_all([other], None, path)
    assert called == [
        [json.dumps(other), str(path), str(tmp_path / "data.npz")],
        [json.dumps(other), str(path)],
    ]
    assert capsys.readouterr().out.count("failed: Key(method='sklearn-random'") == 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_time_of_other_processes_counts():
    busy = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    with CpuMeter() as meter:
        child = subprocess.Popen(
            [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.readline()
    child.communicate(b"\n")
    assert meter.seconds > 0.4


# -- the report ----------------------------------------------------------------------------


def results() -> list[Result]:
    made = []
    for seed, (method, factor) in product(range(3), (("sklearn-random", 1), ("optuna", 2))):
        tests = ((1.0 + seed, 0.5), ((4.0 + seed) / factor, 0.75))
        made.append(result(KEY._replace(method=method, seed=seed), 8.0 / factor, tests))
    return made


def test_how_soon_one_is_as_good_as_another():
    [group] = grouped(results()).values()
    found = soon(group["optuna"], group["sklearn-random"])
    assert found.seconds == [2.0, 2.5, 3.0]
    assert found.fraction == 2.5 / 8.0
    assert found.cpu_fraction == 5.0 / 16.0
    assert found.kept_fraction == 2.5 / 8.0
    never = soon([result(tests=((1.0, 0.5),))], group["optuna"])
    assert (never.seconds, never.fraction) == ([np.inf], np.inf)


def test_runs_are_compared_with_their_like():
    more = [*results(), result(KEY._replace(jobs=2))]
    groups = grouped(more)
    assert list(groups) == [Setting(600, 3, 1), Setting(600, 3, 2)]
    assert list(groups[Setting(600, 3, 1)]) == ["sklearn-random", "optuna"]
    text = to_text(groups)
    assert text.count("Seconds to a test score of 0.7500") == 2
    rows = to_json(groups)
    assert [row["of sklearn-random"] for row in rows] == [5 / 8, 2.5 / 8, 4 / 8]


def test_only_a_report(tmp_path, capsys, monkeypatch):
    path = tmp_path / "runs.jsonl"
    monkeypatch.setattr(sys, "argv", ["wall_clock.py", "--report", "--runs", str(path)])
    wall_clock.main()
    assert capsys.readouterr().out == f"{path} has no runs\n"
    for each in results():
        append(path, each)
    wall_clock.main()
    assert "optuna " in capsys.readouterr().out
    assert len(json.loads(path.with_suffix(".json").read_text())) == 2
    assert path.with_suffix(".png").stat().st_size > 0


def test_methods_that_do_not_exist_are_refused():
    with pytest.raises(SystemExit):
        wall_clock.parse_arguments(["--methods", "sklearn-random,nothing"])
    options = wall_clock.parse_arguments(["--rows", "30,60", "--jobs", "1", "--seeds", "2"])
    options.methods = "sklearn-random"
    assert [(key.rows, key.seed) for key in wall_clock.keys(options)] == [
        (30, 0),
        (30, 1),
        (60, 0),
        (60, 1),
    ]
