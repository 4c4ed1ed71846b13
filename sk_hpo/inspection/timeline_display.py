"""Which worker did what, and when."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sk_hpo.inspection import style
from sk_hpo.inspection.display import RecordDisplay, no_result
from sk_hpo.inspection.record import FoldRun, Rung, SearchRecord

__all__ = ["TimelineDisplay"]

_ROW = 0.32  # inches
_MOST_NAMES = 40
_MOST_LEVELS = 8
_HEIGHT = 0.8  # of a row
_NARROW = 0.01  # of the axis; bars that are narrower have no outline, it would hide them
_MANY = 100  # failures are small


@dataclass(frozen=True, slots=True)
class _Bar:
    """A fit in the picture: its row, and which of the lanes of that row."""

    run: FoldRun
    rung: Rung
    row: int
    lane: int
    lanes: int

    @property
    def corners(self) -> list[tuple[float, float]]:
        height = _HEIGHT / self.lanes
        low = self.row - _HEIGHT / 2 + self.lane * height
        left, right = self.run.began, self.run.ended
        return [(left, low), (right, low), (right, low + height), (left, low + height)]

    @property
    def middle(self) -> float:
        return self.row + _HEIGHT * ((self.lane + 0.5) / self.lanes - 0.5)


class TimelineDisplay(RecordDisplay):
    """A row for each worker, with a bar for each fit from its begin to its end.

    The darker a bar, the higher the resource. Nets that were trained together, or other fits
    of one worker that overlap, share the height of its row. A cross is a fit that failed, a
    triangle one that was tried again since a worker died of it. Those that were given up
    after that have no times: they stand in a row of their own, where what was known before them
    ended.

    Parameters
    ----------
    record : SearchRecord
        Of a search.

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
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import RandomSearchCV
    >>> from sk_hpo.inspection.timeline_display import TimelineDisplay
    >>> search = RandomSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, n_iter=5, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> display = TimelineDisplay.from_search(search)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['worker 1']
    """

    def plot(self, *, ax: Any = None) -> Any:
        """Plot the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure, as high as its rows need.

        Returns
        -------
        display : TimelineDisplay
            Itself.
        """
        bars, lost = _bars(self.record), _given_up(self.record)
        rows = {bar.row: bar.run.worker for bar in bars}
        names = _names(rows[row] for row in sorted(rows)) + (["given up"] if lost else [])
        height = min(max(2.4, 1.4 + _ROW * len(names)), 12.0)
        self.figure_, self.ax_ = style.axes(ax, width=8.0, height=height)
        if not bars:
            style.nothing(self.ax_, _why(self.record))
            return self
        self._draw(bars)
        self._marks(bars, [(ended, len(names) - 1) for ended in lost])
        every = -(-len(names) // _MOST_NAMES)
        self.ax_.set_yticks(range(0, len(names), every), labels=names[::every])
        self.ax_.set_ylim(len(names) - 0.4, -0.6)
        self.ax_.set_xlim(0, max(bar.run.ended for bar in bars) or 1.0)
        self.ax_.set_xlabel("Seconds since the first fit began")
        style.legend(self.ax_)
        return self

    def _draw(self, bars: Sequence[_Bar]) -> None:
        from matplotlib.collections import PolyCollection

        colors = _colors(bar.rung.resource for bar in bars)
        narrow = _NARROW * max(bar.run.ended for bar in bars)
        wide = [bar.lanes < 5 and bar.run.ended - bar.run.began > narrow for bar in bars]
        found = PolyCollection(
            [bar.corners for bar in bars],
            facecolors=[colors[bar.rung.resource] for bar in bars],
            edgecolors=["white" if it_is else "none" for it_is in wide],
            linewidths=0.4,
            zorder=2,
        )
        found.set_rasterized(len(bars) > 1000)
        self.ax_.add_collection(found)
        every = -(-len(colors) // _MOST_LEVELS)
        for level in list(colors)[::-every][::-1] if self.record.resource else ():
            label = f"{self.record.resource} = {level}"
            self.ax_.plot([], [], "s", color=colors[level], markersize=8, label=label)

    def _marks(self, bars: Sequence[_Bar], lost: Sequence[tuple[float, int]]) -> None:
        again = [bar for bar in bars if bar.run.losses]
        if again:
            at = [bar.run.began for bar in again], [bar.middle for bar in again]
            look = _mark(len(again)) | {"marker": ">", "color": style.INCUMBENT["color"]}
            self.ax_.plot(*at, label=f"tried again ({len(again)})", clip_on=False, **look)
        failed = [(bar.run.ended, bar.middle) for bar in bars if bar.run.failure] + [*lost]
        if failed:
            x, y = zip(*failed, strict=True)
            label = f"failed ({len(failed)})"
            self.ax_.plot(x, y, label=label, clip_on=False, **_mark(len(failed)))


def _mark(n: int) -> dict[str, Any]:
    """Return how each of n failures looks; many are small."""
    return style.FAILED if n < _MANY else style.FAILED | {"markersize": 3}


def _bars(record: SearchRecord) -> list[_Bar]:
    """Return a bar for each fit with known times, those that overlap in lanes of their own."""
    of: dict[str, list[tuple[FoldRun, Rung]]] = {}
    for _, rung in record.results():
        for run in rung.runs:
            if not math.isnan(run.began):
                of.setdefault(run.worker, []).append((run, rung))
    rows = {worker: row for row, worker in enumerate(_in_order(of))}
    found = []
    for worker, fits in of.items():
        together: list[tuple[FoldRun, Rung]] = []
        until = -math.inf
        for run, rung in sorted(fits, key=lambda fit: fit[0].began):
            if run.began >= until:
                found += _in_lanes(together, rows[worker])
                together = []
            together.append((run, rung))
            until = max(until, run.ended)
        found += _in_lanes(together, rows[worker])
    return found


def _in_lanes(fits: Sequence[tuple[FoldRun, Rung]], row: int) -> list[_Bar]:
    """Return the bars of fits that overlap, given in the order in which they began."""
    free: list[tuple[float, int]] = []  # since when, lane
    lanes = []
    for run, _ in fits:
        if free and free[0][0] <= run.began:
            lanes.append(heapq.heappop(free)[1])
        else:
            lanes.append(len(free))
        heapq.heappush(free, (run.ended, lanes[-1]))
    return [
        _Bar(run, rung, row, lane, max(lanes) + 1)
        for (run, rung), lane in zip(fits, lanes, strict=True)
    ]


def _in_order(fits: Mapping[str, Sequence[tuple[FoldRun, Rung]]]) -> list[str]:
    """Return workers by machine, then by when they began."""
    first = {worker: min(run.began for run, _ in of) for worker, of in fits.items()}
    return sorted(first, key=lambda worker: (_machine(worker), first[worker]))


def _names(workers: Iterable[str], most: int = 16) -> list[str]:
    """Return what workers are called: by machine, if there are several."""
    met: dict[str, int] = {}
    names = []
    for worker in workers:
        machine = _machine(worker)
        met[machine] = met.get(machine, 0) + 1
        names.append(f"{style.short(machine, most)} {met[machine]}")
    return names if len(met) > 1 else [f"worker {i + 1}" for i in range(len(names))]


def _machine(worker: str) -> str:
    return worker.partition(":")[0]


def _given_up(record: SearchRecord) -> list[float]:
    """Return about when fits were given up that have no time of their own."""
    last, found = 0.0, []
    for _, rung in record.timeline():
        last = last if math.isnan(rung.ended) else max(last, rung.ended)
        found += [last for run in rung.runs if run.failure and math.isnan(run.began)]
    return found


def _colors(resources: Iterable[int]) -> dict[int, Any]:
    """Return resource -> colour, the darker the higher."""
    from matplotlib import colormaps

    levels = sorted(set(resources))
    if len(levels) == 1:
        return {levels[0]: style.COLORS[4]}
    shades = colormaps["viridis_r"]
    return {
        level: shades(0.05 + 0.75 * i / (len(levels) - 1)) for i, level in enumerate(levels)
    }


def _why(record: SearchRecord) -> str:
    if any(rung.runs for _, rung in record.results()):
        return "When the fits ran is not known: an earlier version made them."
    return no_result(record)
