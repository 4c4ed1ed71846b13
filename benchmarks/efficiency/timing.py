"""Optimisers in turn, in one process on one task: what a suggestion costs side by side."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from efficiency import tasks
from efficiency.optimizers import make
from efficiency.report import TIMED_AT, Milliseconds, milliseconds
from efficiency.run import Stepper

__all__ = ["Timing", "time_in_turn"]

# Suggestions before n that count for "at n" too.
_WINDOW = 8


@dataclass(frozen=True)
class Timing:
    """What suggestions cost.

    Parameters
    ----------
    milliseconds : dict
        Observations told -> optimiser -> times of the last few suggestions.
    ratios : dict
        Observations told -> optimiser -> its median divided by that of the reference.
    """

    milliseconds: dict[int, dict[str, Milliseconds]]
    ratios: dict[int, dict[str, float]]


def time_in_turn(
    optimizers: Sequence[str],
    task_name: str,
    seeds: Sequence[int],
    budget: int,
    reference: str,
    deadline: float,
) -> Timing:
    """Return the cost of suggestions, each optimiser with its own history.

    Before each evaluation the optimisers are asked one after the other, so that whatever
    else the machine does falls on all alike.

    Parameters
    ----------
    deadline : float
        Seconds after which it stops, with what there is.
    """
    end = time.monotonic() + deadline
    seconds: dict[str, list[list[float]]] = {name: [] for name in optimizers}
    task = tasks.get(task_name)
    for seed in seeds:
        steppers = {
            name: Stepper(make(name, task, seed, budget), task, seed) for name in optimizers
        }
        for name in optimizers:
            seconds[name].append([])
        for _ in range(budget):
            for name, stepper in steppers.items():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    seconds[name][-1] += [e.ask + e.tell for e in stepper.step(1)]
            if time.monotonic() > end:
                break
    return _summary(seconds, reference)


def _summary(seconds: dict[str, list[list[float]]], reference: str) -> Timing:
    times: dict[int, dict[str, Milliseconds]] = {}
    for n in TIMED_AT:
        for name, runs in seconds.items():
            window = [run[n - _WINDOW : n + 1] for run in runs if len(run) >= n]
            if window:
                times.setdefault(n, {})[name] = milliseconds(np.concatenate(window))
    ratios = {
        n: {name: t.median / by_name[reference].median for name, t in by_name.items()}
        for n, by_name in times.items()
        if reference in by_name
    }
    return Timing(times, ratios)
