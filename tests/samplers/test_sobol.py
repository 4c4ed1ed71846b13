from __future__ import annotations

import numpy as np
import pytest
from contracts.sampler import SamplerContract, configs_of, search
from scipy.stats import loguniform, norm, qmc, uniform

from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.trial import Trial


class TestContract(SamplerContract):
    def make(self) -> SobolSampler:
        return SobolSampler()


def test_uses_no_history():
    assert SobolSampler.uses_history is False


@pytest.mark.parametrize("n", [8, 64, 256])
def test_points_are_scipys(n):
    space = Space({"x": loguniform(1e-3, 1e3), "y": norm(1, 2), "z": uniform(0, 1)})
    configs = configs_of(search(SobolSampler().bind(space, 5), n))
    expected = qmc.Sobol(3, rng=5).random(n)
    np.testing.assert_allclose([space.to_cube(c) for c in configs], expected, atol=2e-9)


def test_every_interval_is_hit_once():
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1)})
    points = np.array(SobolSampler().bind(space, 0).suggest([], 128))
    for j in range(2):
        assert sorted((points[:, j] * 128).astype(int)) == list(range(128))


def test_trial_depends_on_seed_and_id_alone():
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1)})
    at_once = SobolSampler().bind(space, 3).suggest([], 20)
    foreign = [Trial(i, (0.25, 0.5)) for i in range(7)]
    assert SobolSampler().bind(space, 3).suggest(foreign, 13) == at_once[7:]
    assert SobolSampler().bind(space, 4).suggest([], 20) != at_once


def test_constraint_leaves_points_out():
    free = Space({"x": uniform(0, 1), "y": uniform(0, 1)})
    bound = Space({"x": uniform(0, 1), "y": uniform(0, 1)}, lambda p: p["x"] < p["y"])
    points = SobolSampler().bind(free, 0).suggest([], 100)
    below = [p for p in points if p[0] < p[1]]
    assert SobolSampler().bind(bound, 0).suggest([], len(below)) == below


def test_narrow_constraint():
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1)}, lambda p: p["x"] * 5000 < 1)
    configs = SobolSampler().bind(space, 0).suggest([], 3)
    assert len(set(configs)) == 3
    assert all(space.allows(c) for c in configs)


def test_a_branch_that_is_finite_is_not_suggested_again() -> None:
    """Of three kinds two have one config each; the third has infinitely many."""
    space = Space({"kind": ["a", "b", "c"], "x": when(uniform(0, 1), kind="c")})
    sampler = SobolSampler().bind(space, 0)
    history: list[Trial] = []
    while len(history) < 120:
        history += [
            Trial(len(history) + i, c) for i, c in enumerate(sampler.suggest(history, 3))
        ]
    assert len({trial.config for trial in history}) == 120
