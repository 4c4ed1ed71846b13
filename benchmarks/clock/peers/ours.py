"""sk_hpo's searches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterSampler

import sk_hpo
from clock.events import Event, Found
from clock.peers.with_sklearn import distributions
from clock.peers.workers import tear_down
from clock.problem import FOLDS, Problem, plain
from sk_hpo import RandomSearchCV

__all__ = ["search", "set_up", "tear_down"]


def set_up(jobs: int) -> None:
    """Start the workers with a search, since `joblib.Parallel` would start others."""
    if jobs > 1:
        X, y = np.random.default_rng(0).random((60, 784), np.float32), np.arange(60) % 10
        RandomSearchCV(
            Problem(X, y, X, y, max_epochs=1).net(),
            distributions(),
            n_iter=4 * jobs,
            cv=FOLDS,
            n_jobs=jobs,
            random_state=0,
        ).fit(X, y)


def search(
    problem: Problem,
    seed: int,
    jobs: int,
    folder: Path,
    cls: str,
    paired: bool = False,
    **params: Any,
) -> Found:
    """Run a search with rungs, as a user would.

    Parameters
    ----------
    problem, seed, jobs, folder
        As for all methods.
    cls : str
        Its name.
    paired : bool, default=False
        Whether candidates are those that scikit-learn's random search draws, so that
        their luck is the same.
    **params : dict
        For its constructor.
    """
    events: list[Event] = []
    if paired:
        drawn = ParameterSampler(distributions(), problem.n_candidates, random_state=seed)
        params["points_to_evaluate"] = list(drawn)
    made = heard(getattr(sk_hpo, cls), events)(
        problem.net(),
        distributions(),
        cv=FOLDS,
        refit=False,
        n_jobs=jobs,
        random_state=seed,
        **params,
    )
    made.fit(problem.X, problem.y)
    return Found(events, made.resource_spent_)


def heard(cls: Any, events: list[Event]) -> Any:
    """Return a search whose scheduler writes down when it was told what.

    Its constructor is that of `cls`, so that scikit-learn finds the parameters.
    """
    start = time.perf_counter()

    def make(self: Any, sampler: Any, problem: Any) -> Any:
        scheduler = cls._scheduler(self, sampler, problem)
        tell = scheduler.tell

        def told(job: Any, outcome: Any) -> Any:
            if len(outcome.scores) == FOLDS and np.isfinite(outcome.scores).all():
                params = problem.space.params(job.config)
                values = {name: plain(value) for name, value in params.items()}
                seconds = time.perf_counter() - start
                events.append(Event(seconds, values, job.stop, outcome.score))
            return tell(job, outcome)

        scheduler.tell = told
        return scheduler

    return type(cls.__name__, (cls,), {"_scheduler": make, "__init__": cls.__init__})
