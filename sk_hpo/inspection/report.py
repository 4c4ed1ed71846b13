"""All that is known of a search, as one HTML page that needs no network."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from inspect import signature
from io import BytesIO
from pathlib import Path
from typing import Any

from sk_hpo._version import __version__
from sk_hpo.inspection.bracket_display import BracketDisplay
from sk_hpo.inspection.calibration_display import CalibrationOfScoresDisplay
from sk_hpo.inspection.history_display import SearchHistoryDisplay
from sk_hpo.inspection.importance.importance import parameter_importance
from sk_hpo.inspection.learning_curves_display import LearningCurvesDisplay
from sk_hpo.inspection.page import PAGE
from sk_hpo.inspection.parallel_coordinates_display import ParallelCoordinatesDisplay
from sk_hpo.inspection.record import Parameter, SearchRecord
from sk_hpo.inspection.recorded import record_of
from sk_hpo.inspection.slice_display import SliceDisplay
from sk_hpo.inspection.sparkline import sparkline
from sk_hpo.inspection.summary import cause_of, summary_of, told
from sk_hpo.inspection.surrogate_display import SurrogateDisplay
from sk_hpo.inspection.timeline_display import TimelineDisplay
from sk_hpo.journal.journal import Journal

__all__ = ["report"]

_MOST_VECTORS = 400_000  # bytes; a larger vector graphic becomes an image
_MOST_TEXT = 300
_MOST_CAUSES = 20

_Draw = Callable[[Any], Any]


def report(search: Any, path: str | os.PathLike[str], *, k: int = 10) -> Path:
    """Write all that is known of a search into one HTML page.

    The page loads nothing and runs no scripts: pictures are in it. It has the best candidates,
    what they took and how it ended, every display that applies, how much each parameter
    mattered (from 10 candidates with a score), settings, space, failures with their
    tracebacks, and how models were trained.

    Parameters
    ----------
    search : fitted search, Journal, or path of a journal
        Also a search that was loaded from a pickle, or a journal that is being written. A
        journal has no model, no test score and no settings that leave results as they are.
    path : str or path-like
        The file to write; what was there is replaced.
    k : int, default=10
        How many candidates the table has.

    Returns
    -------
    path : Path
        Of the page.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    ImportError
        If there is no matplotlib.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import RandomSearchCV
    >>> from sk_hpo.inspection.report import report
    >>> search = RandomSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, n_iter=3, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report(search, f"{folder}/iris.html").read_text(encoding="utf-8")
    >>> "<h1>RandomSearchCV</h1>" in page
    True
    """
    if isinstance(search, (str, os.PathLike)):
        search = Journal.read(search)
    record = record_of(search)
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    sections = [
        _found(search, record, k),
        *_pictures(search, record),
        _section("Settings", _table(_settings(search))),
        _section("Space", _table(_space(record), ("parameter", "kind", "values"))),
        _failures(record),
        _accelerator(search),
    ]
    body = "\n".join(filter(None, sections))
    page = PAGE.format(name=escape(record.name), body=body, version=escape(__version__))
    out.write_text(page, encoding="utf-8")
    return out


# -- texts and tables -----------------------------------------------------------------------


def _section(title: str, inner: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inner}</section>" if inner else ""


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return a table of texts, escaped; it scrolls sideways where it is too wide."""
    if not rows:
        return ""
    top = "".join(f"<th scope='col'>{escape(text)}</th>" for text in head)
    lines = []
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(text)}</td>" for text in rest)
        lines.append(f"<tr><th scope='row'>{escape(first)}</th>{cells}</tr>")
    head_row = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f"<div class='wide'><table>{head_row}<tbody>{''.join(lines)}</tbody></table></div>"


def _found(search: Any, record: SearchRecord, k: int) -> str:
    summary = summary_of(search, k)
    head, *rows = summary.table()
    best = _table(rows, head) or "<p>No candidate has a score.</p>"
    chosen = next((t for t in record.trials if t.id == record.best), None)
    params = [] if chosen is None else [(n, told(v)) for n, v in sorted(chosen.params.items())]
    parts = [
        sparkline(record.incumbents()),
        _table(list(summary.facts())),
        "<h3>Best parameters</h3>" + _table(params) if params else "",
        "<h3>Best candidates</h3>" + best,
    ]
    return _section("What was found", "".join(parts))


