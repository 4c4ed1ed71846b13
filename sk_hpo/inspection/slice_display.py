"""The score against each parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sk_hpo.inspection import style
from sk_hpo.inspection.display import ParametersDisplay, no_result
from sk_hpo.inspection.panels import panels
from sk_hpo.inspection.parameter_axis import chosen, tick_values
from sk_hpo.inspection.record import Parameter, SearchRecord, label_of

__all__ = ["SliceDisplay"]

_MAP = "Blues"
_PALEST = 0.3  # of the map: the first trials are seen on white
_MOST_BARS = 40  # more bars hide one another
_COLUMNS = 4
_GOLDEN = (math.sqrt(5) - 1) / 2
_STAR = {"marker": "*", "markersize": 13, "linestyle": "none", "markeredgecolor": "white"}


class SliceDisplay(ParametersDisplay):
    """The score of each candidate against each of its parameters.

    A dot is a candidate at the highest resource it reached; the later it was tried, the darker
    it is. Dots of candidates that did not reach the highest resource of the search are small.
    Where there are few, a bar is the standard error over the folds. A star is the chosen
    candidate; a cross on the lower edge is a failure. Dots of one choice lie beside one
    another, and those that have no such parameter are in a column of their own.

    Parameters
    ----------
    record : SearchRecord
        From `record_of`.
    parameters : sequence of str, default=None
        Which panels there are; None for all, by name.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_columns)
        Set by `plot`; those that are left over are off.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        Set by `plot`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import RandomSearchCV
    >>> from sk_hpo.inspection.slice_display import SliceDisplay
    >>> space = {"C": loguniform(1e-2, 1e2), "kernel": ["rbf", "linear"]}
    >>> search = RandomSearchCV(SVC(), space, n_iter=5, random_state=0)
    >>> display = SliceDisplay.from_search(search.fit(*load_iris(return_X_y=True)))
    >>> [(ax.get_xlabel(), ax.get_xscale()) for ax in display.axes_.ravel()]
    [('C', 'log'), ('kernel', 'linear')]
    """

    def plot(self, ax: Any = None) -> Any:
        """Plot the panels.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            A single one gives up its place to the panels, an array is the panels; None makes a
            new figure.

        Returns
        -------
        display : SliceDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is no such parameter, or an array has another length.
        """
        parameters = chosen(self.record, self.parameters)
        trials = [trial for trial in self.record.trials if trial.last is not None]
        if not trials or not parameters:
            self.figure_, self.ax_ = style.axes(ax)
            self.axes_ = np.array([[self.ax_]], object)
            style.nothing(self.ax_, no_result(self.record))
            return self
        n_rows, n_columns = _grid(len(parameters), ax)
        self.figure_, self.axes_ = panels(
            ax, n_rows, n_columns, width=2.5 if n_columns > 1 else 5, height=2.6, sharey=True
        )
        self.ax_ = self.axes_[0, 0]
        found = _Results(self.record)
        for axes, parameter in zip(self.axes_.ravel(), parameters, strict=False):
            _panel(axes, parameter, found)
        for axes in self.axes_.ravel()[len(parameters) :]:
            axes.set_axis_off()
        for axes in self.axes_[:, 0]:
            axes.set_ylabel(style.score_label(self.record))
        self._legend(found)
        return self

    def _legend(self, results: _Results) -> None:
        found = dict(_proxies(self.record, results))
        for axes in self.axes_.ravel():
            handles, labels = axes.get_legend_handles_labels()
            found |= dict(zip(labels, handles, strict=True))
        if found:
            place = {"loc": "outside upper center"} if _is_constrained(self.figure_) else {}
            look = {"ncols": min(len(found), 5), "frameon": False, "fontsize": 9}
            self.figure_.legend(found.values(), found.keys(), **look, **place)


def _proxies(record: SearchRecord, found: _Results) -> Iterator[tuple[str, Any]]:
    """Yield what shades and sizes of dots mean."""
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    def dot(age: float, size: float) -> Any:
        look = {"marker": "o", "linestyle": "none", "markersize": size}
        return Line2D([], [], color=colormaps[_MAP](age), **look)

    if len(found.age) > 1:
        yield "first", dot(_PALEST, 5)
        yield "last", dot(1.0, 5)
    if record.resource and not found.full[~found.failed].all():
        yield f"fewer {record.resource}", dot(0.7, 2.5)


class _Results:
    """The last result of each trial, in the order of asking."""

    def __init__(self, record: SearchRecord) -> None:
        pairs = [(trial, trial.last) for trial in record.trials if trial.last is not None]
        self.params = [trial.params for trial, _ in pairs]
        self.ids = np.array([trial.id for trial, _ in pairs], int)
        self.failed = np.array([rung.failed for _, rung in pairs], bool)
        scores = [math.nan if rung.failed else rung.score for _, rung in pairs]
        self.scores = np.array(scores, float)
        self.errors = np.array([rung.standard_error for _, rung in pairs], float)
        self.full = np.array([rung.resource for _, rung in pairs], int) >= record.top
        self.best = self.ids == (-1 if record.best is None else record.best)
        self.age = np.linspace(_PALEST, 1.0, len(pairs)) if len(pairs) > 1 else np.ones(1)


def _panel(ax: Any, parameter: Parameter, found: _Results) -> None:
    x = _places(parameter, found.params)
    _axis(ax, parameter, x)
    shown = np.isfinite(x)
    _failures(ax, x[shown & found.failed], label=f"failed ({int(found.failed.sum())})")
    sound = shown & ~found.failed
    floor = style.score_axis(ax, found.scores)
    few = int(np.count_nonzero(~found.failed)) <= _MOST_BARS
    _dots(ax, x, found, sound & (found.scores >= floor), few)
    below = sound & (found.scores < floor)
    if below.any():
        style.dots(ax, x[below], found.scores[below], floor, color="#08306b", alpha=0.6)
    star = sound & found.best
    if star.any():
        look = style.INCUMBENT | _STAR | {"zorder": 6}
        ax.plot(x[star], found.scores[star], label="best", **look)


def _failures(ax: Any, x: np.ndarray, label: str) -> None:
    if len(x) <= _MOST_BARS:
        style.failures(ax, x, label=label)
        return
    look = style.FAILED | {"marker": "|", "markersize": 7}
    edge = {"transform": ax.get_xaxis_transform(), "rasterized": len(x) > 1000}
    ax.plot(x, np.full(len(x), 0.02), alpha=0.4, **edge, **look)
    ax.plot([], [], label=label, **look)


def _dots(ax: Any, x: np.ndarray, found: _Results, sound: np.ndarray, few: bool) -> None:
    n = int(sound.sum())
    if not n:
        return
    if few:
        bars = sound & np.isfinite(found.errors)
        ax.errorbar(
            *(x[bars], found.scores[bars], found.errors[bars]),
            fmt="none",
            ecolor="0.7",
            elinewidth=0.8,
            zorder=1.9,
        )
        top = (found.scores[bars] + found.errors[bars]).max(initial=-np.inf)
        if top > ax.get_ylim()[1]:
            ax.set_ylim(top=top)
    size = float(np.clip(150 / math.sqrt(n), 5, 26))
    ax.scatter(
        x[sound],
        found.scores[sound],
        c=found.age[sound],
        s=np.where(found.full[sound], size, size / 3),
        cmap=_MAP,
        vmin=0.0,
        vmax=1.0,
        linewidths=0.4 if few else 0.0,
        edgecolors="0.3" if few else "none",
        alpha=float(np.clip(20 / math.sqrt(n), 0.35, 1.0)),
        zorder=2,
        rasterized=n > 1000,
    )


def _axis(ax: Any, parameter: Parameter, x: np.ndarray) -> None:
    """Give an axis the parameter's scale, ends and names."""
    ax.set_xlabel(style.short(parameter.name))
    if parameter.kind == "choice":
        labels = [style.short(label, 14) for label in parameter.labels]
        places = list(range(len(labels)))
        if parameter.conditional:
            labels, places = [*labels, "absent"], [*places, len(labels)]
        step = math.ceil(len(labels) / 8)
        ax.set_xticks(places[::step], labels[::step])
        if sum(map(len, labels[::step])) > 16:
            for label in ax.get_xticklabels():
                label.set(rotation=30, ha="right", rotation_mode="anchor")
        ax.set_xlim(-0.6, len(labels) - 0.4)
        return
    if parameter.log:
        ax.set_xscale("log")
        ax.minorticks_off()
    if parameter.low < parameter.high:
        values = tick_values(parameter.low, parameter.high, parameter.log, most=3)
        ax.set_xticks(values, [f"{value:.4g}" for value in values])
    low, high, gap = _ends(parameter)
    if not low < high:
        return
    back = np.exp if parameter.log else float
    if not parameter.conditional:
        ax.set_xlim(back(low - gap), back(high + gap))
        return
    ax.set_xlim(back(low - gap), back(high + 5 * gap))
    ax.axvspan(back(high + 1.5 * gap), back(high + 5 * gap), color="0.93", zorder=0)
    values = [*ax.get_xticks(), back(high + 3.25 * gap)]
    ax.set_xticks(values, [*(label.get_text() for label in ax.get_xticklabels()), "\nabsent"])
    ax.get_xticklabels()[-1].set_style("italic")


