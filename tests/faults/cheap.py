"""Estimators that train nothing, leave a mark, and then sleep, hang or die; without torch.

A mark is a line in a file, which every process may write to: `candidate`, held-out row,
epoch and process. So fits are counted wherever they run, and also those of the dead.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

N_ROWS = 60
_rng = np.random.default_rng(0)
X = _rng.normal(size=(N_ROWS, 5)).astype(np.float32)
y = (X[:, 1] + X[:, 2] ** 2 > 0.5).astype(np.int64) + (X[:, 3] > 0.7)
X[:, 0] = np.arange(N_ROWS) / 64  # numbers the rows

REFIT = -1


def held_out(rows: Any) -> int:
    """Return the first row that is missing, which tells the fold; REFIT if none is."""
    there = set(np.round(np.asarray(rows)[:, 0] * 64).astype(int).tolist())
    return min(set(range(N_ROWS)) - there, default=REFIT)


def mark(log: str | None, candidate: float, fold: int, epoch: int) -> None:
    """Note that a candidate's model of a fold is about to train an epoch."""
    if log is None:
        return
    line = json.dumps([candidate, fold, epoch, os.getpid()]) + "\n"
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line.encode())  # one call: lines of two processes do not mix
    finally:
        os.close(fd)


def marks(log: str | os.PathLike[str]) -> list[tuple[float, int, int, int]]:
    """Return all marks: candidate, fold, epoch, process."""
    path = Path(log)
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(json.loads(line)) for line in lines]


class Cheap(ClassifierMixin, BaseEstimator):
    """Scores a function of `x`, the fold and the epochs; a fit sleeps for `seconds`."""

    def __init__(self, log: str | None = None, x: float = 0.0, seconds: float = 0.0) -> None:
        self.log = log
        self.x = x
        self.seconds = seconds

    def fit(self, X: Any, y: Any) -> Cheap:
        self.epochs_ = 0
        return self.partial_fit(X, y, np.unique(y))

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Cheap:
        if not hasattr(self, "classes_"):
            self.classes_, self.fold_ = classes, held_out(X)
        self.epochs_ = getattr(self, "epochs_", 0) + 1
        mark(self.log, self.x, self.fold_, self.epochs_)
        self.train()
        return self

    def train(self) -> None:
        time.sleep(self.seconds)

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any) -> float:
        return float(np.sin(7 * self.x + self.fold_) - 1 / (self.epochs_ + 9 * self.x))


# What the candidates of `Harmful` do to the process that trains them on the first fold.
DEATHS = {0.5: "exit", 0.6: "segfault", 0.7: "kill"}
HANGS = {0.5: "sleep", 0.6: "regex", 0.7: "lock"}


class Harmful(Cheap):
    """Kills its process, hangs in it, or only raises: in one fold, by `x` in `ways`."""

    def __init__(
        self, log: str | None = None, x: float = 0.0, ways: Any = None, raises: bool = False
    ) -> None:
        super().__init__(log, x)
        self.ways = ways
        self.raises = raises

    def train(self) -> None:
        way = (self.ways or {}).get(self.x)
        if way is None or self.fold_ != 0:
            return
        if self.raises:
            raise RuntimeError(way)
        {
            "exit": lambda: os._exit(3),
            "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
            "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
            "sleep": hang_in_sleep,
            "regex": hang_in_regex,
            "lock": hang_in_lock,
        }[way]()


def hang_in_sleep() -> None:
    time.sleep(10_000)


def hang_in_regex() -> None:
    re.match(r"(a+)+b", "a" * 50)  # holds the GIL for years


def hang_in_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
