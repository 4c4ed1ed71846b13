"""Running searches, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch

from clock.cpu import CpuMeter
from clock.events import incumbents
from clock.judging import Judge
from clock.methods import METHODS
from clock.problem import load
from clock.results import Key, Result, append, read

__all__ = ["run_all", "run_one"]


def run_all(keys: Iterable[Key], data: Path | None, path: Path) -> None:
    """Run what is not in the file yet, and append it.

    Parameters
    ----------
    keys : iterable of Key
        What to run, in this order.
    data : Path or None
        See `clock.problem.load`.
    path : Path
        The file.
    """
    done = set(read([path]))
    for key in keys:
        if key in done:
            continue
        command = [sys.executable, "-m", "clock.run", json.dumps(key), str(path.resolve())]
        command += [str(data.resolve())] if data else []
        folder = str(Path(__file__).parents[1])
        inherited = os.environ.get("PYTHONPATH")
        paths = os.pathsep.join([folder, inherited] if inherited else [folder])
        if subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}).returncode:
            print(f"failed: {key}", flush=True)


def _run_and_append(key: Key, data: Path | None, path: Path) -> None:
    result = run_one(key, data)
    append(path, result)
    last = result.incumbents[-1]
    print(
        f"{key.method:24} {key.rows} rows, {key.jobs} jobs, seed {key.seed}:"
        f" {result.wall:7.1f} s ({result.cpu:.1f} of CPU), {result.epochs:.0f} epochs,"
        f" CV {last.cv:.4f}, test {last.test:.4f}",
        flush=True,
    )


def run_one(key: Key, data: Path | None) -> Result:
    """Run a search under the clock, and judge its incumbents afterwards."""
    torch.set_num_threads(1)
    torch.manual_seed(key.seed)
    problem = load(data, key.rows, key.max_epochs)
    module, search = METHODS[key.method].load()
    getattr(module, "set_up", lambda jobs: None)(key.jobs)
    problem.net(max_epochs=1).fit(problem.X[:64], problem.y[:64])  # torch imports more
    with tempfile.TemporaryDirectory(prefix="clock-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with CpuMeter() as cpu:
            start = time.perf_counter()
            found = search(problem, key.seed, key.jobs, Path(folder))
            wall = time.perf_counter() - start
    getattr(module, "tear_down", lambda jobs: None)(key.jobs)
    judged = Judge(problem).judge(incumbents(found.events))
    return Result(key, wall, cpu.seconds, found.epochs, judged)


if __name__ == "__main__":
    name, to, *where = sys.argv[1:]
    _run_and_append(Key(*json.loads(name)), Path(where[0]) if where else None, Path(to))
