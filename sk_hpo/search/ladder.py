"""What all searches over rungs of a resource have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

from sk_hpo import _sklearn
from sk_hpo.rungs import ladder
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.curves import CurveScheduler
from sk_hpo.schedulers.folds import FoldsAsResource, Layout, RisingFolds
from sk_hpo.search import results as tables
from sk_hpo.search.base import SearchCV
from sk_hpo.search.plan import Plan
from sk_hpo.search.problem import Problem

__all__ = ["LadderSearchCV"]


class LadderSearchCV(SearchCV):
    """Base of searches that give more of a resource to fewer candidates.

    A subclass gives `_scheduler` and `_n_wanted`.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SearchCV._parameter_constraints,
        "resource": [str],
        "min_resources": [_sklearn.Interval(_sklearn.Integral, 1, None, closed="left")],
        "max_resources": [
            _sklearn.Interval(_sklearn.Integral, 1, None, closed="left"),
            _sklearn.StrOptions({"auto"}),
        ],
        "stop_hopeless": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        resource: str,
        min_resources: int,
        max_resources: Any,
        factor: float,
        stop_hopeless: bool,
        **inherited: Any,
    ) -> None:
        self.resource = resource
        self.min_resources = min_resources
        self.max_resources = max_resources
        self.factor = factor
        self.stop_hopeless = stop_hopeless
        super().__init__(estimator, param_distributions, **inherited)

    @abstractmethod
    def _n_wanted(self, problem: Problem) -> int:
        """Return how many candidates the search asks an endless space for."""

    @property
    def _resource_name(self) -> str:
        return self.resource

    def _limits(self, problem: Problem) -> tuple[int, int]:
        highest = self.max_resources
        most, what = problem.n_train, "rows of the smallest training fold"
        if self.resource == "folds":
            most, what = len(problem.splits), "folds"
        if highest == "auto":
            folds = self.resource == "folds"
            highest = most if folds else problem.resource.limit(self.estimator, most)
        if self.resource in ("n_samples", "folds") and highest > most:
            raise ValueError(f"max_resources={highest} is more than the {most} {what}.")
        return max(self.min_resources, problem.resource.lowest(problem.n_classes)), highest

    def _layout(self, problem: Problem) -> Layout:
        n_splits = len(problem.splits)
        if self.resource == "folds":
            return FoldsAsResource(n_splits)
        if self.fold_racing:
            return RisingFolds(n_splits, ladder(*self._limits(problem), self.factor))
        return super()._layout(problem)

    def _in_parts(self, scheduler: Scheduler, problem: Problem) -> Scheduler:
        if self.stop_hopeless:
            if self.resource == "folds" or not problem.resource.continues:
                raise ValueError(
                    "stop_hopeless looks at candidates in training, which needs a resource"
                    f" that is trained in parts; resource={self.resource!r} is not."
                )
            scheduler = CurveScheduler(scheduler)
        return super()._in_parts(scheduler, problem)

    def _make(self, problem: Problem) -> Scheduler:
        if not _sklearn.yields_constant_splits(problem.cv):
            raise ValueError(
                "The cv parameter must yield the same folds at each call of split(); give"
                f" {type(problem.cv).__name__} an integer random_state."
            )
        return super()._make(problem)

    def _plan(self, problem: Problem, scheduler: Scheduler) -> Plan:
        plan = super()._plan(problem, scheduler)
        notes = [plan.note] if plan.note else []
        wanted = self._n_wanted(problem)
        if self.stop_hopeless:
            notes.append("A candidate that lags behind is stopped within a rung.")
        if plan.n_candidates != wanted:
            notes.append(
                f"The space has only {problem.space.size} configurations for the {wanted} that"
                " are asked for: later brackets are smaller or left out."
            )
        exact = plan.exact and not self.stop_hopeless
        return replace(plan, note="\n".join(notes), exact=exact)

    def _describe(
        self, problem: Problem, scheduler: Scheduler, table: list[tables.Row]
    ) -> None:
        self.brackets_ = scheduler.brackets
        standings = [standing for bracket in self.brackets_ for standing in bracket]
        self.n_resources_ = [standing.rung.resource for standing in standings]
        self.n_candidates_ = [len(standing.trials) for standing in standings]
        self.min_resources_ = min(self.n_resources_)
        self.max_resources_ = self._limits(problem)[1]
        self.resource_spent_ = sum(
            outcome.cost for trial in scheduler.trials for outcome in trial.outcomes.values()
        )
