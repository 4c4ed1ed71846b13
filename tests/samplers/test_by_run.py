"""Samplers on spaces that are functions."""

from __future__ import annotations

from typing import Any

import pytest
from contracts.by_run import FINITE, INFINITE, space_of
from contracts.sampler import SamplerContract, configs_of, search
from scipy.stats import loguniform, randint

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.gp import GPSampler
from sk_hpo.samplers.grid import GridSampler
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.samplers.tpe import TPESampler
from sk_hpo.space.chooser import Chooser
from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space


class _OnFunctions(SamplerContract):
    finite = FINITE
    infinite = INFINITE
    n_trials = 6


class TestGrid(_OnFunctions):
    infinite = {}  # noqa: RUF012

    def make(self) -> GridSampler:
        return GridSampler()


class TestTPE(_OnFunctions):
    infinite = {name: INFINITE[name] for name in ("definitions", "loop")}  # noqa: RUF012

    def make(self) -> TPESampler:
        return TPESampler(n_initial_points=3)


class TestGP(_OnFunctions):
    infinite = {name: INFINITE[name] for name in ("loop", "threshold")}  # noqa: RUF012
    finite = {"branch": FINITE["branch"]}  # noqa: RUF012

    def make(self) -> GPSampler:
        return GPSampler(n_initial_points=3)


def by_conditions() -> Space:
    return Space({
        "a_n": randint(1, 4),
        "b_units_0": lograndint(4, 65),
        "b_units_1": when(lograndint(4, 65), a_n=[2, 3]),
        "b_units_2": when(lograndint(4, 65), a_n=3),
        "c_solver": ["sgd", "adam"],
        "d_momentum": when([0.5, 0.75, 1.0], c_solver="sgd"),
        "e_lr": loguniform(1e-4, 1e-1),
    })  # fmt: skip


def by_run(t: Chooser) -> dict[str, Any]:
    """Ask in the order of the names, the first time for all of them."""
    n = t.int("a_n", 1, 3, default=3)
    found = {"a_n": n}
    found |= {f"b_units_{i}": t.int(f"b_units_{i}", 4, 64, log=True) for i in range(n)}
    found["c_solver"] = t.categorical("c_solver", ["sgd", "adam"])
    if found["c_solver"] == "sgd":
        found["d_momentum"] = t.float("d_momentum", 0.5, 1, step=0.25)
    return found | {"e_lr": t.float("e_lr", 1e-4, 1e-1, log=True)}


@pytest.mark.parametrize(
    "sampler",
    [RandomSampler(), SobolSampler(), TPESampler(), GPSampler(n_initial_points=4)],
    ids=lambda sampler: type(sampler).__name__,
)
def test_a_sampler_cannot_tell_a_function_from_conditions(sampler: Sampler) -> None:
    one, other = (
        search(sampler.bind(space, seed=3), 14, batch=2)
        for space in (space_of(by_run), by_conditions())
    )
    assert configs_of(one) == configs_of(other)
