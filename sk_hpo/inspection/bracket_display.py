"""Who stood on which rung of which bracket, and who was promoted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sk_hpo.inspection import style
from sk_hpo.inspection.display import RecordDisplay, no_result
from sk_hpo.inspection.record import SearchRecord

__all__ = ["BracketDisplay"]

_MOST_COLUMNS = 30
_COLUMN = 0.42  # inches
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
_COLORS = {
    "promoted": style.COLORS[0],
    "at the top": style.COLORS[2],
    "not promoted": style.FAINT["color"],
    "failed": style.FAILED["color"],
}


@dataclass(frozen=True, slots=True)
class _Group:
    """Brackets that share their columns."""

    brackets: tuple[int, ...]
    levels: tuple[int, ...]  # resource by column
    first: int  # column

    @property
    def title(self) -> str:
        """What is written above; short, since there may be but one column."""
        one, *others = self.brackets
        if others:
            return f"{len(self.brackets)} brackets" if self.first == 0 else f"{len(others) + 1}"
        return f"bracket {one}" if self.first == 0 else f"{one}"


@dataclass(frozen=True, slots=True)
class _Stand:
    """A candidate on a rung: which column of the picture, and which rank from 1."""

    trial: int
    column: int
    rank: int
    fate: str  # "promoted", "at the top", "not promoted" or "failed"


class BracketDisplay(RecordDisplay):
    """The ranks of all candidates on each rung of each bracket, joined by promotions.

    Each bracket has a column for each of its rungs, in which candidates stand by their rank,
    the best one at the top, on a logarithmic axis. A line leads a promoted candidate to its
    place on the next rung. If there were more than 30 columns, brackets with the same rungs
    share theirs; ranks are within each bracket.

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
    >>> from sk_hpo.inspection.bracket_display import BracketDisplay
    >>> search = HalvingHyperbandSearchCV(
    ...     SGDClassifier(), {"alpha": loguniform(1e-5, 1e1)}, max_resources=9, random_state=0
    ... )
    >>> display = BracketDisplay.from_search(search.fit(*load_iris(return_X_y=True)))
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['1', '3', '9', '3', '9', '9']
    """

    def plot(self, *, ax: Any = None) -> Any:
        """Plot a dot for each result and a line for each promotion.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure, as wide as its columns need.

        Returns
        -------
        display : BracketDisplay
            Itself.
        """
        record = self.record
        groups = _groups(record)
        stands = _stands(record, groups)
        n_columns = max((stand.column for stand in stands), default=0) + 1
        width = max(6.4, 1 + _COLUMN * n_columns)
        self.figure_, self.ax_ = style.axes(ax, width=width, height=4.6)
        if record.resource is None:
            style.nothing(self.ax_, "A search without rungs has no brackets.")
            return self
        if not stands:
            style.nothing(self.ax_, no_result(record))
            return self
        self._promotions(stands)
        self._dots(stands)
        self._rows(max(stand.rank for stand in stands))
        self._columns(groups)
        style.legend(self.ax_, bbox_to_anchor=(0.5, 1.05))
        return self

    def _promotions(self, stands: list[_Stand]) -> None:
        from matplotlib.collections import LineCollection

        paths: dict[int, list[tuple[int, int]]] = {}
        for stand in stands:
            paths.setdefault(stand.trial, []).append((stand.column, stand.rank))
        lines = [path for path in paths.values() if len(path) > 1]
        alpha = style.alpha_for(len(lines))
        found = LineCollection(
            lines, colors=style.COLORS[0], linewidths=1.0, alpha=alpha, zorder=2
        )
        self.ax_.add_collection(found)
        best = self.record.best
        if best in paths:
            x, y = zip(*paths[best], strict=True)
            label = f"chosen (candidate {best})"
            self.ax_.plot(x, y, marker="o", markersize=5, label=label, **style.INCUMBENT)

    def _dots(self, stands: list[_Stand]) -> None:
        for fate, color in _COLORS.items():
            of = [stand for stand in stands if stand.fate == fate]
            if not of:
                continue
            at = [stand.column for stand in of], [stand.rank for stand in of]
            label = f"{fate} ({len(of)})"
            if fate == "failed":
                self.ax_.plot(*at, label=label, **style.FAILED)
            else:
                alpha = max(0.3, style.alpha_for(len(of)))
                style.dots(self.ax_, *at, label=label, color=color, alpha=alpha, zorder=3)

    def _rows(self, most: int) -> None:
        self.ax_.set_yscale("log")
        ticks = [tick for tick in _TICKS if tick <= most]
        self.ax_.set_yticks(ticks, labels=[f"{tick:,}" for tick in ticks])
        self.ax_.minorticks_off()
        self.ax_.set_ylim(most * 1.4, 0.7)  # the best at the top
        self.ax_.set_ylabel("Rank on the rung (1 is the best)")

    def _columns(self, groups: Sequence[_Group]) -> None:
        levels: dict[int, int] = {}
        for i, group in enumerate(groups):
            levels.update(enumerate(group.levels, start=group.first))
            left, right = group.first - 1, group.first + len(group.levels)
            if i % 2 == 0:
                self.ax_.axvspan(left + 0.5, right - 0.5, color="0.96", zorder=0)
            where = {"transform": self.ax_.get_xaxis_transform(), "ha": "center"}
            self.ax_.text((left + right) / 2, 1.01, group.title, fontsize="small", **where)
        self.ax_.set_xlim(-0.5, max(levels) + 0.5)
        self.ax_.set_xticks(list(levels), labels=[str(level) for level in levels.values()])
        self.ax_.set_xlabel(f"Resource of the rung ({self.record.resource})")


def _groups(record: SearchRecord) -> list[_Group]:
    levels: dict[int, set[int]] = {}
    for trial, rung in record.results():
        levels.setdefault(trial.bracket, set()).add(rung.resource)
    crowded = sum(map(len, levels.values())) > _MOST_COLUMNS
    members: dict[Any, list[int]] = {}
    for bracket in sorted(levels):
        of = tuple(sorted(levels[bracket]))
        members.setdefault(of if crowded else bracket, []).append(bracket)
    found, column = [], 0
    for brackets in members.values():
        of = tuple(sorted(levels[brackets[0]]))
        found.append(_Group(tuple(brackets), of, column))
        column += len(of)
    return found


def _stands(record: SearchRecord, groups: Sequence[_Group]) -> list[_Stand]:
    columns = {
        (bracket, level): group.first + i
        for group in groups
        for bracket in group.brackets
        for i, level in enumerate(group.levels)
    }
    top = record.top
    on: dict[tuple[int, int], list[tuple[bool, float, int, str]]] = {}
    for trial, rung in record.results():
        fate = "at the top" if rung.resource == top else "not promoted"
        fate = "promoted" if rung is not trial.last else "failed" if rung.failed else fate
        key = rung.failed, 0.0 if rung.failed else -rung.score, trial.id, fate
        on.setdefault((trial.bracket, rung.resource), []).append(key)
    return [
        _Stand(trial, columns[place], rank, fate)
        for place, standing in sorted(on.items())
        for rank, (*_, trial, fate) in enumerate(sorted(standing), start=1)
    ]