def _settings(search: Any) -> list[tuple[str, ...]]:
    """Return what the user has set, by name."""
    if isinstance(search, Journal):
        given = {n: v for n, v in search.header.settings.items() if n not in ("data", "search")}
        return [(name, _cut(str(value))) for name, value in given.items() if value is not None]
    defaults = {n: p.default for n, p in signature(type(search)).parameters.items()}
    given = search.get_params(deep=False)
    return [
        (name, _cut(" ".join(repr(value).split())))
        for name, value in given.items()
        if name != "param_distributions" and repr(value) != repr(defaults.get(name))
    ]


def _space(record: SearchRecord) -> list[tuple[str, ...]]:
    def values(parameter: Parameter) -> str:
        if parameter.labels:
            return ", ".join(parameter.labels)
        scale = ", logarithmic" if parameter.log else ""
        return f"{parameter.low:.4g} to {parameter.high:.4g}{scale}"

    return [
        (p.name, p.kind + (", conditional" if p.conditional else ""), _cut(values(p)))
        for p in record.parameters
    ]


def _failures(record: SearchRecord) -> str:
    """Return the causes of failures, each with one traceback."""
    causes: dict[str, list[tuple[int, str]]] = {}
    for trial, rung in record.results():
        if rung.failed:
            causes.setdefault(cause_of(rung), []).append((trial.id, rung.failure or ""))
    common = sorted(causes.items(), key=lambda item: -len(item[1]))
    parts = []
    for cause, of in common[:_MOST_CAUSES]:
        trials = ", ".join(str(trial) for trial, _ in of[:20]) + (", …" if len(of) > 20 else "")
        what = f"<b>{len(of)}</b> × {escape(_cut(cause))}"
        traceback = f"<pre>{escape(of[0][1])}</pre>" if of[0][1] else ""
        parts.append(
            f"<details><summary>{what}</summary><p>Trials {trials}</p>{traceback}</details>"
        )
    if len(common) > _MOST_CAUSES:
        parts.append(f"<p>And {len(common) - _MOST_CAUSES} other causes.</p>")
    return _section("Failures", "".join(parts))


def _accelerator(search: Any) -> str:
    told_of: list[Mapping[str, Any]] = getattr(search, "accelerator_report_", None) or []
    rows = [
        (str(entry["path"]), str(entry["n_fits"]), str(entry["reason"])) for entry in told_of
    ]
    return _section("How models were trained", _table(rows, ("path", "fits", "reason")))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


# -- pictures -------------------------------------------------------------------------------


def _pictures(search: Any, record: SearchRecord) -> Iterator[str]:
    for title, draw in _displays(search, record):
        try:
            yield _section(title, _picture(draw, search, title))
        except ValueError as error:  # a display says what it lacks
            yield _section(title, f"<p class='none'>{escape(str(error))}</p>")


def _displays(search: Any, record: SearchRecord) -> Iterator[tuple[str, _Draw]]:
    """Yield those that apply."""
    if not any(True for _ in record.results()):
        return
    yield "How the best score grew", SearchHistoryDisplay.from_search
    if record.resource is not None:
        yield "Learning curves", LearningCurvesDisplay.from_search
        yield "Who stood on which rung", BracketDisplay.from_search
    if len(record.parameters) > 1:
        yield "Which parameters matter", _importance
    if record.parameters:
        yield "Candidates across their parameters", ParallelCoordinatesDisplay.from_search
        yield "The score against each parameter", SliceDisplay.from_search
    if getattr(search, "surrogate_", None) is not None and record.best is not None:
        yield "What the model believes", SurrogateDisplay.from_search
    if record.finalists():
        yield "What the scores are worth", CalibrationOfScoresDisplay.from_search
    yield "Who did what when", TimelineDisplay.from_search


def _importance(search: Any) -> Any:
    return parameter_importance(search, random_state=0).plot()


def _picture(draw: _Draw, search: Any, title: str) -> str:
    import matplotlib.pyplot as plt
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "sk_hpo", "interactive": False}):
        figure = draw(search).figure_
        try:
            kind, data = "svg+xml", _bytes(figure, "svg")
            if len(data) > _MOST_VECTORS:
                kind, data = "png", _bytes(figure, "png")
        finally:
            plt.close(figure)
    source = f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"
    return f"<div class='wide'><img src='{source}' alt='{escape(title)}'></div>"


def _bytes(figure: Any, kind: str) -> bytes:
    out = BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(out, format=kind, dpi=150, metadata=metadata)
    return out.getvalue()
