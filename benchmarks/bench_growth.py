"""What a suggestion costs as the history grows: the samplers "gp" and "tpe", one at a time.

A history of n quasi-random configs with a smooth score, in 8 real dimensions and in a mixed
space of 9, one of which is conditional. A new sampler is asked once (as after a restart),
then several times, each answer told before the next: milliseconds of the first, median and
maximum of the others, and the target for the median. Larger histories are left out where
the median is beyond 400 ms already.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import astuple, dataclass
from statistics import median

import numpy as np
from scipy.stats import loguniform, randint, uniform

from sk_hpo import Space, lograndint, when
from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.search.samplers import SAMPLERS, make_sampler
from sk_hpo.trial import Config, Outcome, Trial

SIZES = (64, 256, 1000, 5000)
# Sampler -> observations -> milliseconds at the median.
TARGETS = {
    "gp": {64: 12.0, 256: 40.0, 1000: 150.0, 5000: 500.0},
    "tpe": {64: 3.0, 1000: 15.0},
}
TOO_SLOW = 400.0  # milliseconds at the median

SPACES = {
    "8 real": Space({f"x{i}": uniform(0, 1) for i in range(8)}),
    "9 mixed": Space(
        {
            "lr": loguniform(1e-5, 1e-1),
            "dropout": uniform(0, 0.7),
            "decay": loguniform(1e-8, 1e-2),
            "units": lograndint(16, 513),
            "layers": randint(1, 6),
            "batch": [16, 32, 64, 128, 256],
            "activation": ["relu", "tanh", "gelu"],
            "solver": ["adam", "sgd", "lbfgs", "rmsprop"],
            "momentum": when(uniform(0, 1), solver="sgd"),
        }
    ),
}


@dataclass(frozen=True)
class Cost:
    """Milliseconds: of the first suggestion, median and maximum of the later ones."""

    first: float
    median: float
    maximum: float


def score(space: Space, config: Config) -> float:
    """Return a smooth function of the config's place in the unit cube, to be maximised."""
    u = np.nan_to_num(space.to_cube(config), nan=0.5)
    centre = np.linspace(0.2, 0.7, len(u))
    weight = np.linspace(1.0, 0.2, len(u))
    return float(-np.sum(weight * (u - centre) ** 2) + 0.1 * np.sin(9 * u[0]) * u[1])


def history(space: Space, n: int) -> list[Trial]:
    configs = SobolSampler().bind(space, seed=0).suggest([], n)
    return [told(space, i, config) for i, config in enumerate(configs)]


def told(space: Space, i: int, config: Config) -> Trial:
    return Trial(i, config).told(1, Outcome(score(space, config)))


def cost(sampler: Sampler, space: Space, trials: list[Trial], asks: int) -> Cost:
    bound = sampler.bind(space, seed=0)
    milliseconds = []
    for _ in range(asks + 1):
        start = time.perf_counter()
        [config] = bound.suggest(trials)
        milliseconds.append(1000 * (time.perf_counter() - start))
        trials = [*trials, told(space, len(trials), config)]
    first, *later = milliseconds
    return Cost(first, median(later), max(later))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asks", type=int, default=9)
    asks = parser.parse_args().asks
    print(row("ms per suggestion", "space", "n", "first", "median", "max", "target"))
    for name in TARGETS:
        if name not in SAMPLERS:
            print(f"{name}: there is no such sampler")
            continue
        for space_name, space in SPACES.items():
            for n in SIZES:
                found = cost(make_sampler(name), space, history(space, n), asks)
                times = (f"{ms:.1f}" for ms in astuple(found))
                target = TARGETS[name].get(n)
                print(row(name, space_name, n, *times, verdict(found, target)))
                if found.median > TOO_SLOW and n < SIZES[-1]:
                    print(f"{'':19}larger n left out")
                    break


def row(name: str, space: str, n: object, *figures: str) -> str:
    return f"{name:19}{space:9}{n:>6}" + "".join(f"{figure:>12}" for figure in figures)


def verdict(found: Cost, target: float | None) -> str:
    if target is None:
        return "-"
    return f"{target:g} {'met' if found.median <= target else 'MISSED'}"


if __name__ == "__main__":
    main()
