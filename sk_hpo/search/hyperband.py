"""Hyperband and successive halving.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband: A Novel Bandit-Based Approach
to Hyperparameter Optimization, JMLR 18 (2018). The ladder is in `sk_hpo.rungs`, the
decisions in `sk_hpo.schedulers.hyperband` and `sk_hpo.schedulers.asynchronous`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.rungs import Rung, hyperband_rungs
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.asynchronous import AsynchronousHyperbandScheduler
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.search.document import documented
from sk_hpo.search.ladder import LadderSearchCV
from sk_hpo.search.problem import Problem

__all__ = ["HalvingHyperbandSearchCV"]


@documented
class HalvingHyperbandSearchCV(LadderSearchCV):
    """Hyperband with cross-validation; survivors go on where they stood.

    Many candidates get a little training, the best ``1 / factor`` of them get `factor`
    times as much, and so on up to `max_resources`; several such brackets trade the number
    of candidates against the training that each gets before it is judged. A candidate's
    fold models are paused between rungs, and continued to the last bit as if they had
    never been paused.

    Parameters
    ----------
    estimator : estimator object
        Anything that trains by `resource`.
    {space}
    {resources}
    hyperband_iterations : int, default=1
        How many times the brackets are run.
    brackets : int or "all", default="all"
        How many of the brackets are run, those with most candidates first. 1 is plain
        successive halving.
    asynchronous : bool, default=False
        Whether a candidate is promoted as soon as it is among the best ``1 / factor`` of
        those that its rung has seen so far, and a `sampler` that learns suggests candidates
        one at a time, knowing which are out. No worker waits for a rung or a bracket to be
        complete. With ``n_jobs > 1``, who is promoted then depends on who finishes first,
        so that results are reproducible only with ``n_jobs=1``, and more candidates may be
        promoted than `plan` says.
    sampler : {"random", "sobol", "grid", "gp", "tpe"} or Sampler, default="random"
        How candidates are chosen.
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

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sk_hpo import HalvingHyperbandSearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = HalvingHyperbandSearchCV(
    ...     SGDClassifier(), {"alpha": loguniform(1e-6, 1e2)}, max_resources=9, cv=3,
    ...     random_state=0,
    ... )
    >>> print(search.plan(X, y))
    bracket iter n_candidates n_resources
          0    0            9           1
          0    1            3           3
          0    2            1           9
          1    0            5           3
          1    1            1           9
          2    0            3           9
    17 candidates, 3 folds, 66 fits; cost: 207 epochs, survivors go on
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LadderSearchCV._parameter_constraints,
        "hyperband_iterations": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
        "asynchronous": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        resource: str = "epochs",
        min_resources: int = 1,
        max_resources: Any = "auto",
        factor: float = 3,
        stop_hopeless: bool = False,
        hyperband_iterations: int = 1,
        brackets: Any = "all",
        asynchronous: bool = False,
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
        self.hyperband_iterations = hyperband_iterations
        self.brackets = brackets
        self.asynchronous = asynchronous
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

    def _scheduler(self, sampler: Sampler, problem: Problem) -> Scheduler:
        if self.asynchronous:
            return AsynchronousHyperbandScheduler(sampler, self._rungs(problem), self.factor)
        return HyperbandScheduler(sampler, self._rungs(problem))

    def _n_wanted(self, problem: Problem) -> int:
        return sum(rung.n_trials for rung in self._rungs(problem) if rung.rung == 0)

    def _rungs(self, problem: Problem) -> list[Rung]:
        return hyperband_rungs(
            *self._limits(problem), self.factor, self.brackets, self.hyperband_iterations
        )
