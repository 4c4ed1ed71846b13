"""Asynchronous successive halving.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: A System for
Massively Parallel Hyperparameter Tuning, MLSys 2020. The decisions are in
`sk_hpo.schedulers.asha`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.rungs import hyperband_rungs, ladder
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.asha import ASHAScheduler
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.search.document import documented
from sk_hpo.search.ladder import LadderSearchCV
from sk_hpo.search.problem import Problem

__all__ = ["ASHASearchCV"]


@documented
class ASHASearchCV(LadderSearchCV):
    """Asynchronous successive halving with cross-validation; no worker waits for a rung.

    A candidate is promoted as soon as it is among the best ``1 / factor`` of those that
    its rung has seen so far; if nobody is, a new candidate begins. It goes on where its
    fold models stood. When all `n_candidates` have begun, those that are still to be
    promoted are, and one at least is brought to `max_resources`.

    Parameters
    ----------
    estimator : estimator object
        Anything that trains by `resource`.
    {space}
    n_candidates : int or "auto", default="auto"
        How many candidates begin. "auto" is as many as the largest bracket of Hyperband
        has, enough for one to be promoted to each rung. A finite space may have fewer.
    {resources}
    sampler : {"random", "sobol", "grid", "gp", "tpe"} or Sampler, default="random"
        How candidates are chosen, one at a time; one that learns knows all results so far,
        and which candidates are out.
    {parameters}

    Attributes
    ----------
    cv_results_ : dict of numpy (masked) ndarrays
        {rows}
        {columns}
    {ladder}
    {attributes}

    Notes
    -----
    {notes}

    With ``n_jobs > 1``, who is promoted depends on who finishes first, so that results are
    reproducible only with ``n_jobs=1``: the price of never waiting. `HalvingHyperbandSearchCV`
    does not have it. The paper's early-stopping rate s is ``min_resources=factor**s``.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sk_hpo import ASHASearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = ASHASearchCV(
    ...     SGDClassifier(), {"alpha": loguniform(1e-6, 1e2)}, n_candidates=12,
    ...     max_resources=9, cv=3, random_state=0,
    ... )
    >>> print(search.plan(X, y))
    bracket iter n_candidates n_resources
          0    0           12           1
          0    1            4           3
          0    2            1           9
    12 candidates, 3 folds, 51 fits; cost: 78 epochs, survivors go on
    More candidates than that may be promoted, as results arrive.
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LadderSearchCV._parameter_constraints,
        "n_candidates": [
            _sklearn.Interval(_sklearn.Integral, 1, None, closed="left"),
            _sklearn.StrOptions({"auto"}),
        ],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: Any = "auto",
        resource: str = "epochs",
        min_resources: int = 1,
        max_resources: Any = "auto",
        factor: float = 3,
        stop_hopeless: bool = False,
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
        self.n_candidates = n_candidates
        super().__init__(
            estimator,
            param_distributions,
            resource=resource,
            min_resources=min_resources,
            max_resources=max_resources,
            factor=factor,
            stop_hopeless=stop_hopeless,
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
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _scheduler(self, sampler: Sampler, problem: Problem) -> Scheduler:
        resources = ladder(*self._limits(problem), self.factor)
        return ASHAScheduler(sampler, self._n_wanted(problem), resources, self.factor)

    def _n_wanted(self, problem: Problem) -> int:
        if self.n_candidates != "auto":
            return int(self.n_candidates)
        return hyperband_rungs(*self._limits(problem), self.factor, brackets=1)[0].n_trials
