"""Every candidate as a line across one axis per parameter, coloured by its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_hpo.inspection import style
from sk_hpo.inspection.display import ParametersDisplay, no_result
from sk_hpo.inspection.parameter_axis import chosen, ticks
from sk_hpo.inspection.record import Parameter, SearchRecord, TrialRecord

__all__ = ["ParallelCoordinatesDisplay"]

_ABSENT = -0.14  # where lines go that have no such parameter; the axes are from 0 to 1
_SPREAD = 0.32  # of a cell, to each side: many lines through one choice do not hide another
_MOST_FAILED = 25
_MAP = "viridis"


@dataclass(frozen=True, slots=True)
class _Lines:
    """What is drawn of the trials with a result; worst score first."""

    trials: tuple[TrialRecord, ...]
    places: np.ndarray  # (n_lines, n_parameters)
    scores: np.ndarray  # (n_lines,); NaN for a failure
    full: np.ndarray  # whether a line reached the highest resource


class ParallelCoordinatesDisplay(ParametersDisplay):
    """Candidates as lines across the axes of their parameters.

    A line has the colour of the candidate's score at the highest resource it reached; better
    lines lie upon worse ones, the chosen candidate on all others, and failures are black and
    dashed. Candidates that did not reach the highest resource of the search are thin. Lines
    through one choice, or through the place of a parameter that does not exist, are spread
    out by their scores, the best one at the top.

    Parameters
    ----------
    record : SearchRecord
        From `record_of`.
    parameters : sequence of str, default=None
        Which axes there are, from left to right; None for all, by name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by `plot`.
    figure_ : matplotlib Figure
        Set by `plot`.
    lines_ : matplotlib LineCollection or None
        Of the candidates that did not fail, worst first; None if there are none.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import RandomSearchCV
    >>> from sk_hpo.inspection.parallel_coordinates_display import ParallelCoordinatesDisplay
    >>> space = {"C": loguniform(1e-2, 1e2), "kernel": ["rbf", "linear"]}
    >>> search = RandomSearchCV(SVC(), space, n_iter=5, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> display = ParallelCoordinatesDisplay.from_search(search)
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['C', 'kernel']
    """

    def plot(self, ax: Any = None) -> Any:
        """Plot the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : ParallelCoordinatesDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        parameters = chosen(self.record, self.parameters)
        width = float(np.clip(1.3 * len(parameters) + 1.2, 6.4, 20))
        self.figure_, self.ax_ = style.axes(ax, width=width, height=4.4)
        self.lines_ = None
        lines = _lines(self.record, parameters)
        if not lines.trials or not parameters:
            style.nothing(self.ax_, no_result(self.record))
            return self
        self._axes(parameters)
        self._draw(lines)
        style.legend(self.ax_, bbox_to_anchor=(0.5, 1.02), fontsize=9)
        return self

    def _axes(self, parameters: Sequence[Parameter]) -> None:
        ax = self.ax_
        width = _room(ax, len(parameters))
        for x, parameter in enumerate(parameters):
            ax.plot([x, x], [0, 1], color="0.25", linewidth=1.0, zorder=3.5)
            for y, text in ticks(parameter):
                ax.plot([x - 0.02, x], [y, y], color="0.25", linewidth=1.0, zorder=3.5)
                self._text(x - 0.03, y, style.short(text, width))
            if parameter.conditional:
                ax.plot(x, _ABSENT, "_", color="0.25", markersize=9, zorder=3.5)
                self._text(x - 0.05, _ABSENT, "absent", style="italic")
        below = any(parameter.conditional for parameter in parameters)
        ax.set(
            xlim=(-0.45, len(parameters) - 0.8), ylim=(_ABSENT - 0.1 if below else -0.05, 1.05)
        )
        crowded = width < 11
        names = [
            style.short(parameter.name, 24 if crowded else width + 6)
            for parameter in parameters
        ]
        ax.set_xticks(range(len(names)), names, fontsize=9)
        if crowded:
            for label in ax.get_xticklabels():
                label.set(rotation=35, ha="right", rotation_mode="anchor")
        ax.set_yticks([])
        ax.tick_params(axis="x", length=0, pad=6)
        for spine in ax.spines.values():
            spine.set_visible(False)

    def _text(self, x: float, y: float, text: str, **look: Any) -> None:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        self.ax_.text(
            *(x, y, text), ha="right", va="center", fontsize=7.5, bbox=box, zorder=6, **look
        )

    def _draw(self, lines: _Lines) -> None:
        from matplotlib.collections import LineCollection

        failed = np.isnan(lines.scores)
        if (~failed).any():
            self.lines_ = self._sound(LineCollection, lines, ~failed)
        x = np.arange(lines.places.shape[1])
        if failed.any():
            self._failures(lines.places[failed], x)
        self._best(lines, x)

    def _failures(self, places: np.ndarray, x: np.ndarray) -> None:
        """Draw lines; of many, only where they cross the axes: they would hide all others."""
        n = len(places)
        label = f"failed ({n})"
        if n <= _MOST_FAILED:
            look = {"color": style.FAILED["color"], "linestyle": (0, (3, 2)), "linewidth": 1.0}
            for line, called in zip(places, [label] + [None] * (n - 1), strict=True):
                self.ax_.plot(x, line, label=called, alpha=0.8, zorder=3, **look)
            return
        look = style.FAILED | {"marker": "_", "markersize": 9, "zorder": 4}
        self.ax_.plot(np.tile(x, n), places.ravel(), alpha=0.5, rasterized=n > 1000, **look)
        self.ax_.plot([], [], label=label, **look)

    def _sound(self, collection: Any, lines: _Lines, sound: np.ndarray) -> Any:
        scores, full = lines.scores[sound], lines.full[sound]
        x = np.arange(lines.places.shape[1])
        low = style.floor_of(scores)
        limits = (max(low, scores.min()), scores.max())
        drawn = collection(
            [np.column_stack([x, places]) for places in lines.places[sound]],
            array=scores,
            cmap=_MAP,
            linewidths=np.where(full, 1.5, 0.8) * (1 if len(scores) < 1000 else 0.6),
            alpha=_opaque(len(scores)),
            zorder=2.5,
            rasterized=len(scores) > 1000,
        )
        drawn.set_clim(*limits)
        self.ax_.add_collection(drawn)
        bar = self.figure_.colorbar(
            drawn, ax=self.ax_, pad=0.02, extend="min" if np.isfinite(low) else "neither"
        )
        bar.solids.set_alpha(1)
        bar.set_label(style.score_label(self.record), fontsize=9)
        bar.ax.tick_params(labelsize=8)
        return drawn

    def _best(self, lines: _Lines, x: np.ndarray) -> None:
        ids = [trial.id for trial in lines.trials]
        if self.record.best not in ids:
            return
        i = ids.index(self.record.best)
        look = style.INCUMBENT | {"zorder": 5, "linewidth": 2.6}
        label = f"best: {lines.scores[i]:.4g}"
        self.ax_.plot(x, lines.places[i], "o-", markersize=4.5, label=label, **look)


def _opaque(n: int) -> np.ndarray:
    """Return how opaque n lines are, worst first: of many, only the better ones stand out."""
    rank = np.linspace(0, 1, n) if n > 1 else np.ones(1)
    fade = min(1.0, n / 500)
    most = float(np.clip(25 / math.sqrt(n), 0.5, 0.95))
    return np.clip(most * (1 - fade * (1 - rank**4)), 0.03, 1.0)


def _room(ax: Any, n: int) -> int:
    """Return how many letters fit between two of n axes."""
    box = ax.get_position()
    inches = ax.figure.get_size_inches()[0] * box.width / max(n, 1)
    return int(np.clip(inches / 0.075, 6, 18))


def _lines(record: SearchRecord, parameters: Sequence[Parameter]) -> _Lines:
    """Return the trials with a result, worst first, and where their lines go."""
    pairs = [(trial, trial.last) for trial in record.trials if trial.last is not None]
    scores = np.array([math.nan if rung.failed else rung.score for _, rung in pairs], float)
    order = np.lexsort((np.arange(len(pairs))[::-1], scores))  # NaN last
    order = np.concatenate([order[np.isnan(scores[order])], order[~np.isnan(scores[order])]])
    trials = tuple(pairs[i][0] for i in order)
    resources = np.array([pairs[i][1].resource for i in order], int)
    found = np.array(
        [[p.position(trial.params.get(p.name)) for p in parameters] for trial in trials]
    )
    places = found.reshape(len(trials), len(parameters))
    for column, parameter in enumerate(parameters):
        absent = np.array([parameter.name not in trial.params for trial in trials], bool)
        half = _SPREAD / len(parameter.labels) if parameter.kind == "choice" else 0.0
        for place in np.unique(places[~absent, column]) if half else ():
            at = places[:, column] == place
            places[at, column] += _offsets(int(at.sum()), half)
        places[absent, column] = _ABSENT + _offsets(int(absent.sum()), 0.04)
    return _Lines(trials, places, scores[order], resources >= record.top)


def _offsets(n: int, half: float) -> np.ndarray:
    """Return n offsets, the last one the highest, that fill the cell only if there are many."""
    share = min(1.0, n / 30)
    return np.linspace(-1, 1, n) * half * share if n > 1 else np.zeros(n)