def _ends(parameter: Parameter) -> tuple[float, float, float]:
    """Return where the axis begins and ends, in its scale, and a small part of it."""
    low, high = parameter.low, parameter.high
    if parameter.log:
        low, high = math.log(low), math.log(high)
    return low, high, 0.06 * (high - low)


def _places(parameter: Parameter, params: Sequence[Any]) -> np.ndarray:
    """Return where candidates lie on the axis; NaN where nothing can be shown."""
    missing = np.array([parameter.name not in of for of in params], bool)
    values = [of.get(parameter.name) for of in params]
    if parameter.kind == "choice":
        cells = {label: i for i, label in enumerate(parameter.labels)}
        cell = np.array([cells.get(label_of(v), math.nan) for v in values], float)
        cell[missing] = len(cells)
        return cell + _beside(cell)
    x = np.array([math.nan if v is None else float(v) for v in values])
    low, high, gap = _ends(parameter)
    if low < high:
        place = high + gap * (3.25 + 4 * _beside(missing.astype(float))[missing])
        x[missing] = np.exp(place) if parameter.log else place
    return x


def _beside(cells: np.ndarray) -> np.ndarray:
    """Return offsets, up to 0.35, that lay dots of one cell beside one another."""
    found = np.zeros(len(cells))
    for cell in np.unique(cells[np.isfinite(cells)]):
        here = cells == cell
        n = int(here.sum())
        width = 0.35 * min(1.0, n / 30)
        found[here] = width * (2 * ((np.arange(n) * _GOLDEN + 0.5) % 1) - 1)
    return found


def _grid(n: int, ax: Any) -> tuple[int, int]:
    """Return how many rows and columns n panels make."""
    if ax is not None and np.ndim(ax) == 2:
        return np.shape(ax)
    rows = math.ceil(n / _COLUMNS)
    return rows, math.ceil(n / rows)


def _is_constrained(figure: Any) -> bool:
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
