"""A report as text, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from efficiency.report import OURS, Report
from efficiency.statistics import Estimate, Interval

__all__ = ["table", "to_json", "to_text"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines with columns aligned, the first to the left."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def to_text(report: Report) -> str:
    """Return all tables of a report."""
    parts = [_head(report)]
    for budget, by_suite in report.regrets.items():
        parts += [f"Regret in % after {budget} evaluations, mean over tasks (s.e. over seeds)"]
        parts += [_regrets(by_suite)]
    parts += ["Mean rank (1 is best; s.e. over tasks and seeds)", _ranks(report)]
    if any(name.startswith(OURS) for name in report.seeds) and any(report.better.values()):
        parts += ["Mean regret of ours / of the better of BoTorch and Optuna's GP"]
        parts += [_better(report)]
    if any(report.paired.values()):
        parts += [f"Regret minus that of {report.reference}, same tasks and seeds, in % points"]
        parts += [_paired(report)]
    parts += ["Milliseconds per suggestion: median, 90 %, maximum", _milliseconds(report)]
    if report.batch_ratios:
        parts += ["Mean regret in batches / one at a time", _batches(report)]
    parts += [f"Regret in % after {max(report.regrets)} evaluations, by task", _by_task(report)]
    return "\n\n".join(parts)


def _head(report: Report) -> str:
    seeds = (
        f"{name} {low}" + (f"-{high}" if high > low else "")
        for name, (low, high) in report.seeds.items()
    )
    lines = [f"{len(report.tasks)} tasks; seeds: {', '.join(seeds)}"]
    if report.left_out:
        lines += [f"not run by all, and left out: {', '.join(report.left_out)}"]
    return "\n".join(lines)


def _regrets(by_suite: dict[str, dict[str, Estimate]]) -> str:
    names = list(by_suite["all"])
    rows = [
        [name, *(_estimate(by_name[name]) for by_name in by_suite.values())] for name in names
    ]
    return table(["", *by_suite], rows)


def _ranks(report: Report) -> str:
    rows = [
        [name, *(_estimate(by_name[name]) for by_name in report.ranks.values())]
        for name in report.seeds
    ]
    return table(["", *(f"at {budget}" for budget in report.ranks)], rows)


def _better(report: Report) -> str:
    rows = [
        [f"{budget}", suite, f"{better.name} {better.regret:.2f}", name, _interval(ratio)]
        for budget, by_suite in report.better.items()
        for suite, better in by_suite.items()
        for name, ratio in better.ratios.items()
    ]
    return table(["at", "suite", "the better", "ours", "ratio (95 % over seeds)"], rows)


def _paired(report: Report) -> str:
    rows = [
        [
            f"{budget}",
            name,
            f"{paired.n_pairs}",
            _interval(paired.seeds, "+"),
            _interval(paired.tasks_and_seeds, "+"),
        ]
        for budget, by_name in report.paired.items()
        for name, paired in by_name.items()
    ]
    head = ["at", "", "pairs", "95 % over seeds", "95 % over tasks and seeds"]
    return table(head, rows)


def _milliseconds(report: Report) -> str:
    rows = []
    for name in report.seeds:
        cells = [by_name.get(name) for by_name in report.milliseconds.values()]
        rows.append(
            [
                name,
                *(
                    f"{c.median:.1f} {c.ninety_percent:8.1f} {c.maximum:8.1f}" if c else "-"
                    for c in cells
                ),
            ]
        )
    return table(["", *(f"n = {n}" for n in report.milliseconds)], rows)


def _batches(report: Report) -> str:
    rows = [
        [name, f"{batch}", _interval(ratio)]
        for name, by_batch in report.batch_ratios.items()
        for batch, ratio in by_batch.items()
    ]
    return table(["", "batch", "ratio (95 % over seeds)"], rows)


def _by_task(report: Report) -> str:
    names = list(report.seeds)
    rows = [
        [task, *(f"{by_name[name]:.2f}" for name in names)]
        for task, by_name in report.by_task.items()
    ]
    return table(["", *names], rows)


def _estimate(estimate: Estimate) -> str:
    error = "   - " if math.isnan(estimate.error) else f"{estimate.error:.2f}"
    return f"{estimate.value:.2f} ({error.strip()})"


def _interval(interval: Interval, sign: str = "") -> str:
    value, low, high = (f"{x:{sign}.2f}" for x in interval)
    return f"{value} [{low}, {high}]"


def to_json(report: Report) -> str:
    """Return a report as JSON; NaN becomes null."""
    return json.dumps(_plain(asdict(report)), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
