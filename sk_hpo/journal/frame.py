"""Records of a journal -> trials, and columns of a table; without data or estimator.

Of a fold's value these keys are looked at, each of which may be missing: ``test_scores`` and
``train_scores`` (a number, or a dict of them by metric), ``fit_time`` and ``score_time``
(seconds), ``cost``, ``error`` and ``score_errors`` (tracebacks).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sk_hpo.journal.records import Ask, Header
from sk_hpo.trial import Outcome, Reason, Trial

__all__ = ["columns", "trials"]

Folds = Mapping[str, Any]
Values = Mapping[int, Mapping[int, Folds]]


@dataclass(slots=True)
class _Row:
    """What is known of a trial on a rung, by fold."""

    ask: Ask
    resource: int = 0
    folds: dict[int, Folds] = field(default_factory=dict)
    missing: int = 0  # parts of its jobs


def trials(header: Header, asks: Sequence[Ask], values: Values) -> list[Trial]:
    """Return the trials in order of their ids.

    A trial has an outcome at every resource where all its folds are known.
    """
    found: dict[int, Trial] = {}
    reasons = _reasons(asks)
    for row in _rows(header, asks, values):
        job = row.ask.job
        reason = reasons[job.trial]
        trial = found.setdefault(
            job.trial, Trial(job.trial, job.config, job.bracket, reason=reason)
        )
        if not row.missing:
            found[job.trial] = trial.told(row.resource, _outcome(row, header))
    return [found[id] for id in sorted(found)]


def columns(header: Header, asks: Sequence[Ask], values: Values) -> dict[str, list[Any]]:
    """Return the columns of `sk_hpo.journal.journal.Journal.to_frame`."""
    reasons = _reasons(asks)
    rows = sorted(
        _rows(header, asks, values),
        key=lambda row: (row.ask.job.bracket, row.ask.job.rung, row.ask.job.trial),
    )
    table: dict[str, list[Any]] = {
        "trial": [row.ask.job.trial for row in rows],
        "bracket": [row.ask.job.bracket for row in rows],
        "iter": [row.ask.job.rung for row in rows],
        "n_resources": [row.resource for row in rows],
    }
    configs = [row.ask.job.config for row in rows]
    table |= _params(header, configs)
    n_splits = max((1 + max(row.folds, default=-1) for row in rows), default=0)
    for key in ("test_scores", "train_scores"):
        for metric in _metrics(rows, key):
            by_fold = [_scores(row, key, metric) for row in rows]
            table |= _summary(f"{key.split('_')[0]}_{metric}", by_fold, n_splits)
    for key in ("fit_time", "score_time"):
        table |= _summary(key, [_times(row, key) for row in rows])
    shown = [reasons[row.ask.job.trial] for row in rows]
    errors = [_error(row, header.metric) for row in rows]
    return table | {
        "suggested_by": [reason.origin for reason in shown],
        "acquisition": [reason.acquisition for reason in shown],
        "predicted_mean": [reason.mean for reason in shown],
        "predicted_sd": [reason.sd for reason in shown],
        "status": [_status(row, e) for row, e in zip(rows, errors, strict=True)],
        "error": errors,
    }


def _rows(header: Header, asks: Sequence[Ask], values: Values) -> list[_Row]:
    """Return a row per trial and rung, in the order of asking.

    Of several jobs on a rung, each has some of the folds, or takes them further.
    """
    rows: dict[tuple[int, int], _Row] = {}
    by_folds = header.resource == "folds"
    for ask in asks:
        job = ask.job
        row = rows.get((job.trial, job.rung))
        if row is None:
            row = rows[job.trial, job.rung] = _Row(ask)
            below = rows.get((job.trial, job.rung - 1)) if by_folds else None
            row.folds = dict(below.folds) if below else {}
        folds = range(header.n_splits) if job.folds is None else job.folds
        done = values.get(ask.number, {})
        row.folds |= {folds[part]: value for part, value in done.items()}
        missing = len(folds) - len(done)
        row.missing += missing
        if not missing or not row.resource:
            row.resource = max(row.resource, job.stop)
    for row in rows.values():
        if by_folds:
            row.resource = len(row.folds)
    return list(rows.values())


def _reasons(asks: Sequence[Ask]) -> dict[int, Reason]:
    """Return why each trial was suggested: its first job says it."""
    found: dict[int, Reason] = {}
    for ask in asks:
        found.setdefault(ask.job.trial, ask.reason)
    return found


def _outcome(row: _Row, header: Header) -> Outcome:
    by_fold = _scores(row, "test_scores", header.metric)
    ran = np.array([by_fold[fold] for fold in sorted(by_fold)])
    failure = _error(row, header.metric)
    sound = failure is None and len(ran) > 0 and bool(np.isfinite(ran).all())
    n = len(ran)
    return Outcome(
        score=float(ran.mean()) if sound else math.nan,
        standard_error=float(ran.std(ddof=1) / n**0.5) if sound and n > 1 else math.nan,
        cost=sum(_number(fold.get("cost", 0.0)) for fold in row.folds.values()),
        failure=failure,
        scores=tuple(by_fold.get(fold, math.nan) for fold in range(header.n_splits)),
    )


def _status(row: _Row, error: str | None) -> str:
    if row.missing:
        return "running"
    return "done" if error is None else "failed"


def _error(row: _Row, metric: str) -> str | None:
    """Return why the row has no score to steer by, None if it has; other metrics may fail."""
    for _, fold in sorted(row.folds.items()):
        by_metric = fold.get("score_errors")
        known = by_metric if isinstance(by_metric, dict) else {}
        if error := fold.get("error") or known.get(metric) or known.get("score"):
            return str(error)
    return None


def _params(header: Header, configs: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return a column per parameter; None where it does not exist."""
    found: dict[str, list[Any]] = {
        f"param_{p.name}": [None] * len(configs)
        for p in sorted(header.parameters, key=lambda p: p.name)
        if p.name
    }
    for i, config in enumerate(configs):
        for parameter, code in zip(header.parameters, config, strict=True):
            if parameter.name and code is not None:
                found[f"param_{parameter.name}"][i] = parameter.value(code)
    return found


