"""What a search found and what it took, in a few lines."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from numbers import Integral
from typing import Any

from sk_hpo.inspection.record import Rung, SearchRecord, TrialRecord, label_of, score_text
from sk_hpo.inspection.recorded import record_of
from sk_hpo.journal.journal import Journal

__all__ = ["Summary", "cause_of", "ranked", "summary_of", "told"]

_WIDTH = 96


@dataclass(frozen=True, repr=False)
class Summary:
    """What a search found and what it took; ``print`` it.

    Attributes
    ----------
    record : SearchRecord
        The search.
    best : tuple of (TrialRecord, Rung)
        The chosen candidate first, then the best of the others at the highest resource.
    n_fits : int
        Fits of a candidate on a fold, on every rung.
    cost : float
        Resource that was spent on all folds together; the number of fits for a search without
        rungs.
    busy_seconds : float
        Of fitting and scoring, summed over fits, whichever worker did them.
    wall_seconds : float
        From the beginning of the first fit to the end of the last; NaN if unknown.
    n_failed : int
        Candidates that failed.
    failures : tuple of (str, int)
        Causes, and how many candidates failed by each, the commonest first.
    ended : str
        Why the search ended.
    more : tuple of (str, str)
        What else is known: scores of the test set and the like.
    """

    record: SearchRecord
    best: tuple[tuple[TrialRecord, Rung], ...]
    n_fits: int
    cost: float
    busy_seconds: float
    wall_seconds: float
    n_failed: int
    failures: tuple[tuple[str, int], ...]
    ended: str
    more: tuple[tuple[str, str], ...] = ()

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what there is to tell beside the best candidates: names and texts."""
        record, unit = self.record, self.record.resource or "fits"
        pending = sum(trial.last is None for trial in record.trials)
        without = f", {pending} of them without a result" if pending else ""
        folds = "1 fold" if record.n_splits == 1 else f"{record.n_splits} folds"
        yield "candidates", f"{len(record.trials)}{without}; {folds}"
        fits = "" if unit == "fits" else f" in {self.n_fits} fits"
        yield "spent", f"{self.cost:g} {unit}{fits}"
        seconds = f"{self.busy_seconds:.3g} s of fitting and scoring"
        if math.isfinite(self.wall_seconds):
            seconds += f", {self.wall_seconds:.3g} s from the first fit to the last"
        yield "time", seconds
        yield from self.more
        if self.failures:
            (cause, n), *_ = self.failures
            often = "" if n == self.n_failed else f" (most often, {n} times)"
            yield "failed", f"{self.n_failed} candidates{often}: {cause}"
        else:
            yield "failed", "none"
        yield "ended", self.ended

    def table(self) -> list[list[str]]:
        """Return the best candidates as rows of texts, the first row being the head."""
        laddered = self.record.resource is not None
        head = ["", "trial", self.record.metric, "± se"]
        rows = [[*head, self.record.resource or "", "parameters"]]
        for rank, (trial, rung) in enumerate(self.best, 1):
            params = ", ".join(f"{name}={told(v)}" for name, v in sorted(trial.params.items()))
            error = "" if math.isnan(rung.standard_error) else f"{rung.standard_error:.2g}"
            numbers = [str(rank), str(trial.id), score_text(rung.score), error]
            rows.append([*numbers, str(rung.resource) if laddered else "", params])
        return rows if laddered else [row[:4] + row[5:] for row in rows]

    def __repr__(self) -> str:
        rows = self.table()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
        lines = [self.record.name]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append(_cut(" ".join([*cells, " " + row[-1]])))
        if len(rows) == 1:
            lines[1:] = ["  no candidate has a score"]
        return "\n".join([*lines, *(_cut(f"{name}: {text}") for name, text in self.facts())])

    def _repr_html_(self) -> str:
        head, *rows = self.table()
        cells = "".join(f"<th>{escape(text)}</th>" for text in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>"
            for row in rows
        )
        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>"
            for name, text in self.facts()
        )
        return (
            f"<b>{escape(self.record.name)}</b>"
            f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
            f"<table><tbody>{facts}</tbody></table>"
        )


