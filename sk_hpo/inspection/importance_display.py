"""How much each parameter mattered, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection import style
from sk_hpo.inspection.importance.evidence import NoImportance
from sk_hpo.inspection.importance.importance import parameter_importance
from sk_hpo.inspection.importance.result import Method, ParameterImportance

__all__ = ["ImportanceDisplay"]

FloatArray = NDArray[np.float64]

# Inches: of a row, at least of one, around all rows, of the bars, of a letter.
_ROW, _LEAST, _FRAME, _BARS, _LETTER = 0.24, 0.15, 1.6, 4.6, 0.085
_ROOM = 35  # rows of a figure of its own, unless more are asked for
_GAP = 0.5  # rows between parameters and pairs
_POINTS = 72  # of an inch
_LINE = 50  # letters of a message
_MAIN: dict[str, Any] = {"color": style.COLORS[0], "label": "one parameter"}
# A hatch has the colour of the edge.
_PAIR: dict[str, Any] = {
    "facecolor": "#FFFFFF",
    "edgecolor": style.COLORS[1],
    "hatch": "/////",
    "label": "two together, beyond each alone",
}
_INTERVAL: dict[str, Any] = {"color": "#333333", "linewidth": 1.1, "capsize": 2, "fmt": "none"}


class ImportanceDisplay:
    """How much each parameter mattered to the scores, as bars with intervals.

    Parameters
    ----------
    importance : ParameterImportance or str
        From `parameter_importance`; or why there is none, which is then written in the
        picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by `plot`.
    figure_ : matplotlib Figure
        Set by `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.inspection.importance.result import ParameterImportance
    >>> from sk_hpo.inspection.importance_display import ImportanceDisplay
    >>> share, low, high = np.array([[0.7, 0.1], [0.6, 0.0], [0.8, 0.2]])
    >>> importance = ParameterImportance(
    ...     "fanova", ("C", "gamma"), share, low, high, 0.9, 50, 0, None, 0.9
    ... )
    >>> display = ImportanceDisplay.from_importance(importance)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['C', 'gamma']
    """

    def __init__(self, importance: ParameterImportance | str) -> None:
        self.importance = importance

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        method: Method = "fanova",
        max_parameters: int | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Any:
        """Compute importances and plot them.

        Parameters
        ----------
        search : fitted search, Journal, or path of a journal
            Also a search that was loaded from a pickle.
        method : {"fanova", "permutation", "ablation"}, default="fanova"
            As in `parameter_importance`.
        max_parameters : int, default=None
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `plot`.
        **options : object
            Other arguments of `parameter_importance`, such as ``random_state``.

        Returns
        -------
        display : ImportanceDisplay

        Raises
        ------
        ValueError
            As `parameter_importance`, but for a search that has too few trials, or nothing
            that tells them apart: the picture says so.
        """
        importance: ParameterImportance | str
        try:
            importance = parameter_importance(search, method, **options)
        except NoImportance as error:
            importance = str(error)
        return cls(importance).plot(max_parameters=max_parameters, ax=ax)

    @classmethod
    def from_importance(
        cls,
        importance: ParameterImportance,
        *,
        max_parameters: int | None = None,
        ax: Any = None,
    ) -> Any:
        """Plot importances that are there; the arguments are those of `plot`.

        Returns
        -------
        display : ImportanceDisplay
        """
        return cls(importance).plot(max_parameters=max_parameters, ax=ax)

    def plot(self, *, max_parameters: int | None = None, ax: Any = None) -> Any:
        """Plot a bar for each parameter, then a hatched one for each pair.

        Parameters
        ----------
        max_parameters : int, default=None
            How many of the most important parameters have a bar; a line of text says how
            many others there are. None is as many as there is room for: 25 in a figure of
            its own, beside 10 pairs.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure, as large as the bars and names need.

        Returns
        -------
        display : ImportanceDisplay
            Itself.

        Raises
        ------
        ValueError
            If `max_parameters` is below 1.
        """
        if max_parameters is not None and max_parameters < 1:
            raise ValueError(f"max_parameters must be 1 or more, got {max_parameters!r}.")
        found = self.importance
        if isinstance(found, str):
            self.figure_, self.ax_ = style.axes(ax)
            style.nothing(self.ax_, fill(found, _LINE))
            return self
        inches = np.inf if ax is None else ax.get_position().height * ax.figure.get_figheight()
        room = _ROOM if ax is None else max(int(inches / _LEAST), 2)
        n_pairs = min(len(found.pairs), room // 3)
        n_shown = min(len(found.names), max_parameters or room - n_pairs)
        labels = _labels(found.names)
        names = [labels[name] for name in found.names[:n_shown]]
        names += [f"{labels[a]} × {labels[b]}" for a, b in found.pairs[:n_pairs]]
        others = found.importances[n_shown:]
        below = n_shown + (len(others) > 0) + _GAP  # the line about the others
        n_rows = below + n_pairs if n_pairs else below - _GAP
        width = _BARS + _LETTER * max(map(len, names))
        height = _FRAME + _ROW * max(n_rows, 3)
        self.figure_, self.ax_ = style.axes(ax, width=width, height=height)
        mains, pairs = np.arange(float(n_shown)), below + np.arange(float(n_pairs))
        self._bars(mains, found.importances, found.low, found.high, _MAIN)
        if n_pairs:
            self._bars(pairs, found.pair_importances, found.pair_low, found.pair_high, _PAIR)
        size = min(10.0, _POINTS * 0.8 * inches / n_rows)
        if len(others):
            text = f" {len(others)} others, none above {others.max():.3f}"
            self.ax_.text(0.0, n_shown, text, va="center", color="0.4", size=min(size, 9.0))
        self.ax_.set_yticks(np.concatenate([mains, pairs]), names, size=size)
        self.ax_.set_ylim(n_rows - 0.4, -0.6)  # the most important on top
        self._frame(found)
        return self

    def _bars(
        self,
        rows: FloatArray,
        values: FloatArray,
        low: FloatArray,
        high: FloatArray,
        look: dict[str, Any],
    ) -> None:
        values, low, high = (a[: len(rows)] for a in (values, low, high))
        self.ax_.barh(rows, values, height=0.7, **look)
        if np.isfinite(low).all():
            # An end on the wrong side of the estimate leaves nothing to draw there.
            off = np.maximum([values - low, high - values], 0.0)
            self.ax_.errorbar(values, rows, xerr=off, **_INTERVAL)

    def _frame(self, found: ParameterImportance) -> None:
        ax = self.ax_
        ax.tick_params(axis="y", length=0)
        ax.axvline(0.0, color="0.2", linewidth=0.8)
        ax.grid(axis="x", color="0.9")
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        lines = [found.title, found.about.replace("; ", "\n")]
        if np.isfinite(found.low).any():
            lines[1] = f"{100 * found.confidence_level:g} % intervals; {lines[1]}"
        ax.set_xlabel("\n".join(lines), fontsize="small")
        if found.pairs:
            style.legend(ax, ncols=1)


def _labels(names: Sequence[str]) -> dict[str, str]:
    """Return short names that differ from each other.

    Of those that would not, the parts that differ are told too.

    Examples
    --------
    >>> names = ["prepare__numbers__imputer__strategy", "prepare__phrases__imputer__strategy"]
    >>> list(_labels(names).values())
    ['numbers…imputer__strategy', 'phrases…imputer__strategy']
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(style.short(name), []).append(name)
    found = {}
    for label, group in alike.items():
        common = set.intersection(*(set(name.split("__")) for name in group))
        for name in group:
            own = "__".join(part for part in name.split("__") if part not in common)
            found[name] = style.short(own) + "…" + label if len(group) > 1 else label
    return found
