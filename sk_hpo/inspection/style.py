"""How pictures look: the colours, the marks and the axes that all displays share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sk_hpo.inspection.record import SearchRecord

__all__ = [
    "COLORS",
    "FAILED",
    "FAINT",
    "INCUMBENT",
    "alpha_for",
    "axes",
    "dots",
    "failures",
    "floor_of",
    "legend",
    "line",
    "nothing",
    "score_axis",
    "score_label",
    "short",
]

# Okabe and Ito (2008), for the colour-blind. Vermilion and black are kept for the
# incumbent and for failures; yellow comes last, since it is weak on white.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")

INCUMBENT: dict[str, Any] = {"color": "#D55E00", "linewidth": 2.2, "zorder": 4}
FAILED: dict[str, Any] = {
    "color": "#000000",
    "marker": "x",
    "markersize": 5,
    "linestyle": "none",
    "zorder": 5,
}
FAINT: dict[str, Any] = {"color": "#777777", "linewidth": 0.8, "zorder": 2}

_STROKES = ("-", "--", ":", "-.")
_LETTERS = 14.0  # that stand on an inch
# A score so many times further from the best than the lower quartile is off the axis; of few
# scores, only one that would hide the rest.
_FAR, _FAR_OF_FEW, _FEW = 5.0, 50.0, 20


def axes(ax: Any, *, width: float = 6.4, height: float = 4.0) -> tuple[Any, Any]:
    """Return (figure, ax), new ones if `ax` is None.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where the user wants the picture.
    width, height : float, default=6.4, 4.0
        Of a new figure, in inches.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("A display needs matplotlib: pip install sk-hpo[plot]") from error
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax.figure, ax


def line(number: int) -> dict[str, Any]:
    """Return colour and stroke of the line with this number, from 0.

    Examples
    --------
    >>> line(0), line(7)
    ({'color': '#0072B2', 'linestyle': '-'}, {'color': '#E69F00', 'linestyle': '--'})
    """
    rounds, color = divmod(number, len(COLORS))
    stroke = next(islice(cycle(_STROKES), rounds, None))
    return {"color": COLORS[color], "linestyle": stroke}


def alpha_for(n: int) -> float:
    """Return how opaque each of n marks is, so that few are seen and many do not smear.

    Examples
    --------
    >>> [round(alpha_for(n), 2) for n in (1, 50, 500, 5000)]
    [0.9, 0.57, 0.18, 0.1]
    """
    return float(np.clip(4 / np.sqrt(max(n, 1)), 0.1, 0.9))


def short(label: Any, most: int = 24) -> str:
    r"""Return a text of `most` characters at most, that matplotlib takes as it is.

    Of a parameter of a step, the name of the step goes first.

    Examples
    --------
    >>> short("module__hidden"), short("preprocessing__columns__imputer__strategy")
    ('module__hidden', 'imputer__strategy')
    >>> short("a_name_that_is_much_too_long"), short("$x$")
    ('a_name_that…uch_too_long', '\\$x\\$')
    """
    text = " ".join(str(label).split())
    while len(text) > most and "__" in text.strip("_"):
        text = text.strip("_").partition("__")[2]
    if len(text) > most:
        half = (most - 1) // 2
        text = text[:half] + "…" + text[len(text) - (most - 1 - half) :]
    return text.replace("$", r"\$")


def nothing(ax: Any, why: str) -> None:
    """Say in empty axes why there is nothing to see."""
    ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes, color="0.4")
    ax.set(xticks=[], yticks=[])


def floor_of(scores: ArrayLike) -> float:
    """Return the least score that an axis needs to show; -inf if it can show all.

    One net that diverged would else press all other scores into one line.

    Examples
    --------
    >>> floor_of([0.5, 0.7, 0.8, 0.9]), round(floor_of([-1e9, 0.7, 0.7, 0.8, 0.9]), 2)
    (-inf, -9.1)
    """
    finite = np.asarray(scores, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return -np.inf
    best, quartile = finite.max(), np.quantile(finite, 0.25)
    far = _FAR if len(finite) >= _FEW else _FAR_OF_FEW
    floor = float(best - far * (best - quartile))
    return floor if quartile < best and finite.min() < floor else -np.inf


def score_axis(ax: Any, scores: ArrayLike) -> float:
    """Give the axis of scores its limits, where one would hide the others; return the floor."""
    floor = floor_of(scores)
    ax.margins(y=0.08)  # failures are marked below
    if np.isfinite(floor):
        known = np.asarray(scores, float)
        shown = known[np.isfinite(known) & (known >= floor)]
        low, high = shown.min(), shown.max()
        ax.set_ylim(low - 0.08 * (high - low), high + 0.05 * (high - low))
    return floor


def score_label(record: SearchRecord) -> str:
    """Return what the scores of a search are."""
    name = record.metric.replace("$", r"\$")
    if record.n_splits == 1:
        return f"Validation {name}"
    return f"CV {name} (mean of {record.n_splits} folds)"


def dots(ax: Any, x: ArrayLike, y: ArrayLike, floor: float = -np.inf, **style: Any) -> None:
    """Plot scores as dots, and as triangles on the edge where they lie below the floor."""
    known = np.isfinite(scores := np.asarray(y, float))
    places, scores = np.asarray(x)[known], scores[known]
    below = scores < floor
    style = {"markersize": 4, "linestyle": "none", "zorder": 2, "markeredgewidth": 0} | style
    style["rasterized"] = len(scores) > 1000  # a vector graphic of 5,000 dots is slow
    ax.plot(places[~below], scores[~below], "o", **style)
    if below.any():
        edge = {"transform": ax.get_xaxis_transform(), "clip_on": False, "label": None}
        ax.plot(places[below], np.full(below.sum(), 0.02), "v", **style | edge)


def failures(ax: Any, x: Sequence[float] | np.ndarray, *, label: str | None = "failed") -> None:
    """Mark on the lower edge of the axes where a fit failed."""
    if len(x):
        where = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        look = FAILED | {"alpha": max(0.3, alpha_for(len(x)))}
        ax.plot(x, np.full(len(x), 0.02), label=label, **look, **where)


def legend(ax: Any, **changes: Any) -> None:
    """Put a legend above the axes, where it hides nothing; none if nothing has a label."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        where = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False}
        room = ax.get_position().width * ax.figure.get_figwidth() * _LETTERS
        sizes = [len(label) + 7 for label in labels]  # with the mark and a space
        row = len(labels) if sum(sizes) <= room else int(room / max(sizes))
        columns = {"ncols": max(1, min(row, len(labels)))}
        for mark in ax.legend(handles, labels, **where | columns | changes).legend_handles:
            mark.set_alpha(1)
