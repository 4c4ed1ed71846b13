"""The overhead benchmark, on next to nothing."""

from __future__ import annotations

import json
import runpy

import pytest


@pytest.fixture
def script(benchmarks):
    return runpy.run_path(str(benchmarks / "overhead.py"))


def test_figures(script):
    row = script["Row"]("sk_hpo", 50.0, 2, 100, [3.0, 2.6, 2.5])
    assert row.trial == 26.0
    assert row.overhead == pytest.approx(2.0)
    assert row.utilisation == pytest.approx(50 / 52)
    assert script["verdict"](row, None).endswith("wall 1.040 x ideal, at most 1.1: met")
    row = script["Row"]("sk_hpo", 0.0, 1, 1000, [2.5])
    assert "1.500 ms beyond fit_and_score" in script["verdict"](row, 1.0)
    assert script["verdict"](row, 1.0).endswith("MISSED")
    assert script["verdict"](row, 2.0).endswith("met")


def test_it_prints_and_writes(script, capsys, tmp_path):
    arguments = ["--fits", "3", "--repeats", "2", "--ms", "0,1", "--jobs", "1"]
    methods = ["fit_and_score", "sklearn", "sk_hpo"]
    arguments += ["--methods", ",".join(methods), "--json", str(tmp_path / "r.json")]
    script["main"](arguments)
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert [(row["method"], row["ms"]) for row in rows] == [
        (name, ms) for ms in (0.0, 1.0) for name in methods
    ]
    assert all(len(row["seconds"]) == 2 for row in rows)
    assert capsys.readouterr().out.count("sk_hpo") == 2


def test_what_is_not_installed_is_named(script, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(script["main"].__globals__, "find_spec", lambda name: None)
    script["main"](["--methods", "ray", "--json", str(tmp_path / "r.json")])
    assert capsys.readouterr().out == "skipped ray: ray is not installed\n"