def summary_of(search: Any, k: int = 5) -> Summary:
    """Return the summary of a search.

    Parameters
    ----------
    search : fitted search, Journal, or path of a journal
        Also one that is being written.
    k : int, default=5
        How many candidates to tell of.

    Raises
    ------
    ValueError
        If `k` is no whole number of at least 1.
    """
    if isinstance(search, (str, os.PathLike)):
        search = Journal.read(search)
    record = record_of(search)
    runs = [run for _, rung in record.results() for run in rung.runs]
    rungs = [trial.last for trial in record.trials if trial.last is not None]
    causes = Counter(cause_of(rung) for rung in rungs if rung.failed)
    ends = [run.ended for run in runs if math.isfinite(run.ended)]
    return Summary(
        record=record,
        best=tuple(ranked(record, k)),
        n_fits=len(runs),
        cost=sum(r.cost for _, r in record.results()) if record.resource else len(runs),
        busy_seconds=sum(run.seconds for run in runs),
        wall_seconds=max(ends, default=math.nan),
        n_failed=causes.total(),
        failures=tuple(causes.most_common()),
        ended=_ended(search, record),
        more=tuple(_more(search)),
    )


def ranked(record: SearchRecord, k: int) -> list[tuple[TrialRecord, Rung]]:
    """Return the chosen candidate, then the best others, `k` at most.

    Examples
    --------
    >>> from sk_hpo.inspection.record import SearchRecord
    >>> ranked(SearchRecord("RandomSearchCV", "score", None, 5, (), ()), 3)
    []
    """
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, not {k!r}.")
    found = record.finalists()
    # A rule may choose another one than that with the highest score.
    return sorted(found, key=lambda pair: pair[0].id != record.best)[: int(k)]


def cause_of(rung: Rung) -> str:
    """Return why a result is none: the last line of its traceback."""
    lines = [line.strip() for line in (rung.failure or "").splitlines() if line.strip()]
    return lines[-1] if lines else "the score is not finite"


def told(value: Any) -> str:
    """Return a value of a parameter as a short text.

    Examples
    --------
    >>> told(0.123456), told("rbf"), told(None), told(64)
    ('0.1235', 'rbf', 'None', '64')
    """
    return f"{value:.4g}" if isinstance(value, float) else label_of(value)


def _ended(search: Any, record: SearchRecord) -> str:
    if record.stopped_by:
        return f"early: {record.stopped_by}{_short_of(search, record)}"
    if isinstance(search, Journal) and search.stopped_by is None:
        return "not yet, or it was killed"
    return "by itself, all was done"


def _short_of(search: Any, record: SearchRecord) -> str:
    """Say that the chosen candidate has less than a full training, if that is so."""
    top, best = vars(search).get("max_resources_"), ranked(record, 1)
    if top is None or not best or best[0][1].resource >= top:
        return ""
    return f"; the best was trained for {best[0][1].resource} of {top} {record.resource}"


def _more(search: Any) -> Iterator[tuple[str, str]]:
    """Yield what a search knows that is fitted, and not only written down."""
    if isinstance(search, Journal):
        return
    known = vars(search)
    if n := known.get("_n_known"):
        yield "journal", f"{n} of the fits were in it when this search began"
    if "refit_time_" in known:
        yield "refit", f"{search.refit_time_:.3g} s"
    if "test_score_" in known:
        score = search.test_score_
        found = score if isinstance(score, dict) else {"": score}
        text = ", ".join(f"{name} {score_text(value)}".strip() for name, value in found.items())
        yield "test score", f"{text} on {len(search.test_indices_)} rows that were held out"


def _cut(line: str) -> str:
    line = " ".join(line.split("\n"))
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
