"""What a search learned, and when."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clock.problem import FOLDS, params_of

__all__ = ["Event", "FoldLog", "Found", "incumbents"]


@dataclass(frozen=True, slots=True)
class Event:
    """A candidate has been scored on all folds.

    Parameters
    ----------
    seconds : float
        Since the search began.
    params : dict of str -> object
        The candidate.
    epochs : int
        For which each of its fold models had been trained.
    score : float
        Mean validation accuracy over the folds.
    """

    seconds: float
    params: Mapping[str, Any]
    epochs: int
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search did.

    Parameters
    ----------
    events : sequence of Event
        In order of time.
    epochs : float
        Trained on all folds together.
    """

    events: list[Event]
    epochs: float


class FoldLog:
    """A file to which the folds of candidates are written as they are scored.

    It is a scorer (accuracy) for searches that say nothing of their progress, in whatever
    process they score. A line is one write to the end of the file, so that lines of
    several processes do not mix.

    Parameters
    ----------
    path : Path
        It should not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = time.time()

    def __call__(self, net: Any, X: Any, y: Any) -> float:
        score = float(np.mean(net.predict(X) == y))
        self.write(params_of(net), len(net.history), score)
        return score

    def write(self, params: Mapping[str, Any], epochs: int, score: float) -> None:
        row = [time.time() - self.began, dict(params), epochs, score]
        line = json.dumps(row).encode() + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def events(self) -> list[Event]:
        """Return the candidates of which all folds are there."""
        scores: dict[tuple[str, int], list[float]] = {}
        events = []
        for seconds, params, epochs, score in self._rows():
            folds = scores.setdefault((json.dumps(params, sort_keys=True), epochs), [])
            folds.append(score)
            if len(folds) == FOLDS:
                events.append(Event(seconds, params, epochs, float(np.mean(folds))))
        return events

    def epochs_anew(self) -> int:
        """Return the epochs trained if every line was of a net trained from scratch."""
        return sum(epochs for _, _, epochs, _ in self._rows())

    def epochs_in_steps(self) -> int:
        """Return the epochs trained if every line was one more epoch of a net."""
        return len(self._rows())

    def _rows(self) -> list[Any]:
        rows = [json.loads(line) for line in self.path.read_text().splitlines()]
        return sorted(rows, key=lambda row: row[0])


def incumbents(events: Iterable[Event]) -> list[Event]:
    """Return the events at which what the search would answer changed.

    That is the candidate of the best score among those that were trained for most epochs
    so far: what halving searches select by, and all others in the end.
    """
    kept: list[Event] = []
    for event in events:
        if not np.isfinite(event.score):
            continue
        best = kept[-1] if kept else None
        if best is None or (event.epochs, event.score) > (best.epochs, best.score):
            kept.append(event)
    return kept
