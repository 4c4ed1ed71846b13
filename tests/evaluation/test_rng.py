# ruff: noqa: NPY002
from __future__ import annotations

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from sk_hpo.evaluation.rng import get_state, seeded, set_state


def draw() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(1).item()


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_seeds_are_those_that_a_user_would_write():
    with seeded(7):
        drawn = draw()
    before = get_state()
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    expected = draw()
    set_state(before)
    assert drawn == expected


def test_every_generator_depends_on_the_seed():
    with seeded(0):
        zero = draw()
    with seeded(1):
        one = draw()
    assert all(a != b for a, b in zip(zero, one, strict=True))


@pytest.mark.parametrize("seed", [2**32 + 5, 2**63 + 5, 2**64 - 1])
def test_large_seeds(seed):
    with seeded(seed):
        first = draw()
    with seeded(seed):
        assert draw() == first


def test_the_caller_draws_on_undisturbed():
    with seeded(3):
        draw()
        expected = draw()
    with seeded(3):
        draw()
        with seeded(4):
            draw()
        assert draw() == expected


def test_the_caller_is_undisturbed_by_an_error():
    before = get_state()
    with pytest.raises(ZeroDivisionError), seeded(4):
        _ = np.random.rand() + torch.rand(1).item() + random.random() / 0
    np.testing.assert_equal(get_state(), before)


def test_gaussian_leftovers_are_part_of_the_state():
    with seeded(0):
        random.gauss(), np.random.randn(), torch.randn(1)
        state = pickle.loads(pickle.dumps(get_state()))
        expected = random.gauss(), np.random.randn(), torch.randn(1)
        draw()
        set_state(state)
        assert (random.gauss(), np.random.randn(), torch.randn(1)) == expected


def test_a_state_is_not_changed_by_drawing_on_from_it():
    with seeded(0):
        state = get_state()
        first = draw()
        set_state(state)
        assert draw() == first
        set_state(state)
        assert draw() == first


def test_a_state_travels():
    with seeded(5):
        draw()
        state = get_state()
        expected = draw()
    code = f"""
import pickle, random, sys, numpy as np, torch
from sk_hpo.evaluation.rng import set_state
set_state(pickle.loads({pickle.dumps(state)!r}))
print((random.random(), np.random.rand(), torch.rand(1).item()))
"""
    assert run(code).strip() == str(expected)


def test_torch_is_not_imported():
    with seeded(5):
        state = pickle.dumps(get_state())
    code = f"""
import pickle, random, sys
from sk_hpo.evaluation import interrupt
from sk_hpo.evaluation.rng import get_state, seeded, set_state
with seeded(5):
    assert "torch" not in get_state()
    drawn = random.random()
set_state(pickle.loads({state!r}))
assert random.random() == drawn
print("torch" in sys.modules)
"""
    assert run(code).strip() == "False"


class FakeCuda:
    """Two devices whose generators are tensors of one number."""

    def __init__(self):
        self.states = [
            torch.tensor([1], dtype=torch.uint8),
            torch.tensor([2], dtype=torch.uint8),
        ]

    def is_initialized(self):
        return True

    def device_count(self):
        return len(self.states)

    def get_rng_state_all(self):
        return [state.clone() for state in self.states]

    def set_rng_state(self, state, device):
        self.states[device] = state


def test_states_of_cuda_devices(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setattr(torch, "cuda", cuda)
    state = get_state()
    cuda.states = [torch.zeros(1, dtype=torch.uint8)] * 2
    set_state(state)
    assert [s.item() for s in cuda.states] == [1, 2]
    cuda.states = [torch.zeros(1, dtype=torch.uint8)]  # a machine with one device
    set_state(state)
    assert [s.item() for s in cuda.states] == [1]
