"""Means over tasks, ranks and bootstrap intervals, from regrets by task and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = [
    "Estimate",
    "Interval",
    "Regrets",
    "mean_over_tasks",
    "mean_ranks",
    "paired_difference",
    "ratio_to_better",
    "resampled_means",
]

# Task -> seed -> regret, of one optimiser.
Regrets = Mapping[str, Mapping[int, float]]

N_BOOTSTRAP = 2000
N_BOOTSTRAP_RANKS = 300
LEVEL = (2.5, 97.5)
_TIE = 1e-10


class Estimate(NamedTuple):
    """A value and its standard error, NaN where that cannot be known."""

    value: float
    error: float


class Interval(NamedTuple):
    """A value and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def mean_over_tasks(regrets: Regrets) -> Estimate:
    """Return the mean over tasks of the mean over seeds.

    The standard error is that of other seeds on the same tasks.
    """
    values = [np.array(list(by_seed.values())) for by_seed in regrets.values()]
    mean = float(np.mean([v.mean() for v in values]))
    if any(len(v) < 2 for v in values):
        return Estimate(mean, math.nan)
    variance = sum(v.var(ddof=1) / len(v) for v in values)
    return Estimate(mean, float(math.sqrt(variance) / len(values)))


def mean_ranks(
    regrets: Mapping[str, Regrets], tasks: Sequence[str], seed: int = 0
) -> dict[str, Estimate]:
    """Return the mean rank of each optimiser over tasks; 1 is the best.

    The rank on a task is one plus, summed over the others, the probability that a random
    run of the other beats a random run of this one, ties counting one half. So optimisers
    need not have the same number of seeds. Standard errors are over tasks and seeds.
    """
    names = list(regrets)
    wins = [_wins([list(regrets[name][task].values()) for name in names]) for task in tasks]

    def ranks(task: int, picks: Sequence[np.ndarray] | None) -> np.ndarray:
        return np.array(
            [
                1 + sum(_mean_of(w, picks, j, i) for j, w in enumerate(row) if j != i)
                for i, row in enumerate(wins[task])
            ]
        )

    rng = np.random.default_rng(seed)
    resampled = np.empty((N_BOOTSTRAP_RANKS, len(names)))
    for draw in range(N_BOOTSTRAP_RANKS):
        chosen = rng.integers(len(tasks), size=len(tasks))
        resampled[draw] = np.mean(
            [ranks(task, _picks(rng, wins[task])) for task in chosen], axis=0
        )
    means = np.mean([ranks(task, None) for task in range(len(tasks))], axis=0)
    return {
        name: Estimate(float(mean), float(error))
        for name, mean, error in zip(names, means, resampled.std(0), strict=True)
    }


def _wins(regrets: Sequence[Sequence[float]]) -> list[list[np.ndarray]]:
    """Return ``[i][j][b, a]``: how far run b of j beats run a of i, 0, 1/2 or 1."""
    runs = [np.array(r) for r in regrets]
    return [
        [(b[:, None] < a - _TIE) + 0.5 * (np.abs(b[:, None] - a) <= _TIE) for b in runs]
        for a in runs
    ]


def _picks(rng: np.random.Generator, wins: list[list[np.ndarray]]) -> list[np.ndarray]:
    counts = [wins[i][i].shape[0] for i in range(len(wins))]
    return [rng.integers(n, size=n) for n in counts]


def _mean_of(wins: np.ndarray, picks: Sequence[np.ndarray] | None, j: int, i: int) -> float:
    return float((wins if picks is None else wins[np.ix_(picks[j], picks[i])]).mean())


def paired_difference(
    regrets: Regrets, reference: Regrets, over_tasks: bool, seed: int = 0
) -> tuple[Interval, int]:
    """Return the mean difference to a reference on equal tasks and seeds.

    Parameters
    ----------
    regrets, reference : Regrets
        Of two optimisers. Pairs that only one of them has are left out.
    over_tasks : bool
        Whether the interval is that of other tasks of the same kinds, or of other seeds on
        these tasks.

    Returns
    -------
    difference : Interval
        Mean over tasks; negative where the first is better. NaN without pairs.
    n_pairs : int
    """
    pairs = [
        np.array([by_seed[s] - reference[task][s] for s in by_seed if s in reference[task]])
        for task, by_seed in regrets.items()
        if task in reference
    ]
    pairs = [differences for differences in pairs if len(differences)]
    if not pairs:
        return Interval(math.nan, math.nan, math.nan), 0
    rng = np.random.default_rng(seed)
    means = (_resampled_tasks if over_tasks else resampled_means)(pairs, rng)
    value = float(np.mean([differences.mean() for differences in pairs]))
    return Interval(value, *_percentiles(means)), sum(map(len, pairs))


def ratio_to_better(regrets: Regrets, others: Sequence[Regrets], seed: int = 0) -> Interval:
    """Return the mean regret divided by the lowest mean regret of the others.

    The interval is of other seeds on the same tasks; each draw finds the lowest anew.
    """
    rng = np.random.default_rng(seed)

    def over_draws(one: Regrets) -> np.ndarray:
        return resampled_means([np.array(list(v.values())) for v in one.values()], rng)

    lowest = min(mean_over_tasks(other).value for other in others)
    resampled = over_draws(regrets) / np.min([over_draws(other) for other in others], axis=0)
    return Interval(mean_over_tasks(regrets).value / lowest, *_percentiles(resampled))


def resampled_means(values: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return bootstrap draws of the mean over tasks: tasks fixed, seeds drawn anew."""
    return np.mean([_resampled_mean(v, N_BOOTSTRAP, rng) for v in values], axis=0)


def _resampled_tasks(values: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    total = np.zeros(N_BOOTSTRAP)
    for _ in values:
        chosen = rng.integers(len(values), size=N_BOOTSTRAP)
        for task, v in enumerate(values):
            here = chosen == task
            total[here] += _resampled_mean(v, int(here.sum()), rng)
    return total / len(values)


def _resampled_mean(values: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return values[rng.integers(len(values), size=(n, len(values)))].mean(1)


def _percentiles(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, LEVEL)
    return float(low), float(high)
