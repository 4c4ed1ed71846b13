"""Searches in forked processes, killed and resumed; used by the tests and the benchmark."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
from faults.cheap import REFIT, marks

# A rung of every ladder here; searches without rungs train one epoch.
RUNGS = (1, 3, 9)

Task = tuple[float, int, int]  # candidate, fold, rung


def _context() -> Any:
    """Return where processes are forked from: one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.cases"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*sys.path, before]))
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


class Run:
    """A search in a process of its own; a context manager, at whose exit it is dead.

    Parameters
    ----------
    case : str
        One of `cases.CASES`.
    folder : Path
        Where its journal, marks and outcome are.
    params : mapping
        Of the search.
    fault : mapping, default={}
        See `cases.run`.
    """

    def __init__(
        self,
        case: str,
        folder: Path,
        params: Mapping[str, Any],
        fault: Mapping[str, Any] | None = None,
        *,
        marked: bool = True,
    ) -> None:
        from faults.cases import run

        self._out = folder / "outcome"
        self._out.unlink(missing_ok=True)
        self.log = folder / "marks"
        self.n_before = len(marks(self.log))
        given = {"journal": str(folder / "journal"), **params}
        log = str(self.log) if marked else None
        args = (case, log, str(self._out), given, dict(fault or {}))
        self.process = _context().Process(target=run, args=args)

    def __enter__(self) -> Run:
        self.process.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.join()
        self.sweep()

    def sweep(self) -> None:
        """Kill what the process has left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait_for_marks(self, n: int) -> bool:
        """Wait until there are `n` more marks than before; False if it ends first."""
        while len(marks(self.log)) < self.n_before + n:
            self.process.join(0.002)
            if self.process.exitcode is not None:
                return False
        return True

    def end(self) -> dict[str, Any] | None:
        """Wait; return the outcome, None if the search was killed."""
        self.process.join()
        if self.process.exitcode == -signal.SIGKILL:
            return None
        assert self.process.exitcode == 0, self.process.exitcode
        found: dict[str, Any] = pickle.loads(self._out.read_bytes())
        return found

    def tasks(self, ladders: Mapping[float, Sequence[int]]) -> list[Task]:
        """Return what was trained since it began, in order; without refits.

        The `ladders` say where the fits of a candidate end; of others, any rung.
        """
        new = marks(self.log)[self.n_before :]
        found = dict.fromkeys(task(*entry[:3], ladders) for entry in new if entry[1] != REFIT)
        return list(found)


def task(
    candidate: float, fold: int, epoch: int, ladders: Mapping[float, Sequence[int]]
) -> Task:
    ladder = (*ladders.get(candidate, ()), *RUNGS)
    return candidate, fold, next(rung for rung in ladder if rung >= epoch)


def ladders_of(found: Mapping[str, Any]) -> dict[float, list[int]]:
    """Return the rungs that each candidate of an outcome was brought to.

    In a bracket that begins higher up, one fit brings it past the rungs of others.
    """
    results = found["results"]
    ladders: dict[float, list[int]] = {}
    for params, rung in zip(results["params"], results.get("n_resources", ()), strict=False):
        candidate = next(params[name] for name in ("alpha", "lr", "x") if name in params)
        ladders.setdefault(candidate, []).append(int(rung))
    return {candidate: sorted(rungs) for candidate, rungs in ladders.items()}


@dataclass
class Tally:
    """What came of the kills.

    Parameters
    ----------
    kills : int
        How many processes were killed.
    again : list of int
        Of each run, how many fits it began that were begun before.
    n_fits : int
        How many fits the searches needed.
    n_searches : int
        How many searches came to their end.
    """

    kills: int = 0
    again: list[int] = field(default_factory=list)
    n_fits: int = 0
    n_searches: int = 0

    @property
    def recomputed(self) -> int:
        """How many fits were begun more than once, counted each time."""
        return sum(self.again)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.kills + other.kills,
            self.again + other.again,
            self.n_fits + other.n_fits,
            self.n_searches + other.n_searches,
        )

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.n_searches} searches as undisturbed,"
            f" {self.n_fits} fits, {self.recomputed} recomputed"
        )


def same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Assert that two outcomes are equal to the last bit."""
    assert "error" not in found, found["error"]
    assert found["results"].keys() == expected["results"].keys()
    for name, column in expected["results"].items():
        np.testing.assert_array_equal(found["results"][name], column, err_msg=name)
    assert found["best"] == expected["best"]
    np.testing.assert_array_equal(found["predictions"], expected["predictions"])
    assert found["stopped_by"] is None


