"""Running optimisers on tasks, one process, one after the other."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from efficiency import results, tasks
from efficiency.optimizers import make
from efficiency.peers.base import Optimizer
from efficiency.results import Evaluation, Key
from efficiency.task import Task

__all__ = ["Stepper", "run_all", "run_one"]


class Stepper:
    """An optimiser at work on a task.

    Parameters
    ----------
    optimizer : Optimizer
        Told nothing yet.
    task : Task
        Its task.
    seed : int
        The noise of observations derives from it.
    """

    def __init__(self, optimizer: Optimizer, task: Task, seed: int) -> None:
        self._optimizer = optimizer
        self._task = task
        self._rng = np.random.default_rng([seed, 77])

    def step(self, n: int) -> list[Evaluation]:
        """Ask for `n` configs, evaluate and tell them; empty if there are no more."""
        start = time.perf_counter()
        configs = self._optimizer.ask(n)
        asked = time.perf_counter() - start
        observations = [self._task.measure(config, self._rng) for config in configs]
        start = time.perf_counter()
        self._optimizer.tell(configs, observations)
        told = time.perf_counter() - start
        return [
            Evaluation(o.value, self._task.true(config), asked / n, told / n)
            for config, o in zip(configs, observations, strict=True)
        ]


def run_one(key: Key, budget: int) -> list[Evaluation]:
    """Return the evaluations of one run."""
    task = tasks.get(key.task)
    stepper = Stepper(make(key.optimizer, task, key.seed, budget), task, key.seed)
    evaluations: list[Evaluation] = []
    while len(evaluations) < budget and (step := stepper.step(key.batch)):
        evaluations += step
    return evaluations[:budget]


def run_all(
    optimizers: Sequence[str],
    task_names: Sequence[str],
    seeds: Iterable[int],
    budget: int,
    batch: int,
    path: Path,
    deadline: float,
) -> None:
    """Run what is not in the file yet, seed by seed, and append it.

    A run that raises is reported, in ``<path>.fail`` with its traceback, and left out.

    Parameters
    ----------
    deadline : float
        Seconds after which no run is begun.
    """
    end = time.monotonic() + deadline
    done = results.finished(path, budget)
    keys = [Key(o, t, seed, batch) for seed in seeds for t in task_names for o in optimizers]
    for key in keys:
        if key in done:
            continue
        if time.monotonic() > end:
            print("the deadline has passed", flush=True)
            return
        _run_and_append(key, budget, path)


def _run_and_append(key: Key, budget: int, path: Path) -> None:
    start = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluations = run_one(key, budget)
    except Exception as error:
        print(f"failed: {key.optimizer} on {key.task}, seed {key.seed}: {error!r}"[:300])
        with Path(f"{path}.fail").open("a") as file:
            file.write(f"{key}\n{traceback.format_exc()}\n")
        return
    task = tasks.get(key.task)
    results.append(path, key, task.suite, evaluations)
    best = min(evaluations, key=lambda e: e.observed)
    print(
        f"{key.optimizer:12} {key.task:34} seed {key.seed:<4}"
        f" regret {100 * task.regret(best.true):7.2f} %  {time.monotonic() - start:6.1f} s",
        flush=True,
    )
