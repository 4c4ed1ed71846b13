"""Optuna's search for scikit-learn, with its own sampler (TPE) and pruner (the median's).

It trains the folds of a candidate by ``partial_fit``, in steps of one epoch, so that the net
has ``max_epochs=1``. That is also why it would refit its winner for one epoch only; what is
judged here is the winner at the epochs that its folds had. With several jobs it runs
candidates in threads.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna_integration import OptunaSearchCV

from clock.events import FoldLog, Found
from clock.problem import FOLDS, SPACE, Parameter, Problem

__all__ = ["search"]


def search(problem: Problem, seed: int, jobs: int, folder: Path) -> Found:
    """OptunaSearchCV with pruning."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    log = FoldLog(folder / "folds.jsonl")
    OptunaSearchCV(
        problem.net(max_epochs=1),
        {name: _distribution(parameter) for name, parameter in SPACE.items()},
        cv=FOLDS,
        enable_pruning=True,
        max_iter=problem.max_epochs,
        n_trials=problem.n_candidates,
        n_jobs=jobs,
        refit=False,
        scoring=log,
        random_state=seed,
    ).fit(problem.X, problem.y)
    return Found(log.events(), log.epochs_in_steps())


def _distribution(p: Parameter) -> BaseDistribution:
    if p.kind == "choice":
        return CategoricalDistribution(p.choices)
    if p.kind == "logint":
        return IntDistribution(int(p.low), int(p.high), log=True)
    return FloatDistribution(p.low, p.high, log=p.kind == "log")