def _metrics(rows: Sequence[_Row], key: str) -> list[str]:
    """Return the names of the metrics, "score" being that of a single one."""
    found: dict[str, None] = {}
    single = False
    for row in rows:
        for fold in row.folds.values():
            scores = fold.get(key)
            if isinstance(scores, dict):
                found |= dict.fromkeys(map(str, scores))
            else:
                single |= scores is not None
    return list(found) or ["score"] * single


def _scores(row: _Row, key: str, metric: str) -> dict[int, float]:
    """Return the score of each fold; a fold that failed may have one for all metrics."""
    found = {}
    for fold, value in row.folds.items():
        scores = value.get(key)
        found[fold] = _number(scores.get(metric) if isinstance(scores, dict) else scores)
    return found


def _times(row: _Row, key: str) -> dict[int, float]:
    return {fold: _number(value.get(key)) for fold, value in row.folds.items()}


def _summary(
    name: str, by_fold: Sequence[Mapping[int, float]], n_splits: int = 0
) -> dict[str, list[Any]]:
    """Return mean, standard deviation and, of `n_splits` folds, each value, as columns."""
    found = {
        f"split{i}_{name}": [folds.get(i, math.nan) for folds in by_fold]
        for i in range(n_splits)
    }
    arrays = [np.array(list(folds.values()), float) for folds in by_fold]
    with np.errstate(invalid="ignore"):  # the spread of infinite scores
        found[f"mean_{name}"] = [float(a.mean()) if a.size else math.nan for a in arrays]
        found[f"std_{name}"] = [float(a.std()) if a.size else math.nan for a in arrays]
    return found


def _number(value: Any) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if known else math.nan
    except OverflowError:  # an integer that is greater than any float
        return math.nan
