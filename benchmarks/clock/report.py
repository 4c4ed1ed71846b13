"""What the runs say: a table, and how soon a search is as good as another in the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from clock.methods import METHODS
from clock.results import Result

__all__ = ["GOALS", "Setting", "Soon", "grouped", "soon", "to_json", "to_text"]

# Part of the time of a search in which ours should be as good as it is in the end.
GOALS = {"sklearn-random": 1 / 10, "sklearn-halving": 1 / 3, "sklearn-halving-default": 1 / 3}


class Setting(NamedTuple):
    """What runs must share to be compared."""

    rows: int
    max_epochs: int
    jobs: int


Group = Mapping[str, Sequence[Result]]


def grouped(results: Iterable[Result]) -> dict[Setting, dict[str, list[Result]]]:
    """Return the runs by setting and method, methods in their usual order."""
    order = list(METHODS)
    groups: dict[Setting, dict[str, list[Result]]] = {}
    for result in sorted(results, key=lambda r: (order.index(r.key.method), r.key.seed)):
        method, *setting, _ = result.key
        groups.setdefault(Setting(*setting), {}).setdefault(method, []).append(result)
    return dict(sorted(groups.items()))


class Soon(NamedTuple):
    """How soon the runs of a search had the test score that another had in the end.

    Parameters
    ----------
    seconds : list of float
        Of each run, in order of length; infinite for one that never had it.
    fraction : float
        Median of them as a part of the median time of the other.
    cpu_fraction : float
        The same in processor seconds, which a busy machine does not lengthen; what a run
        had used when it had the score is taken in proportion.
    kept_fraction : float
        As `fraction`, of the time from which it never had a lower one: the first may be
        luck, which the next incumbent has not.
    """

    seconds: list[float]
    fraction: float
    cpu_fraction: float
    kept_fraction: float


def soon(runs: Sequence[Result], other: Sequence[Result]) -> Soon:
    target = median(run.incumbents[-1].test for run in other)
    seconds = sorted(run.reaches(target) for run in runs)
    cpu = median(run.reaches(target) * run.cpu / run.wall for run in runs)
    return Soon(
        seconds,
        median(seconds) / median(run.wall for run in other),
        cpu / median(run.cpu for run in other),
        median(run.keeps(target) for run in runs) / median(run.wall for run in other),
    )


def to_text(groups: Mapping[Setting, Group]) -> str:
    parts = []
    for setting, group in groups.items():
        parts += [f"{setting.rows} rows, {setting.max_epochs} epochs, n_jobs={setting.jobs}"]
        parts += [_table(group)]
        parts += [_reached(group, target) for target in GOALS if target in group]
    return "\n\n".join(parts)


def _table(group: Group) -> str:
    columns = ("runs", "wall s", "CPU s", "epochs", "CV", "test")
    lines = [f"{'medians':24}" + "".join(f"{name:>9}" for name in columns)]
    for name, runs in group.items():
        finals = [run.incumbents[-1] for run in runs]
        tests = sorted(final.test for final in finals)
        lines += [
            f"{name:24}{len(runs):9}"
            f"{median(run.wall for run in runs):9.1f}{median(run.cpu for run in runs):9.1f}"
            f"{median(run.epochs for run in runs):9.0f}"
            f"{median(final.cv for final in finals):9.4f}{median(tests):9.4f}"
            f"  ({tests[0]:.4f} to {tests[-1]:.4f})"
        ]
    return "\n".join(lines)


def _reached(group: Group, target: str) -> str:
    other = group[target]
    test = median(run.incumbents[-1].test for run in other)
    wall = median(run.wall for run in other)
    lines = [
        f"Seconds to a test score of {test:.4f}, which {target} has after {wall:.1f} s;"
        f" goal {GOALS[target]:.2f} of that",
        f"{'':24}{'median':>9}{'min':>9}{'max':>9}{'of its':>9}{'of CPU':>9}{'kept':>9}",
    ]
    for name, runs in group.items():
        found = soon(runs, other)
        times = (median(found.seconds), found.seconds[0], found.seconds[-1])
        lines += [
            f"{name:24}{''.join(f'{_never(t, 1):>9}' for t in times)}"
            f"{_never(found.fraction, 3):>9}{_never(found.cpu_fraction, 3):>9}"
            f"{_never(found.kept_fraction, 3):>9}"
        ]
    return "\n".join(lines)


def _never(value: float, digits: int) -> str:
    return "never" if value == float("inf") else f"{value:.{digits}f}"


def to_json(groups: Mapping[Setting, Group]) -> list[dict[str, object]]:
    """Return the table and the times as JSON knows them."""
    rows: list[dict[str, object]] = []
    for setting, group in groups.items():
        for name, runs in group.items():
            finals = [run.incumbents[-1] for run in runs]
            row: dict[str, object] = {**setting._asdict(), "method": name, "runs": len(runs)}
            row |= {
                what: median(getattr(run, what) for run in runs)
                for what in ("wall", "cpu", "epochs")
            }
            row |= {
                what: median(getattr(final, what) for final in finals)
                for what in ("cv", "test")
            }
            for target in GOALS:
                if target in group:
                    fraction = soon(runs, group[target]).fraction
                    row[f"of {target}"] = None if fraction == float("inf") else fraction
            rows.append(row)
    return rows
