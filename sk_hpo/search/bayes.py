"""Bayesian optimization.

Snoek, Larochelle, Adams: Practical Bayesian Optimization of Machine Learning Algorithms,
NeurIPS 2012. The model is in `sk_hpo.surrogates`, the decision in `sk_hpo.samplers.gp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.flat import FlatScheduler
from sk_hpo.search.base import SearchCV
from sk_hpo.search.document import documented
from sk_hpo.search.problem import Problem
from sk_hpo.search.random import n_trials
from sk_hpo.search.samplers import SAMPLERS

__all__ = ["BayesSearchCV"]

# Samplers that want to know how many candidates come before the model is asked.
_WITH_MODEL = ("gp", "tpe")


@documented
class BayesSearchCV(SearchCV):
    """Bayesian optimization over a space of distributions, with cross-validation.

    A Gaussian process learns from the candidates so far where the next one is worth
    trying. No candidate is tried twice while there is another.

    Parameters
    ----------
    estimator : estimator object
        Anything with ``fit`` and, unless `scoring` is given, ``score``.
    {space}
    n_iter : int, default=32
        Number of candidates, the initial ones included. If a finite space has fewer, each
        is tried once and a warning says so.
    n_points : int, default=1
        Candidates per suggestion, evaluated at the same time. With ``n_jobs > 1`` the
        folds of ``n_points`` candidates run side by side; results depend on `n_points`,
        not on `n_jobs`.
    n_initial_points : int or "auto", default="auto"
        Quasi-random candidates before the model is asked; by the number of parameters if
        "auto". Not used by a `sampler` other than "gp" and "tpe".
    sampler : {"gp", "tpe", "random", "sobol", "grid"} or Sampler, default="gp"
        How candidates are chosen.
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
    >>> from sk_hpo import BayesSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-4, 1e1)}
    >>> search = BayesSearchCV(SVC(), space, n_iter=12, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SearchCV._parameter_constraints,
        "n_iter": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
        "n_points": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
        "n_initial_points": [
            _sklearn.Interval(_sklearn.Integral, 1, None, closed="left"),
            _sklearn.StrOptions({"auto"}),
        ],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 32,
        n_points: int = 1,
        n_initial_points: Any = "auto",
        sampler: Any = "gp",
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
        self.n_points = n_points
        self.n_initial_points = n_initial_points
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
        if isinstance(self.sampler, str) and self.sampler in _WITH_MODEL:
            make: Callable[..., Sampler] = SAMPLERS[self.sampler]
            return make(n_initial_points=self.n_initial_points)
        return super()._sampler(problem)

    def _scheduler(self, sampler: Sampler, problem: Problem) -> Scheduler:
        return FlatScheduler(sampler, n_trials(self.n_iter, problem.space), self.n_points)
