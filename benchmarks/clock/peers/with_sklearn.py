"""scikit-learn's searches: every fold of every candidate is trained from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scipy.stats import loguniform, uniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV

from clock.events import FoldLog, Found
from clock.peers.workers import set_up, tear_down
from clock.problem import FOLDS, SPACE, Parameter, Problem
from sk_hpo.space.distribution import lograndint

__all__ = ["distributions", "halving", "randomized", "set_up", "tear_down"]


def randomized(problem: Problem, seed: int, jobs: int, folder: Path) -> Found:
    """RandomizedSearchCV, every candidate trained in full."""
    return _run(RandomizedSearchCV, problem, seed, jobs, folder, n_iter=problem.n_candidates)


def halving(problem: Problem, seed: int, jobs: int, folder: Path, n: str | int) -> Found:
    """HalvingRandomSearchCV from one epoch to all.

    Parameters
    ----------
    problem, seed, jobs, folder
        As for all methods.
    n : int, "exhaust" or "hyperband"
        Candidates: "exhaust" is its default, as many as leave a last one; "hyperband" as
        many as the other methods have.
    """
    rungs: dict[str, Any] = {
        "resource": "max_epochs",
        "min_resources": 1,
        "max_resources": problem.max_epochs,
        "n_candidates": problem.n_candidates if n == "hyperband" else n,
        "return_train_score": False,  # as in RandomizedSearchCV; here True is the default
    }
    return _run(HalvingRandomSearchCV, problem, seed, jobs, folder, **rungs)


def _run(search: Any, p: Problem, seed: int, jobs: int, folder: Path, **params: Any) -> Found:
    log = FoldLog(folder / "folds.jsonl")
    common = {"cv": FOLDS, "refit": False, "random_state": seed, "scoring": log}
    search(p.net(), distributions(), n_jobs=jobs, **common, **params).fit(p.X, p.y)
    return Found(log.events(), log.epochs_anew())


def distributions() -> dict[str, Any]:
    """Return the space as scipy's distributions."""
    return {name: _distribution(parameter) for name, parameter in SPACE.items()}


def _distribution(p: Parameter) -> Any:
    if p.kind == "choice":
        return list(p.choices)
    if p.kind == "logint":
        return lograndint(int(p.low), int(p.high) + 1)
    return loguniform(p.low, p.high) if p.kind == "log" else uniform(p.low, p.high - p.low)
