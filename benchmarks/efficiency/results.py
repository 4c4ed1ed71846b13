"""The file of results: one CSV row per evaluation, appended run by run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

__all__ = ["Evaluation", "Key", "Run", "append", "finished", "read"]

HEADER = ("opt", "task", "suite", "seed", "batch", "i", "y", "true", "t_ask", "t_tell")


class Key(NamedTuple):
    """What names a run."""

    optimizer: str
    task: str
    seed: int
    batch: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of a run.

    Parameters
    ----------
    observed : float
        What the optimiser was told.
    true : float
        The same without noise.
    ask, tell : float
        Seconds that the optimiser took for it; those of a batch are shared equally.
    """

    observed: float
    true: float
    ask: float
    tell: float


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """All evaluations of a run, in order.

    Parameters
    ----------
    key : Key
        Its name.
    suite : str
        Suite of its task.
    observed, true, seconds : ndarray of shape (n,)
        See `Evaluation`; `seconds` are those of asking and telling.
    """

    key: Key
    suite: str
    observed: np.ndarray
    true: np.ndarray
    seconds: np.ndarray

    def incumbent(self) -> np.ndarray:
        """Return, after each evaluation, the true value of the best *observed* one."""
        best = np.minimum.accumulate(self.observed)
        new = np.r_[True, self.observed[1:] < best[:-1]]
        return self.true[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))]


def append(path: Path, key: Key, suite: str, evaluations: Iterable[Evaluation]) -> None:
    """Append a run to a file, which is made if there is none.

    A last line that was torn, by a process that was killed, is closed so that it cannot be
    read as a row.
    """
    rows = [
        (
            *(key.optimizer, key.task, suite, key.seed, key.batch, i),
            *(f"{e.observed:.8g}", f"{e.true:.8g}", f"{e.ask:.5f}", f"{e.tell:.5f}"),
        )
        for i, e in enumerate(evaluations)
    ]
    torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    with path.open("a", newline="") as file:
        if torn:
            file.write(",torn\n")
        if file.tell() == 0:
            file.write(",".join(HEADER) + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)


def read(paths: Sequence[Path]) -> list[Run]:
    """Return the runs of some files, sorted by name.

    Lines that are not whole are skipped. Of two rows of the same name and index the later
    one counts. A run with a gap ends before it.
    """
    runs: dict[Key, tuple[str, dict[int, Evaluation]]] = {}
    for path in paths:
        with path.open(newline="") as file:
            for key, suite, i, evaluation in _rows(file):
                runs.setdefault(key, (suite, {}))[1][i] = evaluation
    return [_run(key, *runs[key]) for key in sorted(runs)]


def finished(path: Path, budget: int) -> set[Key]:
    """Return the names of runs that have `budget` evaluations in a file, if it exists."""
    if not path.exists():
        return set()
    return {run.key for run in read([path]) if len(run.observed) >= budget}


def _rows(file: TextIO) -> Iterator[tuple[Key, str, int, Evaluation]]:
    for line in file:
        cells = line.rstrip("\r\n").split(",")
        if len(cells) != len(HEADER) or cells[0] == "opt" or not line.endswith("\n"):
            continue
        optimizer, task, suite, seed, batch, i, *numbers = cells
        try:
            evaluation = Evaluation(*map(float, numbers))
            yield Key(optimizer, task, int(seed), int(batch)), suite, int(i), evaluation
        except ValueError:
            continue


def _run(key: Key, suite: str, evaluations: dict[int, Evaluation]) -> Run:
    n = next(i for i in range(len(evaluations) + 1) if i not in evaluations)
    columns = {
        field.name: np.array([getattr(evaluations[i], field.name) for i in range(n)])
        for field in fields(Evaluation)
    }
    seconds = columns["ask"] + columns["tell"]
    return Run(key, suite, columns["observed"], columns["true"], seconds)
