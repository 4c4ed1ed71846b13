"""The comparison of searches runs, on little data."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "compare_searches.py"


def test_compare_searches(monkeypatch, capsys, tmp_path):
    picture = tmp_path / "picture.png"
    arguments = ["--rows", "240", "--folds", "2", "--plot", str(picture)]
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *arguments])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capsys.readouterr().out
    # 32 candidates of the grid, each on two thirds of 120 rows three times.
    assert "a search may train on 7680 rows" in printed
    means = printed.split("Means over the outer folds:\n")[1].splitlines()[2:]
    spent = {line.split()[0]: float(line.split()[3]) for line in means}
    assert list(spent) == [
        "GridSearchCV",
        "RandomizedSearchCV",
        "HalvingRandomSearchCV",
        "BayesSearchCV",
        "HalvingHyperbandSearchCV",
    ]
    assert (
        spent["GridSearchCV"] == spent["RandomizedSearchCV"] == spent["BayesSearchCV"] == 7680
    )
    assert max(spent.values()) == 7680
    assert picture.stat().st_size > 0
