"""What the scores of the finalists are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sk_hpo.inspection import style
from sk_hpo.inspection.display import no_result
from sk_hpo.inspection.record import Rung, SearchRecord, TrialRecord
from sk_hpo.inspection.recorded import record_of

__all__ = ["CalibrationOfScoresDisplay"]

_ROW = 0.3  # inches


class CalibrationOfScoresDisplay:
    """The scores of the finalists beside what the chosen one is worth.

    A row for each of the best candidates at the highest resource: small dots are folds, the
    large one is their mean, its bar one standard error to each side. Beneath the candidate
    that was chosen, a diamond is its score corrected for having been chosen, a square that
    of the test set, each with an interval of 95 %. A corrected score far left of the dot
    says that the best score flatters; a test score outside of the interval of the corrected
    one, that the rows of the test set are not like those of the search.

    Parameters
    ----------
    record : SearchRecord
        Of a search.
    corrected, test : (float, float, float), default=None
        Corrected and test score with lower and upper end of their intervals; None if not
        known, as of a journal, which has neither.

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
    >>> from sk_hpo.inspection.calibration_display import CalibrationOfScoresDisplay
    >>> search = RandomSearchCV(
    ...     SVC(), {"C": loguniform(1e-2, 1e2)}, n_iter=5, test_size=0.2, random_state=0
    ... )
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> display = CalibrationOfScoresDisplay.from_search(search)
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['folds', 'CV (mean, standard error)', 'corrected (95 %)', 'test set (95 %)']
    """

    def __init__(
        self,
        record: SearchRecord,
        *,
        corrected: tuple[float, float, float] | None = None,
        test: tuple[float, float, float] | None = None,
    ) -> None:
        self.record = record
        self.corrected = corrected
        self.test = test

    @classmethod
    def from_search(cls, search: Any, *, n_finalists: int = 10, ax: Any = None) -> Any:
        """Plot a search.

        Its ``corrected_score_`` is computed, if it was not before.

        Parameters
        ----------
        search : fitted search, Journal, or path of a journal
            What is plotted.
        n_finalists : int, default=10
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : CalibrationOfScoresDisplay
        """
        record = record_of(search)
        corrected = getattr(search, "corrected_score_", None)
        found = corrected and (corrected.estimate, *corrected.interval)
        display = cls(record, corrected=found, test=_test_score(search, record.metric))
        return display.plot(n_finalists=n_finalists, ax=ax)

    def plot(self, *, n_finalists: int = 10, ax: Any = None) -> Any:
        """Plot a row for each finalist, the best at the top.

        Parameters
        ----------
        n_finalists : int, default=10
            How many rows there are at most; the chosen candidate has one in any case.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure, as high as its rows need.

        Returns
        -------
        display : CalibrationOfScoresDisplay
            Itself.

        Raises
        ------
        ValueError
            If `n_finalists` is less than 1.
        """
        if n_finalists < 1:
            raise ValueError(f"n_finalists must be 1 or more, got {n_finalists!r}.")
        every = self.record.finalists()
        shown = every[:n_finalists]
        shown += [pair for pair in every[n_finalists:] if pair[0].id == self.record.best]
        n_rows = len(shown) + (self.corrected is not None) + (self.test is not None)
        self.figure_, self.ax_ = style.axes(ax, height=max(2.6, 1.6 + _ROW * n_rows))
        if not shown:
            style.nothing(self.ax_, no_result(self.record, sound=True))
            return self
        names = self._draw(shown)
        self.ax_.set_yticks(range(len(names)), labels=names)
        for label in self.ax_.get_yticklabels():
            if label.get_text() == f"candidate {self.record.best}":
                label.set_fontweight("bold")
        self.ax_.set_ylim(len(names) - 0.4, -0.6)
        self.ax_.set_xlabel(self._label(len(every)))
        self.ax_.grid(axis="x", color="0.92")
        self.ax_.set_axisbelow(True)
        style.legend(self.ax_)
        return self

    def _draw(self, shown: Sequence[tuple[TrialRecord, Rung]]) -> list[str]:
        """Draw a row after the other; return their names."""
        names: list[str] = []
        label: str | None = "CV (mean, standard error)"
        for trial, rung in shown:
            self._folds(rung, len(names), "folds" if not names else None)
            chosen = trial.id == self.record.best
            color = style.INCUMBENT["color"] if chosen else style.COLORS[0]
            error, score = rung.standard_error, rung.score
            found = score, score - error, score + error
            self._mark(found, len(names), label=label, color=color, fmt="o", markersize=6)
            label = None
            names.append(f"candidate {trial.id}")
            if chosen:
                names += self._worth(len(names))
        return names

    def _folds(self, rung: Rung, row: int, label: str | None) -> None:
        scores = [score for score in rung.scores if math.isfinite(score)]
        if len(scores) > 1:
            look = {"color": style.FAINT["color"], "alpha": 0.6}
            style.dots(self.ax_, scores, [row] * len(scores), label=label, **look)

    def _worth(self, row: int) -> list[str]:
        """Draw what the chosen candidate is worth, in rows of its own; return their names."""
        marks = {
            "corrected": (self.corrected, {"fmt": "D", "color": style.COLORS[2]}),
            "test set": (self.test, {"fmt": "s", "color": "#000000"}),
        }
        known = {name: (at, look) for name, (at, look) in marks.items() if at is not None}
        for i, (name, (found, look)) in enumerate(known.items()):
            self._mark(found, row + i, label=f"{name} (95 %)", markersize=5, **look)
        return list(known)

    def _mark(
        self, found: tuple[float, float, float], row: int, *, label: str | None, **look: Any
    ) -> None:
        """Draw a score with its bar; without one if its ends are not known."""
        score, low, high = found
        bar = [[score - low], [high - score]]
        known = math.isfinite(low) and math.isfinite(high)
        if not known and label is not None:
            label = label.partition(" (")[0]
        self.ax_.errorbar(
            [score], [row], xerr=bar if known else None, label=label, zorder=4, **look
        )

    def _label(self, n: int) -> str:
        record = self.record
        where = f", at {record.top} {record.resource}" if record.resource else ""
        name = style.score_label(record)
        return f"{name}{where}; {n} finalist{'' if n == 1 else 's'}"


def _test_score(search: Any, metric: str) -> tuple[float, float, float] | None:
    score = getattr(search, "test_score_", None)
    interval = getattr(search, "test_score_interval_", None)
    if isinstance(score, dict):
        score, interval = score.get(metric), (interval or {}).get(metric)
    if score is None:
        return None
    low, high = interval or (math.nan, math.nan)
    return float(score), float(low), float(high)