def undisturbed(case: str, folder: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outcome of a search without a journal, and its ``start`` in seconds."""
    folder.mkdir()
    with Run(case, folder, {**params, "journal": None}) as run:
        begin = time.monotonic()
        run.wait_for_marks(1)
        start = time.monotonic() - begin
        found = run.end()
    assert found is not None
    return {**found, "start": start}


def survive(
    case: str,
    folder: Path,
    n_kills: int,
    *,
    seed: int = 0,
    kinds: tuple[str, ...] = ("time", "line", "write"),
    workers: int | None = None,
    in_flight: int | None = 1,
    **params: Any,
) -> Tally:
    """Kill a search at random instants and resume it; assert that it ends as undisturbed.

    If it ends before it was killed often enough, another one begins.

    Parameters
    ----------
    case : str
        One of `cases.CASES`.
    folder : Path
        Empty; for files.
    n_kills : int
        How often.
    seed : int, default=0
        Of the instants.
    kinds : tuple of {"time", "line", "write"}
        At an instant that depends on the clock; between two lines of the modules that keep
        the books; within a write to the journal.
    workers : int or None, default=None
        Forked worker processes. Every other kill takes the driver only, and leaves them
        to what they do.
    in_flight : int or None, default=1
        How many fits can be out at once: of workers, also those that are queued, for the
        next one goes out before the driver has noted the last. None for any number.
    **params : dict
        Of the search.
    """
    fixed = {} if workers is None else {"workers": workers}
    expected = undisturbed(case, folder / "undisturbed", params)
    tally, rng, ladders = Tally(), random.Random(seed), ladders_of(expected)
    while tally.kills < n_kills:
        home = folder / f"search{tally.n_searches}"
        home.mkdir()
        begun: set[Task] = set()
        out: set[Task] = set()  # those that may have been in flight at a kill
        found, left = None, None
        while found is None:
            kind = rng.choice(kinds) if tally.kills < n_kills else "none"
            run = Run(case, home, params, fixed | _fault(kind, rng))
            run.process.start()
            try:
                if kind == "time":
                    _kill_at_some_time(run, rng, expected)
                found = run.end()
            finally:
                for each in (left, run if workers is None or tally.kills % 2 else None):
                    if each is not None:
                        each.sweep()
            left = run
            tasks = run.tasks(ladders)
            again = begun.intersection(tasks)
            tally.again.append(len(again))
            begun.update(tasks)
            tally.kills += found is None
            if in_flight is not None and not (len(again) <= in_flight and again <= out):
                run.sweep()
                raise AssertionError(f"{again} were begun again, {out} were in flight")
            out.update(tasks[-(in_flight or 0) :])
        run.sweep()
        same(found, expected)
        assert sorted(path.name for path in home.iterdir()) == ["journal", "marks", "outcome"]
        tally.n_fits += len(begun)
        tally.n_searches += 1
    return tally


def _fault(kind: str, rng: random.Random) -> dict[str, Any]:
    """Return by which fault a process kills itself, if it does."""
    if kind == "line":
        return {"kill": (rng.randrange(6), kind, rng.randrange(300))}
    if kind == "write":
        return {"kill": (rng.randrange(6), kind, rng.random())}
    return {}


def _kill_at_some_time(run: Run, rng: random.Random, expected: Mapping[str, Any]) -> None:
    """Kill after some fits and a delay, of the order of a fit or of the start."""
    n = rng.randrange(5)
    delay = rng.uniform(0, 1.5) * expected["seconds" if n else "start"]
    if run.wait_for_marks(n):
        run.process.join(delay)
        run.process.kill()
