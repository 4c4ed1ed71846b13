"""Test score against seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clock.methods import METHODS, OURS
from clock.report import Group, Setting
from clock.results import Result

__all__ = ["curves", "draw"]


def curves(runs: Sequence[Result], seconds: np.ndarray) -> np.ndarray:
    """Return the test score of each run's incumbent at some times, NaN before the first.

    Returns
    -------
    test : ndarray of shape (n_runs, n_times)
    """
    return np.array([[run.test_at(t) for t in seconds] for run in runs])


def draw(groups: Mapping[Setting, Group], path: Path) -> None:
    """Draw a panel for each setting: medians over seeds, from the least to the greatest.

    A curve ends with the longest run; the dot is at the medians of time and score.
    """
    figure = Figure(figsize=(6.5 * len(groups), 4.8), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (setting, group) in zip(panels, groups.items(), strict=True):
        for name, runs in group.items():
            _curve(axes, name, runs)
        finals = [run.incumbents[-1].test for runs in group.values() for run in runs]
        axes.set_ylim(min(finals) - 0.08, max(finals) + 0.01)
        axes.set(xscale="log", xlabel="seconds", ylabel="test accuracy of the incumbent")
        axes.set_title(f"{setting.rows} rows, 3 folds, n_jobs={setting.jobs}")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)


def _curve(axes: Axes, name: str, runs: Sequence[Result]) -> None:
    end = max(run.wall for run in runs)
    first = max(run.incumbents[0].seconds for run in runs)
    seconds = np.geomspace(min(first, end), end, 300)
    test = curves(runs, seconds)
    middle, low, high = (f(test, axis=0) for f in (np.median, np.min, np.max))
    color = f"C{list(METHODS).index(name)}"
    width = 2.2 if name.startswith(OURS) else 1.2
    axes.plot(seconds, middle, color=color, label=name, linewidth=width, drawstyle="steps-post")
    axes.fill_between(seconds, low, high, color=color, alpha=0.12, linewidth=0, step="post")
    final = median(run.incumbents[-1].test for run in runs)
    axes.plot(median(run.wall for run in runs), final, "o", color=color, markersize=5)
