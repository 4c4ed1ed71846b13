"""What a search's model believes about the score: mean, uncertainty and what is to gain."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sk_hpo.inspection import style
from sk_hpo.inspection.panels import panels
from sk_hpo.inspection.parameter_axis import chosen, tick_values
from sk_hpo.inspection.record import Parameter, SearchRecord, TrialRecord, label_of
from sk_hpo.inspection.recorded import record_of
from sk_hpo.inspection.surrogate_slice import (
    COARSE,
    FINE,
    best_mean,
    best_of,
    improvement,
    most_varying,
    nearness,
    predicted,
    slice_of,
    surrogate_of,
)

__all__ = ["SurrogateDisplay"]

_MEAN, _SD, _EI = "viridis", "Purples", "Oranges"


class SurrogateDisplay:
    """The model of a search along one or two parameters, the others being held.

    Along one: the posterior mean with a band of two standard deviations to each side, what was
    observed, and below it the expected improvement. Along two: filled contours of mean,
    standard deviation and expected improvement. A dot is a candidate; the less it differs from
    the values that are held, the darker it is, since only then it lies near this slice.

    Parameters
    ----------
    record : SearchRecord
        Of the search.
    parameters : tuple of Parameter
        One or two that vary.
    values : tuple of sequence
        Where they were looked at: n values of the first, and m of the second.
    mean, sd : ndarray of shape (n,) or (m, n)
        Prediction, in units of the score; NaN where there is no such candidate.
    best : float
        What an improvement is counted from: the highest mean at a candidate that was tried.
    held : mapping of str to object
        The values of the other parameters.
    near : ndarray of shape (n_trials,), default=None
        How near to the slice each trial is, from 0 to 1.

    Attributes
    ----------
    acquisition : ndarray of shape (n,) or (m, n)
        Expected improvement over `best`, in units of the score.
    axes_ : ndarray of matplotlib Axes
        Those of mean and expected improvement, or of mean, standard deviation and expected
        improvement; set by `plot`.
    ax_ : matplotlib Axes
        That of the mean.
    figure_ : matplotlib Figure
        Set by `plot`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import BayesSearchCV
    >>> from sk_hpo.inspection.surrogate_display import SurrogateDisplay
    >>> space = {"C": loguniform(1e-2, 1e2), "kernel": ["rbf", "linear"]}
    >>> search = BayesSearchCV(SVC(), space, n_iter=8, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> display = SurrogateDisplay.from_search(search, "C")
    >>> display.mean.shape, display.ax_.get_xscale()
    ((201,), 'log')
    """

    def __init__(
        self,
        record: SearchRecord,
        parameters: Sequence[Parameter],
        values: Sequence[Sequence[Any]],
        mean: np.ndarray,
        sd: np.ndarray,
        best: float,
        held: Mapping[str, Any],
        near: np.ndarray | None = None,
    ) -> None:
        self.record = record
        self.parameters = tuple(parameters)
        self.values = tuple(values)
        self.mean = mean
        self.sd = sd
        self.best = best
        self.held = held
        self.near = np.ones(len(record.trials)) if near is None else near
        self.acquisition = improvement(mean, sd, best)

    @classmethod
    def from_search(
        cls,
        search: Any,
        parameters: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        n_points: int | None = None,
        ax: Any = None,
    ) -> Any:
        """Plot the model of a search.

        Parameters
        ----------
        search : fitted search
            One that has ``surrogate_``.
        parameters : str or sequence of one or two, default=None
            What varies. None is the two (of a space of one, the one) along which the mean
            varies most.
        at : mapping of str to object, default=None
            The candidate that the other parameters are held at; None is the best one.
        n_points : int, default=None
            How many values of a parameter are looked at; None is 201 along one parameter and
            41 along each of two.
        ax : matplotlib Axes or array of them, default=None
            As in `plot`.

        Returns
        -------
        display : SurrogateDisplay

        Raises
        ------
        ValueError
            If the search has no model, or a parameter is unknown, or does not exist in the
            candidate that the others are held at.
        TypeError
            If it is no search: a journal keeps no model.
        """
        surrogate = surrogate_of(search)
        record = record_of(search)
        held = dict(best_of(record).params if at is None else at)
        names = [parameters] if isinstance(parameters, str) else parameters
        if names is None:
            names = most_varying(record, surrogate, held)
        varied = chosen(record, names)
        if not 1 <= len(varied) <= 2 or len({p.name for p in varied}) < len(varied):
            raise ValueError(f"One parameter or two different ones are needed, not {names}.")
        n = n_points or (FINE if len(varied) == 1 else COARSE)
        slice_ = slice_of(surrogate.space, [p.name for p in varied], held, n)
        mean, sd = predicted(surrogate, slice_)
        values = [
            [surrogate.space.dimensions[i].value(code) for code in codes]
            for i, codes in zip(slice_.dimensions, slice_.codes, strict=True)
        ]
        others = {name: value for name, value in held.items() if name not in names}
        best = best_mean(record, surrogate)
        near = nearness(record, names, held)
        return cls(record, varied, values, mean, sd, best, others, near).plot(ax=ax)

    def plot(self, ax: Any = None) -> Any:
        """Plot the model.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            A single one gives up its place to the panels, an array of two (for one parameter)
            or three (for two) is the panels; None makes a new figure.

        Returns
        -------
        display : SurrogateDisplay
            Itself.
        """
        if len(self.parameters) == 1:
            self._plot_line(ax)
        else:
            self._plot_maps(ax)
        return self

    def _plot_line(self, ax: Any) -> None:
        self.figure_, self.axes_ = panels(
            ax, 2, 1, width=6.4, height=2.4, heights=[2.6, 1.0], sharex=True
        )
        self.ax_, below = self.axes_.ravel()
        [parameter] = self.parameters
        x = _numbers(parameter, self.values[0])
        look = {"color": style.COLORS[0]}
        if parameter.kind == "choice":
            error = {"yerr": 2 * self.sd, "fmt": "o", "capsize": 5, "label": "mean ± 2 sd"}
            self.ax_.errorbar(x, self.mean, zorder=3, **error, **look)
            below.bar(x, self.acquisition, width=0.5, color=style.COLORS[1])
        else:
            low, high = self.mean - 2 * self.sd, self.mean + 2 * self.sd
            band = {"alpha": 0.2, "linewidth": 0, "label": "± 2 sd"}
            self.ax_.fill_between(x, low, high, **band, **look)
            self.ax_.plot(x, self.mean, linewidth=2, label="mean", zorder=3, **look)
            below.fill_between(x, 0, self.acquisition, color=style.COLORS[1], alpha=0.5)
            below.plot(x, self.acquisition, color=style.COLORS[1], linewidth=1.2)
        self._observed(parameter)
        _scale(below, "x", parameter)
        self.ax_.tick_params(labelbottom=False)
        self.ax_.set_ylabel(style.score_label(self.record))
        below.set(xlabel=style.short(parameter.name), ylabel="Expected\nimprovement")
        below.set_ylim(bottom=0)
        style.legend(self.ax_, fontsize=9)
        self.ax_.set_title(self._title(), fontsize=9, pad=26)

    def _observed(self, parameter: Parameter) -> None:
        """Plot the results, and what failed."""
        x, scores, near = self._results()
        sound = np.isfinite(scores) & np.isfinite(x[0])
        shown = [self.mean - 2 * self.sd, self.mean + 2 * self.sd, scores]
        finite = np.concatenate([np.ravel(part)[np.isfinite(np.ravel(part))] for part in shown])
        floor = style.score_axis(self.ax_, finite)
        dots = sound & (scores >= floor)
        self.ax_.scatter(
            *(x[0][dots], scores[dots]), c=_greys(near[dots]), s=16, zorder=4, linewidths=0
        )
        self.ax_.plot([], [], "o", color="0.1", markersize=4, label="observed")
        self._star(self.ax_, x[0], scores)
        below = sound & ~dots
        if below.any():
            style.dots(self.ax_, x[0][below], scores[below], floor, color="0.5")
        failed = np.isfinite(x[0]) & ~np.isfinite(scores)
        style.failures(self.ax_, x[0][failed])

    def _star(self, ax: Any, x: Any, y: Any) -> None:
        """Mark the chosen candidate."""
        ids = [trial.id for trial in self.record.trials if trial.last]
        if self.record.best in ids:
            i = ids.index(self.record.best)
            look = style.INCUMBENT | {"marker": "*", "markersize": 13, "linestyle": "none"}
            look |= {"markeredgecolor": "white", "zorder": 6}
            ax.plot(x[i : i + 1], y[i : i + 1], label="best", **look)

    def _results(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return places (n_axes, n), scores and nearness (n,) of the trials with a result."""
        pairs = [(t, n) for t, n in zip(self.record.trials, self.near, strict=True) if t.last]
        scores = [math.nan if _failed(t) else t.last.score for t, _ in pairs if t.last]
        x = [
            _numbers(p, [trial.params.get(p.name) for trial, _ in pairs], missing=math.nan)
            for p in self.parameters
        ]
        return np.array(x), np.array(scores, float), np.array([n for _, n in pairs], float)

    def _plot_maps(self, ax: Any) -> None:
        self.figure_, axes = panels(ax, 1, 3, width=3.6, height=3.6, sharex=True, sharey=True)
        self.axes_ = axes.ravel()
        self.ax_ = self.axes_[0]
        first, second = self.parameters
        titles = ["Mean", "Standard deviation", "Expected improvement"]
        tables = [self.mean, self.sd, self.acquisition]
        for axis, title, table, colors in zip(
            self.axes_, titles, tables, (_MEAN, _SD, _EI), strict=True
        ):
            self._map(axis, table, colors)
            axis.set(title=title, xlabel=style.short(first.name))
            _scale(axis, "x", first)
            _scale(axis, "y", second)
        self.ax_.set_ylabel(style.short(second.name))
        points, scores, near = self._results()
        sound = np.isfinite(scores)
        for axis in self.axes_:
            axis.scatter(
                *points[:, sound], s=12, c=_greys(near[sound]), linewidths=0.4, edgecolors="w"
            )
            look = style.FAILED | {"markersize": 4}
            axis.plot(*points[:, ~sound], **look)
            self._star(axis, *points)
        self.figure_.suptitle(self._title(90), fontsize=9)

    def _map(self, axis: Any, table: np.ndarray, colors: str) -> None:
        x, y = (_numbers(p, v) for p, v in zip(self.parameters, self.values, strict=True))
        finite = np.ma.masked_invalid(table)
        cells = "choice" in (p.kind for p in self.parameters) or min(table.shape) < 2
        if cells or not finite.count() or finite.min() == finite.max():
            look = {"shading": "nearest", "rasterized": True}
            drawn = axis.pcolormesh(x, y, finite, cmap=colors, **look)
        else:
            drawn = axis.contourf(x, y, finite, levels=14, cmap=colors)
        bar = self.figure_.colorbar(drawn, ax=axis, location="bottom", shrink=0.9)
        bar.ax.locator_params(nbins=4)
        bar.ax.tick_params(labelsize=7)

    def _title(self, width: int = 64) -> str:
        if not self.held:
            return f"Model of {self.record.name}"
        told = [
            f"{style.short(name)}={_told(value)}" for name, value in sorted(self.held.items())
        ]
        if len(told) > 6:
            told = [*told[:6], f"and {len(told) - 6} more"]
        return textwrap.fill("Others held at " + ", ".join(told), width)


def _failed(trial: TrialRecord) -> bool:
    return trial.last is None or trial.last.failed


def _greys(near: np.ndarray) -> np.ndarray:
    """Return greys, from light for what is far to near black; shape (n, 3)."""
    return np.repeat((0.78 - 0.68 * near)[:, None], 3, axis=1)


def _numbers(
    parameter: Parameter, values: Sequence[Any], missing: float = math.nan
) -> np.ndarray:
    """Return places on an axis; of choices, their numbers."""
    if parameter.kind == "number":
        return np.array([missing if v is None else float(v) for v in values], float)
    cells = {label: i for i, label in enumerate(parameter.labels)}
    return np.array([cells.get(label_of(v), missing) for v in values], float)


def _scale(ax: Any, which: str, parameter: Parameter) -> None:
    """Give one of the axes, "x" or "y", the parameter's scale and names."""
    from matplotlib.ticker import NullLocator

    axis = getattr(ax, f"{which}axis")
    if parameter.kind == "choice":
        labels = [style.short(label, 14) for label in parameter.labels]
        axis.set_ticks(range(len(labels)), labels)
        return
    if parameter.log:
        getattr(ax, f"set_{which}scale")("log")
        axis.set_minor_locator(NullLocator())
    if parameter.low < parameter.high:
        values = tick_values(parameter.low, parameter.high, parameter.log, most=5)
        axis.set_ticks(values, [f"{value:.4g}" for value in values])
        low, high = axis.get_view_interval()
        getattr(ax, f"set_{which}lim")(min(low, values[0]), max(high, values[-1]))


def _told(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else style.short(label_of(value), 16)
