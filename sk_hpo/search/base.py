"""The bridge from scikit-learn's `BaseSearchCV` to the loop.

scikit-learn's class gives prediction, scoring, tags, metadata routing, callbacks and the
HTML diagram; its `fit` is replaced, since it waits for all candidates of a round and
trains each from scratch. A concrete search is a constructor, a docstring and a choice of
sampler and scheduler.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import fields, replace
from numbers import Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state

from sk_hpo import _sklearn
from sk_hpo.evaluation.fold import train_whole
from sk_hpo.evaluation.records import FoldContext
from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.rng import seeded
from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.enqueued import EnqueuedSampler
from sk_hpo.samplers.experienced import ExperiencedSampler
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.folds import AllFolds, Layout
from sk_hpo.schedulers.racing import FoldScheduler
from sk_hpo.search import results as tables
from sk_hpo.search.early_stopping import epochs_of_refit
from sk_hpo.search.evidence import gather, why_none
from sk_hpo.search.experience import best_points, experience
from sk_hpo.search.honest import HonestScores
from sk_hpo.search.journaling import journal_path, seed_of
from sk_hpo.search.plan import Plan
from sk_hpo.search.problem import Problem, pose
from sk_hpo.search.progress import CallbackProgress, listens
from sk_hpo.search.racing import RACES, rule_for
from sk_hpo.search.running import run
from sk_hpo.search.samplers import SAMPLERS, make_sampler
from sk_hpo.search.understanding import Understanding
from sk_hpo.stop import StopPolicy
from sk_hpo.validation.scores import one_metric

__all__ = ["SearchCV"]


class SearchCV(Understanding, HonestScores):
    """Base of all searches; not to be used itself.

    A subclass gives `_scheduler`; if it trains in rungs, `_resource_name` and `_limits` too.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_sklearn.BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, list, tuple, callable],
        "sampler": [_sklearn.StrOptions(set(SAMPLERS)), Sampler],
        "points_to_evaluate": [list, tuple, None],
        "constraint": [callable, None],
        "fold_racing": ["boolean", _sklearn.StrOptions(set(RACES))],
        "accelerator": [_sklearn.StrOptions({"auto", "loader", "off", "require"})],
        "test_size": [
            _sklearn.Interval(Real, 0, 1, closed="neither"),
            _sklearn.Interval(_sklearn.Integral, 1, None, closed="left"),
            _sklearn.HasMethods(["split"]),
            list,
            None,
        ],
        "refit_on_all": ["boolean"],
        "early_stopping_split": [
            _sklearn.Interval(Real, 0, 1, closed="neither"),
            _sklearn.Interval(_sklearn.Integral, 1, None, closed="left"),
            _sklearn.HasMethods(["split"]),
            None,
        ],
        "refit_epochs": [
            _sklearn.StrOptions({"median", "max", "early_stopping"}),
            callable,
        ],
        "keep_predictions": ["boolean"],
        "leakage": [_sklearn.StrOptions({"warn", "raise", "ignore"})],
        "journal": [str, PathLike, None],
        "stop": [StopPolicy, None],
        "time_budget": [_sklearn.Interval(Real, 0, None, closed="neither"), None],
        "trial_timeout": [_sklearn.Interval(Real, 0, None, closed="neither"), None],
        "max_retries": [_sklearn.Interval(_sklearn.Integral, 0, None, closed="left")],
        "devices": [list, tuple, None],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        sampler: Any,
        points_to_evaluate: Any,
        constraint: Any,
        fold_racing: Any,
        accelerator: Any,
        test_size: Any,
        refit_on_all: bool,
        early_stopping_split: Any,
        refit_epochs: Any,
        keep_predictions: bool,
        leakage: str,
        journal: Any,
        warm_start_from: Any,
        stop: Any,
        time_budget: float | None,
        trial_timeout: float | None,
        max_retries: int,
        executor: Any,
        devices: Any,
        random_state: Any,
        **inherited: Any,
    ) -> None:
        super().__init__(estimator, **inherited)
        self.param_distributions = param_distributions
        self.sampler = sampler
        self.points_to_evaluate = points_to_evaluate
        self.constraint = constraint
        self.fold_racing = fold_racing
        self.accelerator = accelerator
        self.test_size = test_size
        self.refit_on_all = refit_on_all
        self.early_stopping_split = early_stopping_split
        self.refit_epochs = refit_epochs
        self.keep_predictions = keep_predictions
        self.leakage = leakage
        self.journal = journal
        self.warm_start_from = warm_start_from
        self.stop = stop
        self.time_budget = time_budget
        self.trial_timeout = trial_timeout
        self.max_retries = max_retries
        self.executor = executor
        self.devices = devices
        self.random_state = random_state

    def __sklearn_clone__(self) -> Any:
        """Return a clone that runs where this one does: pools and clients are not copied."""
        alone = copy(self)  # without the executor
        cloned = super(SearchCV, alone).__sklearn_clone__()
        cloned.executor = self.executor
        return cloned

    def __getstate__(self) -> Any:
        return {**super().__getstate__(), "executor": None}

    @property
    def _resource_name(self) -> str | None:
        """What the user wrote in ``resource``; None for a search without rungs."""
        return None

    # -- what a subclass decides ----------------------------------------------------------

    @abstractmethod
    def _scheduler(self, sampler: Sampler, problem: Problem) -> Scheduler:
        """Return the scheduler; raise ValueError if the arguments do not fit together."""

    def _sampler(self, problem: Problem) -> Sampler:
        """Return the sampler, unbound."""
        return make_sampler(self.sampler)

    def _limits(self, problem: Problem) -> tuple[int, int]:
        """Return the lowest and the highest resource."""
        return 1, 1

    def _layout(self, problem: Problem) -> Layout:
        """Return which folds are run for which resource."""
        return AllFolds(len(problem.splits))

    def _longest(self, problem: Problem) -> int:
        """Return the resource of a fold's model at the top."""
        return max(s.stop for s in self._layout(problem).steps(0, self._limits(problem)[1]))

    # -- the public methods ---------------------------------------------------------------

    def plan(self, X: Any, y: Any = None, **params: Any) -> Plan:
        """Return the schedule that `fit` would run, and its cost, without training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training vectors.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            As in `fit`.

        Returns
        -------
        plan : Plan
            ``print(plan)`` shows a table; ``plan.cost``, ``plan.n_fits`` and
            ``plan.to_frame()`` are for programs.

        Raises
        ------
        ValueError, TypeError
            Whatever `fit` would raise before any training.
        """
        self._validate_params()
        if isinstance(self.cv, Iterator):
            raise ValueError("cv is an iterator, which plan() would use up; give a list.")
        search = copy(self)
        search.cv = deepcopy(self.cv)  # it may hold a RandomState, which splits advance
        with seeded(0):  # the plan depends on no seed
            problem = pose(search, X, y, params, seed=0)
        return self._plan(problem, self._make(problem))

    @_sklearn.fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, then train the best candidate on all of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training vectors; anything that the estimator takes and that can be indexed by
            rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets; None for unsupervised estimators.
        **params : dict of str -> object
            For the estimator's ``fit``, the scorer and the splitter (``groups``), as in
            `sklearn.model_selection.GridSearchCV.fit`. Values of length n_samples are
            split along with X and y. Of ``test_groups`` (n_samples,), by default
            ``groups``, `test_size` holds out whole groups.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ValueError, TypeError
            Before any training, if an argument is wrong; afterwards, if every candidate
            failed.
        """
        began = time.monotonic()
        self.journal_ = journal_path(self, X, y, params)
        problem = pose(self, X, y, params, seed=self._seed())
        self._seed_of_fit = problem.seed
        scheduler = self._make(problem)
        self._forget_scores()
        self._look_for_leakage(problem)
        self._checked_cv_orig = problem.cv
        self.n_splits_ = len(problem.splits)
        self._fold_sizes = np.array([[len(rows) for rows in split] for split in problem.splits])
        weight = params.get("sample_weight")
        told = {
            "estimator": self,
            "X": problem.X,
            "y": problem.y,
            "metadata": None if weight is None else {"sample_weight": weight},
        }
        n_refits = (self.refit is not False) + self.refit_on_all
        root = self._init_callback_context(max_subtasks=1 + n_refits)
        root.call_on_fit_task_begin(**told)
        scheduler, context = self._search(problem, scheduler, root, began)
        best = self._select(problem, scheduler)
        self._keep_surrogate(problem, scheduler)
        if self.refit:
            assert best is not None
            chosen = problem.space.params(best.trial.config)
            context = replace(context, **_fields(problem.refit))
            self._refit(context, best, chosen, root, "refit-with-best-params")
            self._look_at_test_set(problem)
            if problem.everything is not None:
                context = replace(context, **_fields(problem.everything))
                self._refit(context, best, chosen, root, "refit-on-all-rows")
        self.scorer_ = getattr(problem.scorer, "_scorers", problem.scorer)
        root.call_on_fit_task_end(**told)
        return self

    # -- the steps of fit -----------------------------------------------------------------

    def _make(self, problem: Problem) -> Scheduler:
        sampler = self._sampler(problem)
        points = list(self.points_to_evaluate or ())
        if self.warm_start_from is not None:
            top = self._limits(problem)[1]
            earlier = experience(self.warm_start_from, problem, self._resource_name, top)
            sampler = ExperiencedSampler(sampler, earlier)
            points += best_points(earlier, problem.space)
        if not points and problem.space.default is not None:
            points = [problem.space.values(problem.space.default)]
        sampler = EnqueuedSampler(sampler, points, problem.unsearched).bind(
            problem.space, problem.seed
        )
        scheduler = self._in_parts(self._scheduler(sampler, problem), problem)
        n_candidates = sum(rung.n_trials for rung in scheduler.plan() if rung.rung == 0)
        if len(sampler.points) > n_candidates:
            raise ValueError(
                f"points_to_evaluate has {len(sampler.points)} different points, but this"
                f" search tries no more than {n_candidates} candidates."
            )
        return scheduler

    def _in_parts(self, scheduler: Scheduler, problem: Problem) -> Scheduler:
        """Return the scheduler, or one around it that does its jobs fold by fold."""
        layout, rule = self._layout(problem), rule_for(self.fold_racing, problem)
        if rule is None and isinstance(layout, AllFolds):
            return scheduler
        return FoldScheduler(scheduler, layout, rule)

    def _plan(self, problem: Problem, scheduler: Scheduler) -> Plan:
        notes = []
        if not scheduler.synchronous:
            notes.append("More candidates than that may be promoted, as results arrive.")
        if self.fold_racing:
            notes.append("Fewer folds are run: a candidate that falls behind is dropped.")
        exact = not notes
        if self.time_budget is not None:
            notes.append(f"It ends early where that takes longer than {self.time_budget} s.")
        if self.stop is not None:
            notes.append(f"It ends early if {self.stop} says so.")
        return Plan(
            rungs=tuple(scheduler.plan()),
            n_splits=len(problem.splits),
            resource=self._resource_name,
            continues=problem.resource.continues,
            note="\n".join(notes),
            layout=self._layout(problem),
            exact=exact,
        )

    def _seed(self) -> int:
        """Return where everything random comes from: the journal's seed, or a new one."""
        known = None
        if self.journal_ is not None and self.random_state is None:
            known = seed_of(self.journal_)
        if known is not None:
            return known
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _search(
        self, problem: Problem, scheduler: Scheduler, root: Any, began: float
    ) -> tuple[Scheduler, FoldContext]:
        """Run the loop; return who knows the results, and what the folds shared."""
        plan = self._plan(problem, scheduler)
        if self.verbose > 0:
            self._announce(plan)
        progress = CallbackProgress(self, root, plan)
        heard = progress if listens(self) else None
        ran = run(self, problem, scheduler, plan, heard, began)
        progress.close()
        self.stopped_by_ = ran.stopped_by
        self._n_known = ran.n_known
        return ran.scheduler, ran.context

    def _announce(self, plan: Plan) -> None:
        if self._resource_name is None:
            print(
                f"Fitting {plan.n_splits} folds for each of {plan.n_candidates} candidates,"
                f" totalling {'' if plan.exact else 'at most '}{plan.n_fits} fits"
            )
        else:
            print(plan)

    def _select(self, problem: Problem, scheduler: Scheduler) -> tables.Row | None:
        """Set `cv_results_`, `best_*` and what else is known; return the best, if any."""
        table = tables.rows(scheduler.trials, scheduler.plan())
        out = tables.records(table, self.error_score)
        laddered = self._resource_name is not None
        parameter, space = problem.resource.parameter, problem.space
        candidates = tables.candidates(table, space.values, parameter)
        with np.errstate(invalid="ignore"):  # the spread of infinite scores
            results = self._format_results(
                candidates,
                self.n_splits_,
                out,
                tables.more_results(table) if laddered else None,
            )
        tables.leave_out_what_was_not_run(results, table, out)
        if isinstance(scheduler, FoldScheduler):
            results["n_folds"] = tables.n_folds(table)
        if space.by_run:
            results["params"] = tables.candidates(table, space.params, parameter)
            tables.mask_the_unmet(results, space.names)
        failed = np.array([row.outcome.failure is not None for row in table])
        tables.rank(results, failed)
        if scheduler.sampler.uses_history:
            results |= tables.explanations(table)
        # Kept even if a rule or a callable raises: the candidates need not be trained again.
        self.cv_results_ = results
        self.space_ = space
        self.history_, self._failed = list(scheduler.trials), failed
        self.accelerator_report_ = tables.accelerator_report(table)
        self._describe(problem, scheduler, table)
        return self._choose(problem, table, out[0]["test_scores"], failed)

    def _choose(
        self, problem: Problem, table: list[tables.Row], scores: Any, failed: Any
    ) -> tables.Row | None:
        """Set `best_*`; return the best, if there is one metric to choose by.

        `scores` are those of any fold: they tell the names of the metrics.
        """
        self.multimetric_ = isinstance(scores, dict)
        results, metric, refit = self.cv_results_, problem.metric, problem.rule or self.refit
        if callable(self.scoring) and self.multimetric_:
            if problem.rule is not None:
                metric = one_metric(problem.rule.metric, list(scores))
            else:
                self._check_refit_for_multimetric(scores)
                metric = refit if isinstance(refit, str) else metric
        if not refit and self.multimetric_:
            return None
        known = problem.rule is not None or not callable(refit)
        if known:
            tables.check_any_succeeded(table, results, metric)
        positions = tables.best_rows(
            results, metric, failed, at_the_top=self.stopped_by_ is None
        )
        if problem.rule is not None:  # a callable of the user's gets all rows
            positions = positions[~failed[positions]]
        among = tables.take(results, positions)
        self._chosen_by = metric if known else None
        rows = [table[i] for i in positions]
        self._evidence = why_none(refit, self.multimetric_) or gather(
            problem, rows, positions, among, metric, self.keep_predictions
        )
        best = self._select_best_index(refit, metric, among)
        self.best_index_ = int(positions[best])
        if known:
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]
        return table[self.best_index_]

    def _keep_surrogate(self, problem: Problem, scheduler: Scheduler) -> None:
        """Set `surrogate_` if the sampler has a model."""
        self.__dict__.pop("surrogate_", None)
        surrogate = scheduler.sampler.surrogate(scheduler.trials)
        if surrogate is not None:
            self.surrogate_ = Surrogate(surrogate.space, surrogate.model, problem.unsearched)

    def _describe(
        self, problem: Problem, scheduler: Scheduler, table: list[tables.Row]
    ) -> None:
        """Set the attributes that only some searches have."""

    def _refit(
        self,
        context: FoldContext,
        best: tables.Row,
        params: dict[str, Any],
        root: Any,
        name: str,
    ) -> None:
        """Train the best candidate on the rows of `context`, for the selected resource."""
        task = root.subcontext(task_name=name)
        self.refit_epochs_ = epochs_of_refit(self.refit_epochs, best.outcome.folds)
        begin = time.time()
        try:
            self.best_estimator_ = train_whole(
                context, params, best.trial.id, best.resource, task, self.refit_epochs_
            )
        except Exception as error:
            error.add_note(
                "The search is complete (cv_results_ and best_params_ are set); only the"
                f" refit of the best candidate on all {_sklearn.num_samples(context.X)} rows"
                " failed. A schedule that is counted in batches must allow for all rows."
            )
            raise
        self.refit_time_ = time.time() - begin
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def _fields(data: TrainingData) -> dict[str, Any]:
    return {field.name: getattr(data, field.name) for field in fields(data)}
