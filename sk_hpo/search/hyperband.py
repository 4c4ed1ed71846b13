"""Hyperband and successive halving.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband: A Novel Bandit-Based Approach
to Hyperparameter Optimization, JMLR 18 (2018). The ladder is in `sk_hpo.rungs`, the
decisions in `sk_hpo.schedulers.hyperband`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.rungs import Rung, hyperband_rungs
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.search import results as tables
from sk_hpo.search.base import SearchCV
from sk_hpo.search.document import documented
from sk_hpo.search.plan import Plan
from sk_hpo.search.problem import Problem

__all__ = ["HalvingHyperbandSearchCV"]


@documented
class HalvingHyperbandSearchCV(SearchCV):
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
    param_distributions : dict or list of dicts
        Parameter name -> list of values, frozen `scipy.stats` distribution, `lograndint`
        or `when`. See `sk_hpo.Space`.
    resource : str, default="epochs"
        What a rung gives more of. "epochs": skorch nets and estimators with
        ``partial_fit``, also as the last step of a `Pipeline` (whose transformers are
        fitted once per fold). "n_samples": nested, stratified parts of each training
        fold; trained from scratch. The name of an integer parameter, such as
        "n_estimators": continued by ``warm_start`` where the estimator has it, else
        trained from scratch.
    min_resources : int, default=1
        Least training that a candidate is judged by. With "n_samples", raised to two rows
        per class.
    max_resources : int or "auto", default="auto"
        Training that the best get. "auto" takes the estimator's own ``max_epochs``,
        ``max_iter`` or `resource` parameter, or all rows of the smallest training fold.
    factor : int or float, default=3
        Of the candidates on a rung, ``1 / factor`` go on, to `factor` times the resource.
        Rungs are at ``max_resources // factor**i``.
    hyperband_iterations : int, default=1
        How many times the brackets are run.
    brackets : int or "all", default="all"
        How many of the brackets are run, those with most candidates first. 1 is plain
        successive halving.
    sampler : {"random", "sobol", "grid", "gp", "tpe"} or Sampler, default="random"
        How candidates are chosen.
    {parameters}

    Attributes
    ----------
    cv_results_ : dict of numpy (masked) ndarrays
        As in scikit-learn, with a row per candidate and rung and the columns ``trial``,
        ``bracket``, ``iter`` (rung within the bracket) and ``n_resources`` (the rung's
        resource; a candidate that stopped early used less). Ranks compare the rows of all
        rungs, so that the best, which is of the highest rung, need not have rank 1.
        {columns}
    n_resources_, n_candidates_ : list of int
        Resource and number of candidates of each rung, bracket by bracket.
    brackets_ : list of tuple of Standing
        For each bracket its rungs, and the trials that stood on them.
    min_resources_, max_resources_ : int
        The lowest and the highest rung.
    resource_spent_ : float
        Resource spent on all folds together; what `plan` foretold, less what early
        stopping and failures saved.
    {attributes}

    Notes
    -----
    ``best_*`` are chosen among the candidates at the highest resource that was reached; a
    callable `refit` gets `cv_results_` cut to these rows. The refit trains on all of X for
    that resource. ``verbose=1`` prints the plan. `cv` must give the same folds at each
    call: with ``shuffle=True`` it needs a `random_state`.

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
        **SearchCV._parameter_constraints,
        "resource": [str],
        "min_resources": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
        "max_resources": [
            _sklearn.Interval(_sklearn.Integral, 1, None, closed="left"),
            _sklearn.StrOptions({"auto"}),
        ],
        "hyperband_iterations": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
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
        hyperband_iterations: int = 1,
        brackets: Any = "all",
        sampler: Any = "random",
        points_to_evaluate: Any = None,
        constraint: Any = None,
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
        self.resource = resource
        self.min_resources = min_resources
        self.max_resources = max_resources
        self.factor = factor
        self.hyperband_iterations = hyperband_iterations
        self.brackets = brackets
        super().__init__(
            estimator,
            param_distributions,
            sampler=sampler,
            points_to_evaluate=points_to_evaluate,
            constraint=constraint,
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

    @property
    def _resource_name(self) -> str:
        return self.resource

    def _limits(self, problem: Problem) -> tuple[int, int]:
        highest = self.max_resources
        if highest == "auto":
            highest = problem.resource.limit(self.estimator, problem.n_train)
        if self.resource == "n_samples" and highest > problem.n_train:
            raise ValueError(
                f"max_resources={highest} is more than the {problem.n_train} rows of the"
                " smallest training fold."
            )
        return max(self.min_resources, problem.resource.lowest(problem.n_classes)), highest

    def _scheduler(self, sampler: Sampler, problem: Problem) -> Scheduler:
        if not _sklearn.yields_constant_splits(problem.cv):
            raise ValueError(
                "The cv parameter must yield the same folds at each call of split(); give"
                f" {type(problem.cv).__name__} an integer random_state."
            )
        return HyperbandScheduler(sampler, self._rungs(problem))

    def _rungs(self, problem: Problem) -> list[Rung]:
        return hyperband_rungs(
            *self._limits(problem), self.factor, self.brackets, self.hyperband_iterations
        )

    def _plan(self, problem: Problem, scheduler: Scheduler) -> Plan:
        plan = super()._plan(problem, scheduler)
        wanted = sum(rung.n_trials for rung in self._rungs(problem) if rung.rung == 0)
        if plan.n_candidates == wanted:
            return plan
        note = (
            f"The space has only {problem.space.size} configurations for the {wanted} that"
            " these brackets ask for: later ones are smaller or left out."
        )
        return replace(plan, note=note)

    def _describe(
        self, problem: Problem, scheduler: Scheduler, table: list[tables.Row]
    ) -> None:
        assert isinstance(scheduler, HyperbandScheduler)
        self.brackets_ = scheduler.brackets
        standings = [standing for bracket in self.brackets_ for standing in bracket]
        self.n_resources_ = [standing.rung.resource for standing in standings]
        self.n_candidates_ = [len(standing.trials) for standing in standings]
        self.min_resources_ = min(self.n_resources_)
        self.max_resources_ = self._limits(problem)[1]
        self.resource_spent_ = sum(row.outcome.cost for row in table)
