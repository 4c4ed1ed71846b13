"""Optimisers by name: sk_hpo's, and those of other packages where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from efficiency.peers.base import Optimizer, Random, Sobol
from efficiency.task import Task

__all__ = ["OPTIMIZERS", "Entry", "make", "missing"]


@dataclass(frozen=True)
class Entry:
    """How to make an optimiser.

    Parameters
    ----------
    make : callable
        ``make(task, seed, budget) -> Optimizer``.
    needs : str, optional
        Module without which it cannot be made.
    """

    make: Callable[[Task, int, int], Optimizer]
    needs: str | None = None


def _ours(module: str, sampler: str, task: Task, seed: int, budget: int) -> Optimizer:
    make_sampler = getattr(import_module(f"sk_hpo.samplers.{module}"), sampler)
    ours = import_module("efficiency.peers.ours")
    return ours.Ours(make_sampler(), task, seed, budget)


def _peer(module: str, name: str, task: Task, seed: int, budget: int) -> Optimizer:
    return getattr(import_module(f"efficiency.peers.{module}"), name)(task, seed, budget)


OPTIMIZERS = {
    "sk_hpo-gp": Entry(partial(_ours, "gp", "GPSampler"), "sk_hpo.samplers.gp"),
    "sk_hpo-tpe": Entry(partial(_ours, "tpe", "TPESampler"), "sk_hpo.samplers.tpe"),
    "random": Entry(Random),
    "sobol": Entry(Sobol),
    "optuna-tpe": Entry(partial(_peer, "with_optuna", "OptunaTPE"), "optuna"),
    "optuna-gp": Entry(partial(_peer, "with_optuna", "OptunaGP"), "optuna"),
    "skopt-gp": Entry(partial(_peer, "with_skopt", "Skopt"), "skopt"),
    "botorch": Entry(partial(_peer, "with_botorch", "BoTorch"), "botorch"),
    "smac": Entry(partial(_peer, "with_smac", "Smac"), "smac"),
    "hyperopt": Entry(partial(_peer, "with_hyperopt", "Hyperopt"), "hyperopt"),
}


def make(name: str, task: Task, seed: int, budget: int) -> Optimizer:
    """Return an optimiser for one run."""
    return OPTIMIZERS[name].make(task, seed, budget)


def missing(name: str) -> str | None:
    """Return the module that an optimiser lacks, None if it can be made.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"{name!r} is no optimiser; there are: {', '.join(OPTIMIZERS)}")
    needs = OPTIMIZERS[name].needs
    return needs if needs and not _is_installed(needs) else None


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that would hold it
        return False
