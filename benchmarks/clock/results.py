"""The file of results: one line of JSON per run, appended when the run has ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Incumbent", "Key", "Result", "append", "read"]


class Key(NamedTuple):
    """What names a run."""

    method: str
    rows: int
    max_epochs: int
    jobs: int
    seed: int


@dataclass(frozen=True, slots=True)
class Incumbent:
    """What a search would have answered from some time on.

    Parameters
    ----------
    seconds : float
        Since the search began.
    params : dict of str -> object
        The candidate.
    epochs : int
        For which it had been trained.
    cv, test : float
        Mean accuracy over the folds, and on the test rows.
    """

    seconds: float
    params: dict[str, Any]
    epochs: int
    cv: float
    test: float


@dataclass(frozen=True, slots=True)
class Result:
    """One run.

    Parameters
    ----------
    key : Key
        Its name.
    wall, cpu : float
        Seconds that the search took by the wall clock, and of processors in all its
        processes.
    epochs : float
        Trained on all folds together.
    incumbents : tuple of Incumbent
        In order of time; the last is the answer.
    """

    key: Key
    wall: float
    cpu: float
    epochs: float
    incumbents: tuple[Incumbent, ...]

    def test_at(self, seconds: float) -> float:
        """Return the test score of what it would have answered at a time, or NaN."""
        known = [found.test for found in self.incumbents if found.seconds <= seconds]
        return known[-1] if known else float("nan")

    def reaches(self, test: float) -> float:
        """Return the time from which an incumbent had this test score, or infinity."""
        times = (found.seconds for found in self.incumbents if found.test >= test)
        return next(times, float("inf"))

    def keeps(self, test: float) -> float:
        """Return the time from which all incumbents had this test score, or infinity."""
        since = float("inf")
        for found in reversed(self.incumbents):
            if found.test < test:
                break
            since = found.seconds
        return since


def append(path: Path, result: Result) -> None:
    """Append a run to a file, which is made if there is none.

    A last line that was torn, by a process that was killed, is closed first.
    """
    torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    row = asdict(result) | {"key": result.key._asdict()}
    with path.open("a") as file:
        file.write("\n" * torn + json.dumps(row) + "\n")


def read(paths: Sequence[Path]) -> dict[Key, Result]:
    """Return the runs of some files; of two of the same name, the later one.

    Lines that are not whole are skipped, and files that do not exist.
    """
    results: dict[Key, Result] = {}
    for path in paths:
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                result = _result(json.loads(line))
            except (ValueError, TypeError, KeyError):
                continue
            results[result.key] = result
    return results


def _result(row: dict[str, Any]) -> Result:
    found = tuple(Incumbent(**each) for each in row.pop("incumbents"))
    return Result(**row | {"key": Key(**row["key"]), "incumbents": found})
