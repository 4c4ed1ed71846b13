"""The score of each candidate against its resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sk_hpo.inspection import style
from sk_hpo.inspection.display import RecordDisplay, no_result
from sk_hpo.inspection.record import TrialRecord

__all__ = ["LearningCurvesDisplay"]

_MOST_TICKS = 12
_LOSER = {"colors": style.FAINT["color"], "linewidths": 0.8, "zorder": 2}
_SURVIVOR = {"colors": style.COLORS[0], "linewidths": 2.0, "zorder": 3}


class LearningCurvesDisplay(RecordDisplay):
    """The score of each candidate against the resource it was trained with.

    Who came to the highest resource is bold, who was stopped before is faint, and the
    candidate that was chosen stands out. Crosses on the lower edge are failures, triangles
    there are scores far below all others. The axis of the resource is logarithmic where rungs
    are a factor apart.

    Parameters
    ----------
    record : SearchRecord
        Of a search with rungs.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by `plot`.
    figure_ : matplotlib Figure
        Set by `plot`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sk_hpo import HalvingHyperbandSearchCV
    >>> from sk_hpo.inspection.learning_curves_display import LearningCurvesDisplay
    >>> search = HalvingHyperbandSearchCV(
    ...     SGDClassifier(), {"alpha": loguniform(1e-5, 1e1)}, max_resources=9, random_state=0
    ... )
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> display = LearningCurvesDisplay.from_search(search)
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['1', '3', '9']
    """

    def plot(self, *, ax: Any = None) -> Any:
        """Plot a line for each candidate, with a dot for each rung.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : LearningCurvesDisplay
            Itself.
        """
        record = self.record
        self.figure_, self.ax_ = style.axes(ax)
        if record.resource is None:
            style.nothing(self.ax_, "A search without rungs has no learning curves.")
            return self
        results = [rung for _, rung in record.results()]
        if not results:
            style.nothing(self.ax_, no_result(record))
            return self
        _resource_axis(self.ax_, sorted({rung.resource for rung in results}))
        floor = style.score_axis(self.ax_, [r.score for r in results if not r.failed])
        self._draw(floor)
        failed = [rung.resource for rung in results if rung.failed]
        style.failures(self.ax_, failed, label=f"failed ({len(failed)})")
        self.ax_.set(xlabel=f"Resource ({record.resource})", ylabel=style.score_label(record))
        style.legend(self.ax_)
        return self

    def _draw(self, floor: float) -> None:
        top = self.record.top
        sound = [trial for trial in self.record.trials if len(_curve(trial))]
        reached = {t.id for t in sound if _curve(t)[-1, 0] == top}
        winners = [trial for trial in sound if trial.id in reached]
        losers = [trial for trial in sound if trial.id not in reached]
        self._lines(losers, _LOSER, f"stopped below ({len(losers)})", floor)
        label = f"reached {top} {self.record.resource} ({len(winners)})"
        self._lines(winners, _SURVIVOR, label, floor)
        for best in (trial for trial in sound if trial.id == self.record.best):
            x, y = _curve(best).T
            label = f"chosen (candidate {best.id})"
            self.ax_.plot(x, y, marker="o", markersize=5, label=label, **style.INCUMBENT)

    def _lines(
        self, trials: Sequence[TrialRecord], look: dict[str, Any], label: str, floor: float
    ) -> None:
        if not trials:
            return
        from matplotlib.collections import LineCollection

        curves = [_curve(trial) for trial in trials]
        alpha = style.alpha_for(len(curves))
        lines = [curve for curve in curves if len(curve) > 1]
        found = LineCollection(lines, alpha=alpha, label=label, **look)
        found.set_rasterized(len(lines) > 1000)
        self.ax_.add_collection(found)
        x, y = np.concatenate(curves).T
        dot = {"color": look["colors"], "alpha": alpha, "zorder": look["zorder"]}
        style.dots(self.ax_, x, y, floor, **dot)


def _curve(trial: TrialRecord) -> np.ndarray:
    """Return resource and score of the sound rungs, of shape (n_rungs, 2)."""
    found = [(rung.resource, rung.score) for rung in trial.rungs if not rung.failed]
    return np.array(found, float).reshape(-1, 2)


def _resource_axis(ax: Any, levels: Sequence[int]) -> None:
    """Make the axis logarithmic if resources grow by a factor; mark the rungs."""
    if _by_factor(levels):
        ax.set_xscale("log")
        ax.minorticks_off()
    if len(levels) <= _MOST_TICKS:
        ax.set_xticks(levels, labels=[str(level) for level in levels])
        for level in levels:
            ax.axvline(level, color="0.9", linewidth=0.8, zorder=0)


def _by_factor(levels: Sequence[int]) -> bool:
    """Whether the levels are more evenly spaced on a logarithmic axis."""
    if len(levels) < 3:
        return len(levels) == 2 and levels[1] >= 2 * levels[0]
    steps, ratios = np.diff(levels), np.diff(np.log(levels))
    return bool(ratios.std() / ratios.mean() < steps.std() / steps.mean())
