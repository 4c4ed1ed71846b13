"""Workers that are killed while a search in this process goes on."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
from faults.cheap import REFIT, Cheap, X, marks, y
from scipy.stats import uniform
from sklearn.model_selection import StratifiedKFold

from sk_hpo import RandomSearchCV


class Killer(threading.Thread):
    """Kills one of the processes that trained last, whenever there is news.

    Parameters
    ----------
    log : str
        File of marks.
    every : float
        Seconds between two kills, on average.
    seed : int
        Of who is killed, and when.

    Attributes
    ----------
    kills : int
        How many there were so far.
    """

    def __init__(self, log: str, every: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.kills = 0
        self._log, self._every = log, every
        self._rng = random.Random(seed)
        self._over = threading.Event()

    def run(self) -> None:
        n_seen = 0
        while not self._over.wait(self._rng.uniform(0, 2 * self._every)):
            found = marks(self._log)
            pids = {pid for *_, pid in found[n_seen:][-2:]} - {os.getpid()}
            if pids and _kill(self._rng.choice(sorted(pids))):
                self.kills += 1
                n_seen = len(found)

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self.join()


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_workers(
    folder: Path, seconds: float, *, every: float, seed: int = 0, n_jobs: int = 2
) -> tuple[int, int, int]:
    """Run a search of about so many seconds whose workers are killed; assert that it ends well.

    Returns
    -------
    kills, n_fits, again : int
        How many workers died; how many fits the search needed; how many were begun again.
    """
    log, fit = str(folder / "marks"), 0.1
    n_iter = max(5, round(seconds / fit * n_jobs / 2))

    def search(estimator: Any, **params: Any) -> Any:
        given = {"n_iter": n_iter, "cv": StratifiedKFold(2), "random_state": 0, **params}
        return RandomSearchCV(estimator, {"x": uniform(0, 1)}, leakage="ignore", **given)

    made = search(
        Cheap(log, seconds=fit), n_jobs=n_jobs, max_retries=100, journal=folder / "journal"
    )
    with Killer(log, every, seed) as killer:
        made.fit(X, y)
    expected = search(Cheap()).fit(X, y)
    for name, column in expected.cv_results_.items():
        if "_time" not in name:
            np.testing.assert_array_equal(made.cv_results_[name], column, err_msg=name)
    begun = [entry[:2] for entry in marks(log) if entry[1] != REFIT]
    n_fits = len(set(begun))
    assert n_fits == 2 * n_iter
    assert len(begun) - n_fits <= killer.kills
    return killer.kills, n_fits, len(begun) - n_fits
