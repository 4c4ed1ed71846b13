"""Ray Tune's ASHA; the folds of a candidate are trained side by side within its trial.

The clock starts when Ray is up, but before its workers have imported torch. As many trials
run at once as there are jobs, and workers are used again.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # which is not silent

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from sklearn.model_selection import StratifiedKFold

from clock.events import FoldLog, Found
from clock.problem import FOLDS, SPACE, Parameter, Problem

__all__ = ["search", "set_up", "tear_down"]


def set_up(jobs: int) -> None:
    """Start Ray on this machine alone."""
    folder = Path(__file__).parents[2]
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    ray.init(
        num_cpus=jobs,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )


def tear_down(jobs: int) -> None:
    ray.shutdown()


def search(problem: Problem, seed: int, jobs: int, folder: Path) -> Found:
    """ASHA over random candidates, from one epoch to all."""
    log = FoldLog(folder / "folds.jsonl")
    trainable = tune.with_resources(
        tune.with_parameters(train, problem=problem, log=log), {"cpu": 1}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tune.run(
            trainable,
            config={name: _distribution(parameter) for name, parameter in SPACE.items()},
            num_samples=problem.n_candidates,
            metric="score",
            mode="max",
            scheduler=ASHAScheduler(
                max_t=problem.max_epochs, grace_period=1, reduction_factor=3
            ),
            search_alg=tune.search.BasicVariantGenerator(random_state=seed),
            reuse_actors=True,
            storage_path=str(folder / "ray"),
            verbose=0,
        )
    return Found(log.events(), log.epochs_in_steps())


def train(config: dict[str, Any], problem: Problem, log: FoldLog) -> None:
    """Train the folds of a candidate by an epoch, report their mean, and again."""
    import torch

    torch.set_num_threads(1)
    X, y = problem.X, problem.y
    folds = [
        (problem.net(max_epochs=1, **config), rows, held_out)
        for rows, held_out in StratifiedKFold(FOLDS).split(X, y)
    ]
    for _ in range(problem.max_epochs):
        scores = []
        for net, rows, held_out in folds:
            net.partial_fit(X[rows], y[rows])
            scores.append(log(net, X[held_out], y[held_out]))
        tune.report({"score": sum(scores) / FOLDS})


def _distribution(p: Parameter) -> Any:
    if p.kind == "choice":
        return tune.choice(list(p.choices))
    if p.kind == "logint":
        return tune.lograndint(int(p.low), int(p.high) + 1)
    return (tune.loguniform if p.kind == "log" else tune.uniform)(p.low, p.high)
