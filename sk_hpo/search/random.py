"""Random, quasi-random and grid search.

Bergstra, Bengio: Random Search for Hyper-Parameter Optimization, JMLR 13 (2012).
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.grid import GridSampler
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.flat import FlatScheduler
from sk_hpo.search.base import SearchCV
from sk_hpo.search.document import documented
from sk_hpo.search.problem import Problem
from sk_hpo.search.samplers import make_sampler
from sk_hpo.space.space import Space

__all__ = ["RandomSearchCV", "n_trials"]


def n_trials(n_iter: int, space: Space) -> int:
    """Return how many candidates there will be; warn, as scikit-learn does, if fewer."""
    if space.size < n_iter:
        warnings.warn(
            f"The total space of parameters {space.size} is smaller than n_iter={n_iter}."
            f" Running {space.size} iterations. For exhaustive searches, use"
            " RandomSearchCV(sampler='grid').",
            UserWarning,
            stacklevel=2,
        )
        return int(space.size)
    return n_iter


@documented
class RandomSearchCV(SearchCV):
    """Random search over a space of distributions, with cross-validation.

    As `sklearn.model_selection.RandomizedSearchCV`, with conditional and constrained
    spaces, quasi-random sampling and the grid; a candidate that diverges ranks last, and
    one `random_state` settles everything, the initial weights of networks included,
    whatever `n_jobs` is.

    Parameters
    ----------
    estimator : estimator object
        Anything with ``fit`` and, unless `scoring` is given, ``score``.
    {space}
    n_iter : int, default=10
        Number of candidates. If a finite space has fewer, each is tried once and a
        warning says so. Not used by ``sampler="grid"``, which tries all.
    sampler : {"random", "sobol", "grid", "gp", "tpe"} or Sampler, default="random"
        How candidates are chosen. "sobol" covers the space more evenly than "random".
    {parameters}

    Attributes
    ----------
    cv_results_ : dict of numpy (masked) ndarrays
        As in scikit-learn.
        {columns}
    {attributes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import RandomSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = RandomSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, random_state=0)
    >>> bool(search.fit(X, y).best_score_ > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SearchCV._parameter_constraints,
        "n_iter": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        sampler: Any = "random",
        points_to_evaluate: Any = None,
        constraint: Any = None,
        fold_racing: Any = False,
        accelerator: Any = "auto",
        test_size: Any = None,
        refit_on_all: bool = False,
        early_stopping_split: Any = None,
        refit_epochs: Any = "median",
        keep_predictions: bool = False,
        leakage: str = "warn",
        journal: Any = None,
        warm_start_from: Any = None,
        stop: Any = None,
        time_budget: float | None = None,
        trial_timeout: float | None = None,
        max_retries: int = 2,
        executor: Any = None,
        devices: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        self.n_iter = n_iter
        super().__init__(
            estimator,
            param_distributions,
            sampler=sampler,
            points_to_evaluate=points_to_evaluate,
            constraint=constraint,
            fold_racing=fold_racing,
            accelerator=accelerator,
            test_size=test_size,
            refit_on_all=refit_on_all,
            early_stopping_split=early_stopping_split,
            refit_epochs=refit_epochs,
            keep_predictions=keep_predictions,
            leakage=leakage,
            journal=journal,
            warm_start_from=warm_start_from,
            stop=stop,
            time_budget=time_budget,
            trial_timeout=trial_timeout,
            max_retries=max_retries,
            executor=executor,
            devices=devices,
            random_state=random_state,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _sampler(self, problem: Problem) -> Sampler:
        sampler = super()._sampler(problem)
        space = problem.space
        lists = all(d.kind in ("categorical", "ordinal") for d in space.dimensions)
        if isinstance(sampler, RandomSampler) and lists and space.size <= self.n_iter:
            return GridSampler()  # all of it, so in order
        return sampler

    def _scheduler(self, sampler: Sampler, problem: Problem) -> Scheduler:
        if isinstance(make_sampler(self.sampler), GridSampler):
            return FlatScheduler(sampler, problem.space.count())
        return FlatScheduler(sampler, n_trials(self.n_iter, problem.space))
