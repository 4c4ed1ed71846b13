from __future__ import annotations

import json
import runpy
import sys


def test_it_reports_each_table(benchmarks, monkeypatch, capsys, tmp_path):
    out = tmp_path / "cost.json"
    arguments = ["leakage.py", "--rows", "300", "--repeats", "1", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(benchmarks / "leakage.py"), run_name="__main__")
    table = json.loads(out.read_text())
    assert [(row["dtype"], row["n_copies"]) for row in table] == [
        ("uint8", 0),
        ("uint8", 30),
        ("float32", 0),
        ("float32", 30),
    ]
    assert all(row["ratio"] == row["check"] / row["search"] for row in table)
    assert len(capsys.readouterr().out.splitlines()) == 6
