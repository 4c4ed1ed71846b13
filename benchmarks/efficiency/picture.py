"""Regret against evaluations, and against the time that suggestions took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from efficiency.report import OURS, Report, curve
from efficiency.results import Run

__all__ = ["draw"]

# What lies beyond is of no interest.
_MAX_REGRET, _MIN_SECONDS = 100.0, 1e-4


def draw(report: Report, runs: Sequence[Run], path: Path) -> None:
    """Write a picture of two panels; the band is one standard error over seeds.

    Parameters
    ----------
    report : Report
        Names optimisers, tasks and evaluations.
    runs : sequence of Run
        From which it was made.
    path : Path
        Where to; the ending says in what format.
    """
    n = max(report.regrets)
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for i, name in enumerate(report.seeds):
        regret, error, seconds = _mean_curves(report, runs, name, n)
        style = {
            "color": f"C{i}",
            "label": name,
            "linewidth": 2.5 if name.startswith(OURS) else 1.2,
        }
        evaluations = np.arange(1, n + 1)
        left.plot(evaluations, regret, **style)
        left.fill_between(
            evaluations, regret - error, regret + error, color=f"C{i}", alpha=0.15, linewidth=0
        )
        right.plot(seconds, regret, **style)
    left.set(xlabel="evaluations", ylabel="mean regret (% of median to optimum)", yscale="log")
    left.set_ylim(top=_MAX_REGRET)
    right.set(xlabel="seconds spent on suggestions until then", xscale="log")
    right.set_xlim(left=_MIN_SECONDS)
    left.set_title(f"{len(report.tasks)} tasks")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def _mean_curves(
    report: Report, runs: Sequence[Run], name: str, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return regret, its standard error and total seconds after 1 to `n` evaluations."""
    means, variances, seconds = [], [], []
    for task in report.tasks:
        here = [
            run
            for run in runs
            if run.key.optimizer == name and run.key.task == task
            if run.key.batch == 1 and len(run.observed) >= n
        ]
        curves = np.array([curve(run)[:n] for run in here])
        means.append(curves.mean(0))
        variances.append(
            curves.var(0, ddof=1) / len(curves) if len(curves) > 1 else 0 * curves[0]
        )
        seconds.append(np.mean([np.cumsum(run.seconds[:n]) for run in here], axis=0))
    error = np.sqrt(np.sum(variances, axis=0)) / len(means)
    return np.mean(means, axis=0), error, np.mean(seconds, axis=0)
