"""The example of the displays over parameters runs, on little data."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
from matplotlib import pyplot as plt

matplotlib.use("Agg")

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_parameters.py"


def test_plot_parameters(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SK_HPO_EXAMPLES", "small")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    made = runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capsys.readouterr().out
    assert "candidates: 10; 3 folds" in printed
    assert f"{made['search'].best_score_:.4f}" in printed
    assert made["ensemble"].note_ in printed
    assert made["page"].parent == tmp_path
    assert len(plt.get_fignums()) == 4
    plt.close("all")
