from __future__ import annotations

import numpy as np
import pytest

from sk_hpo.surrogates.lattice import Dependency, Lattice
from sk_hpo.surrogates.maximize import Budget, maximize

NOTHING = np.empty((0, 4))


class Bowl:
    """Minus the squared distance to a peak; a parameter that does not exist costs 0.01."""

    def __init__(self, peak: list[float]) -> None:
        self.peak = np.array(peak)
        self.seen: list[np.ndarray] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.seen.append(x)
        return -np.where(np.isnan(x), 0.01, (x - self.peak) ** 2).sum(axis=1)

    def with_slopes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self(x), np.where(np.isnan(x), 0.0, -2 * (x - self.peak))


def continuous(d: int) -> Lattice:
    return Lattice((None,) * d, np.zeros(d, dtype=bool))


def mixed() -> Lattice:
    """Two categories, of which the second has column 2; 20 levels; a real."""
    return Lattice(
        levels=(np.array([0.25, 0.75]), np.linspace(0, 1, 20), np.array([0.2, 0.5, 0.8]), None),
        categorical=np.array([True, False, False, False]),
        dependencies=(Dependency(2, 0, np.array([0.75])),),
    )


def everything(row: np.ndarray) -> bool:
    return True


@pytest.mark.parametrize("seed", range(5))
def test_climbs_to_the_peak(seed: int) -> None:
    peak = [0.123, 0.456, 0.789, 1.0]
    rng = np.random.default_rng(seed)
    x = maximize(Bowl(peak), continuous(4), NOTHING, everything, rng)
    np.testing.assert_allclose(x, peak, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_best_row_of_a_mixed_lattice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objective = Bowl([0.75, 7 / 19, 0.5, 0.31])
    x = maximize(objective, mixed(), NOTHING, everything, rng, Budget(sweep=8, rounds=4))
    np.testing.assert_allclose(x, [0.75, 7 / 19, 0.5, 0.31], atol=1e-3)
    assert x[1] in np.linspace(0, 1, 20)


def test_a_parameter_may_cease_to_exist() -> None:
    rng = np.random.default_rng(0)
    x = maximize(Bowl([0.3, 0.0, 5.0, 0.5]), mixed(), NOTHING, everything, rng)
    np.testing.assert_allclose(x, [0.25, 0.0, np.nan, 0.5], atol=1e-3)


def test_the_cloud_looks_around_the_anchors() -> None:
    class Needle(Bowl):
        def __call__(self, x: np.ndarray) -> np.ndarray:
            return np.maximum(super().__call__(x), -0.002)

        def with_slopes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self(x), np.zeros_like(x)

    peak = [0.111, 0.888, 0.222, 0.777]
    near = np.array([peak]) + 0.02
    budget = Budget(sweep=16)
    alone = maximize(
        Needle(peak), continuous(4), NOTHING, everything, np.random.default_rng(0), budget
    )
    helped = maximize(
        Needle(peak), continuous(4), near, everything, np.random.default_rng(0), budget
    )
    assert np.abs(alone - peak).max() > 0.1
    assert np.abs(helped - peak).max() < 0.05


def test_only_allowed_rows_of_the_lattice_are_returned() -> None:
    lattice = mixed()

    def allowed(row: np.ndarray) -> bool:
        np.testing.assert_array_equal(lattice.snap(np.nan_to_num(row[None], nan=0.5))[0], row)
        return row[1] > 0.6 and row[0] == 0.25

    x = maximize(
        Bowl([0.75, 0.1, 0.5, 0.5]), lattice, NOTHING, allowed, np.random.default_rng(0)
    )
    np.testing.assert_allclose(x[:3], [0.25, 12 / 19, np.nan])


def test_gives_up_after_some_checks() -> None:
    asked = []

    def never(row: np.ndarray) -> bool:
        asked.append(row)
        return False

    budget = Budget(checks=10)
    rng = np.random.default_rng(0)
    assert maximize(Bowl([0.5] * 4), continuous(4), NOTHING, never, rng, budget) is None
    assert len(asked) == 10


def test_absent_anchors_are_filled_in() -> None:
    anchors = np.array([[0.25, 0.0, np.nan, 0.5]])
    objective = Bowl([0.75, 0.0, 0.5, 0.5])
    x = maximize(objective, mixed(), anchors, everything, np.random.default_rng(0))
    np.testing.assert_allclose(x, [0.75, 0.0, 0.5, 0.5], atol=1e-3)
    tried = np.concatenate(objective.seen)
    assert np.all(np.isnan(tried[:, 2]) == (tried[:, 0] == 0.25))
