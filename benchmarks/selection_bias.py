"""How much too high the best of many scores is, and what the corrections make of it.

Candidates whose true accuracy is known are right or wrong on each of 200 rows; the best on
these rows is selected. The score of that candidate and its corrections are compared with its
own true accuracy, the one that new rows would show. No model is trained: rows are
independent, and so are the folds, which those of real cross-validation are not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sk_hpo.validation.correction import CorrectedScore, bbc_cv_of_rows, tibshirani

N_ROWS, N_CANDIDATES, LEVEL = 200, 100, 0.95


@dataclass(frozen=True)
class World:
    """How candidates come by their accuracies, and how alike they are.

    `accuracies` has ``rvs``; `alike` is the share of the variance, on the normal scale, that
    is a row's difficulty for all candidates.
    """

    accuracies: stats.rv_continuous
    alike: float = 0.0

    def draw(self, rng: np.random.RandomState) -> tuple[NDArray, NDArray]:
        """Return the candidates' true accuracies, and of each row which of them are right."""
        truth = self.accuracies.rvs(N_CANDIDATES, random_state=rng)
        ease = np.sqrt(self.alike) * rng.standard_normal((N_ROWS, 1))
        luck = np.sqrt(1 - self.alike) * rng.standard_normal((N_ROWS, N_CANDIDATES))
        return truth, ease + luck < stats.norm.ppf(truth)


WORLDS = {
    "around 0.6, wide": World(stats.beta(9, 6)),
    "around 0.8": World(stats.beta(32, 8)),
    "around 0.8, alike": World(stats.beta(32, 8), alike=0.5),
    "nearly equal": World(stats.uniform(0.799, 0.002)),
}


def of_folds(right: NDArray, n_folds: int) -> CorrectedScore:
    return tibshirani(right.reshape(n_folds, -1, N_CANDIDATES).mean(axis=1).T)


METHODS: dict[str, Callable[[NDArray, int], CorrectedScore]] = {
    "bbc_cv": lambda right, seed: bbc_cv_of_rows(right, random_state=seed),
    "tibshirani, 5 folds": lambda right, seed: of_folds(right, 5),
    "tibshirani, 10 folds": lambda right, seed: of_folds(right, 10),
}


@dataclass(frozen=True)
class Found:
    """Of all repetitions: in points of accuracy, but for `coverage`.

    `naive` and `corrected` are mean errors (above zero: too high), `spread` is the standard
    deviation of the corrected one, `width` the mean width of the interval.
    """

    naive: float
    corrected: float
    spread: float
    coverage: float
    width: float


def simulate(world: World, method: str, repetitions: int, seed: int = 0) -> Found:
    rng = np.random.RandomState(seed)
    rows = []
    for repetition in range(repetitions):
        truth, right = world.draw(rng)
        score = METHODS[method](right, repetition)
        target, (low, high) = truth[score.candidate], score.interval
        rows.append(
            (score.naive - target, score.estimate - target, low <= target <= high, high - low)
        )
    naive, corrected, covered, width = np.array(rows).T
    return Found(
        100 * naive.mean(),
        100 * corrected.mean(),
        100 * corrected.std(),
        covered.mean(),
        100 * width.mean(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"{N_CANDIDATES} candidates, {N_ROWS} rows, {args.repetitions} repetitions, points")
    columns = ("best score", "corrected", "spread", f"{LEVEL:.0%} covers", "width")
    print(f"{'':41}" + "".join(f"{name:>12}" for name in columns))
    for name, world in WORLDS.items():
        for method in METHODS:
            found = simulate(world, method, args.repetitions, args.seed)
            figures = f"{found.naive:+12.2f}{found.corrected:+12.2f}{found.spread:12.2f}"
            print(f"{name:20}{method:21}{figures}{found.coverage:12.1%}{found.width:12.1f}")


if __name__ == "__main__":
    main()
