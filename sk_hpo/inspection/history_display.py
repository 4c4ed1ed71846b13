"""How the best score grew: the incumbent against trials, resource or seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sk_hpo.inspection import style
from sk_hpo.inspection.display import no_result
from sk_hpo.inspection.record import Rung, SearchRecord
from sk_hpo.inspection.recorded import record_of

__all__ = ["SearchHistoryDisplay"]

X = Literal["auto", "trials", "resource", "seconds"]


@dataclass(frozen=True, slots=True)
class _Course:
    """The results of a search in the order in which they came; all of shape (n_results,)."""

    x: np.ndarray
    scores: np.ndarray
    failed: np.ndarray
    incumbent: np.ndarray  # NaN before the first sound result

    def at(self, grid: np.ndarray) -> np.ndarray:
        """Return the incumbent at other places of the axis; NaN before the first one."""
        last = np.searchsorted(self.x, grid, side="right") - 1
        return np.where(last < 0, np.nan, self.incumbent[last])


class SearchHistoryDisplay:
    """The best score so far against what it took.

    The incumbent is the candidate that was ahead then: the best of the
    scores at the highest resource that was reached so far (with `fold_racing`, of those with
    the most folds); in a search that was stopped, the best of what was known of each
    candidate. Its line ends at ``best_score_``. It can go down where a higher resource is
    reached, on which the old scores are not to be compared.

    Parameters
    ----------
    records : dict of str to list of SearchRecord
        Name -> searches, one for each seed.

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
    >>> from sk_hpo.inspection.history_display import SearchHistoryDisplay
    >>> search = RandomSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, n_iter=5, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> display = SearchHistoryDisplay.from_search(search)
    >>> display.ax_.get_xlabel()
    'Candidates tried'
    """

    def __init__(self, records: Mapping[str, Sequence[SearchRecord]]) -> None:
        self.records = records

    @classmethod
    def from_search(
        cls, search: Any, *, x: X = "auto", name: str | None = None, ax: Any = None
    ) -> Any:
        """Plot one search.

        Parameters
        ----------
        search : fitted search, Journal, or path of a journal
            What is plotted.
        x : {"auto", "trials", "resource", "seconds"}, default="auto"
            As in `plot`.
        name : str, default=None
            What it is called; None is its class.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : SearchHistoryDisplay
        """
        record = record_of(search)
        return cls({name or record.name: [record]}).plot(x=x, ax=ax)

    @classmethod
    def from_searches(
        cls, searches: Mapping[str, Any], *, x: X = "auto", ax: Any = None
    ) -> Any:
        """Plot several searches, each with several seeds.

        Parameters
        ----------
        searches : dict
            Name -> search, as in `from_search`, or list of searches that differ in their
            seed.
        x : {"auto", "trials", "resource", "seconds"}, default="auto"
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : SearchHistoryDisplay
        """
        if not isinstance(searches, Mapping):
            raise TypeError(
                "searches must be a dict of name -> search or list of searches, not a"
                f" {type(searches).__name__}."
            )
        records = {
            name: [record_of(s) for s in (of if isinstance(of, list | tuple) else [of])]
            for name, of in searches.items()
        }
        return cls(records).plot(x=x, ax=ax)

    def plot(self, *, x: X = "auto", ax: Any = None) -> Any:
        """Plot incumbents as lines and results as dots.

        Of several seeds, the line is their mean and the band one standard deviation to each
        side, though not beyond the best and the worst of them; it begins where all have a
        score, and those that are done keep theirs. Crosses on the lower edge are failures,
        triangles there are scores so far below the others that they would press these into
        a line.

        Parameters
        ----------
        x : {"auto", "trials", "resource", "seconds"}, default="auto"
            What it took: candidates that have a result; resource that was spent on all folds,
            which for searches without rungs is the number of fits, or, beside others with
            rungs, the highest resource of these for each fit; or seconds since the first fit
            began. "auto" is "resource" if one of the searches has rungs, else "trials".
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : SearchHistoryDisplay
            Itself.

        Raises
        ------
        ValueError
            If `x` is none of these, if searches have different resources, or when results
            came is not known.
        """
        every = [record for records in self.records.values() for record in records]
        unit, full = _common(every)
        x = _checked(x, any(record.resource for record in every))
        courses = {
            name: [_course(r, x, full) for r in records if any(True for _ in r.results())]
            for name, records in self.records.items()
        }
        self.figure_, self.ax_ = style.axes(ax)
        if not any(courses.values()):
            style.nothing(self.ax_, no_result(*every))
            return self
        self._draw({name: of for name, of in courses.items() if of})
        labels = {
            "trials": "Candidates tried",
            "resource": f"Resource spent ({unit}, all folds)",
            "seconds": "Seconds since the first fit began",
        }
        self.ax_.set(xlabel=labels[x], ylabel=style.score_label(every[0]))
        if x == "trials":
            self.ax_.locator_params(axis="x", integer=True)
        style.legend(self.ax_)
        return self

    def _draw(self, courses: Mapping[str, Sequence[_Course]]) -> None:
        every = [course for of in courses.values() for course in of]
        scores = np.concatenate([course.scores for course in every])
        floor = style.score_axis(self.ax_, scores)
        alone = len(courses) == 1
        for number, (name, of) in enumerate(courses.items()):
            look = style.INCUMBENT if alone else style.line(number) | {"linewidth": 2.0}
            color = style.FAINT["color"] if alone else look["color"]
            faint = {"color": color, "alpha": style.alpha_for(len(scores))}
            for course in of:
                style.dots(self.ax_, course.x, course.scores, floor, **faint)
            self._line(of, style.short(name, 40), look)
        failed = np.concatenate([course.x[course.failed] for course in every])
        style.failures(self.ax_, failed, label=f"failed ({len(failed)})")

    def _line(self, of: Sequence[_Course], name: str, look: dict[str, Any]) -> None:
        grid = np.unique(np.concatenate([course.x for course in of]))
        values = np.array([course.at(grid) for course in of])
        known = np.isfinite(values).all(axis=0)
        if not known.any():
            return
        grid, values = grid[known], values[:, known]
        mean = values.mean(axis=0)
        if len(of) > 1:
            name += f" (mean of {len(of)})"
            sd = values.std(axis=0, ddof=1)
            low = np.maximum(mean - sd, values.min(axis=0))
            high = np.minimum(mean + sd, values.max(axis=0))
            band = {"step": "post", "alpha": 0.2, "color": look["color"], "linewidth": 0}
            self.ax_.fill_between(grid, low, high, **band)
        self.ax_.plot(grid, mean, drawstyle="steps-post", label=name, **look)
        end = {"marker": "o", "markersize": 5, "zorder": 5, "color": look["color"]}
        self.ax_.plot(grid[-1:], mean[-1:], **end)


def _checked(x: X, with_rungs: bool) -> X:
    known = ("auto", "trials", "resource", "seconds")
    if x not in known:
        raise ValueError(f"x must be one of {list(known)}, got {x!r}.")
    if x == "auto":
        return "resource" if with_rungs else "trials"
    return x


def _common(records: Sequence[SearchRecord]) -> tuple[str, int]:
    """Return what the cost is counted in, and how much of it a fit without rungs takes."""
    units = sorted({record.resource for record in records if record.resource})
    if not units:
        return "fits", 1
    if len(units) > 1:
        raise ValueError(
            f"The searches have different resources, {units}, which do not lie on one axis:"
            " plot those of one resource, or each by itself."
        )
    return units[0], max(1, *(record.top for record in records if record.resource))


def _course(record: SearchRecord, x: str, full: int) -> _Course:
    results = record.timeline()
    rungs = [rung for _, rung in results]
    if x == "trials":
        _, firsts = np.unique([trial.id for trial, _ in results], return_index=True)
        along = list(np.cumsum(np.isin(np.arange(len(results)), firsts)))
    elif x == "resource":
        unit = 1 if record.resource else full
        along = list(np.cumsum([rung.cost * unit for rung in rungs]))
    else:
        along = _seconds(record, rungs)
    failed = np.array([rung.failed for rung in rungs])
    scores = np.array([math.nan if rung.failed else rung.score for rung in rungs])
    return _Course(np.array(along, float), scores, failed, np.array(record.incumbents()))


def _seconds(record: SearchRecord, rungs: Sequence[Rung]) -> list[float]:
    ended = [rung.ended for rung in rungs]
    if math.isnan(ended[0]):  # unknown ones come last
        raise ValueError(
            f"When the results of this {record.name} came is not known: it was made by an"
            " earlier version. Plot it against 'trials' or 'resource'."
        )
    last = max(time for time in ended if not math.isnan(time))
    return [last if math.isnan(time) else time for time in ended]
