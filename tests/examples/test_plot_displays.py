"""The example of the displays runs, on a small budget."""

from __future__ import annotations

import runpy
from pathlib import Path

from matplotlib import pyplot as plt

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_displays.py"


def test_plot_displays(monkeypatch, capsys):
    monkeypatch.setenv("SK_HPO_EXAMPLES", "small")
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.switch_backend("Agg")
    try:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        assert len(plt.get_fignums()) == 6
        assert all(plt.figure(i).axes[0].lines for i in plt.get_fignums())
    finally:
        plt.close("all")
    assert capsys.readouterr().out.startswith("CV 0.")
