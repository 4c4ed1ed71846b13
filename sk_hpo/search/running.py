"""A search under way: its workers, its journal, its folder and its clock; then the loop."""

from __future__ import annotations

import shutil
import tempfile
import threading
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn import get_config

from sk_hpo import _sklearn, loop
from sk_hpo.evaluation.evaluator import CrossValidation, Progress
from sk_hpo.evaluation.nets import kin_of
from sk_hpo.evaluation.records import FoldContext
from sk_hpo.execution.base import Executor
from sk_hpo.execution.choose import make_executor
from sk_hpo.journal.checkpoints import private_folder, sweep
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.search.journaling import Recorder, header
from sk_hpo.search.listeners import Results, listeners_of
from sk_hpo.search.plan import Plan
from sk_hpo.search.problem import Problem
from sk_hpo.search.progress import listens
from sk_hpo.search.stopping import Stopping

__all__ = ["Ran", "run"]


@dataclass(frozen=True, slots=True)
class Ran:
    """A search that is over.

    Parameters
    ----------
    scheduler : Scheduler
        Knows the results.
    context : FoldContext
        What the folds shared, for the refit.
    stopped_by : str or None
        Why it ended before it was done.
    n_known : int
        How many fits were in the journal.
    """

    scheduler: Scheduler
    context: FoldContext
    stopped_by: str | None
    n_known: int


def run(
    search: Any,
    problem: Problem,
    scheduler: Scheduler,
    plan: Plan,
    progress: Progress | None,
    began: float,
) -> Ran:
    """Run the loop.

    Parameters
    ----------
    search : SearchCV
        Its arguments say where, until when, and what is kept.
    problem : Problem
        What it has to solve.
    scheduler : Scheduler
        New; where a journal's settings were raised, another one may end up in its place.
    plan : Plan
        What it will ask for.
    progress : Progress or None
        Is told of every fold.
    began : float
        When ``fit`` did, on the clock of `time.monotonic`.

    Raises
    ------
    ValueError, KeyboardInterrupt
        If the search was stopped before a candidate had a result.
    JournalError
        If the journal is no journal of this search.
    """
    # What a callable scorer calls its metrics is known when it has run.
    named = isinstance(search.refit, str) and problem.rule is None
    metric = search.refit if named else problem.metric
    with ExitStack() as stack:
        recorder = None
        if search.journal_ is not None:
            recorder = Recorder(search.journal_, header(search, problem, metric), problem.space)
            stack.callback(recorder.close)
        folder = _Folder(search.journal_)
        stack.enter_context(folder)
        executor = stack.enter_context(_executor(search))
        context = _context(search, problem, folder.path, executor)
        executor.share(context)

        def evaluator() -> CrossValidation:
            return CrossValidation(
                context,
                problem.space.params,
                metric,
                n_trials=plan.n_candidates,
                progress=progress,
                kin=kin_of(problem.estimator, search.accelerator),
                slots=executor.slots,
            )

        listeners = listeners_of(search)

        def heard(scheduler: Scheduler) -> Results:
            stop = _stopping(search, problem, scheduler, began)
            return Results(listeners, search, plan, scheduler, problem.space, stop)

        evaluates, results = evaluator(), heard(scheduler)
        if recorder and not recorder.take_up(scheduler, evaluates, results):
            scheduler, evaluates = _again(search, problem), evaluator()
            results = heard(scheduler)
        stack.callback(results.close)
        if recorder:
            _tell_and_sweep(search, recorder, evaluates, folder)
        stopped_by = loop.run(
            scheduler,
            evaluates,
            executor,
            record=recorder,
            stop=results,
            limit=search.trial_timeout,
            begun=recorder.begun if recorder else (),
            n_asked=recorder.n_asked if recorder else 0,
        )
        folder.done = folder.done or stopped_by is None
        if recorder:
            recorder.end(stopped_by)
    _check_stopped(search, scheduler, stopped_by)
    return Ran(scheduler, context, stopped_by, recorder.n_known if recorder else 0)


def _tell_and_sweep(
    search: Any, recorder: Recorder, evaluates: CrossValidation, folder: _Folder
) -> None:
    """Say what need not be done again, and delete paused models that nobody needs."""
    if search.verbose > 0 and recorder.n_known:
        print(f"{recorder.n_known} fits are in the journal {search.journal_}")
    begun = [(unfinished.job, unfinished.values) for unfinished in recorder.begun]
    sweep(folder.path, evaluates.files(begun))


def _again(search: Any, problem: Problem) -> Scheduler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all was told when the first one was made
        scheduler: Scheduler = search._make(problem)
    return scheduler


class _Folder:
    """Where paused models lie; beside the journal, if there is one, until all is done."""

    def __init__(self, journal: str | None) -> None:
        self.done = journal is None
        if journal is None:
            self.path = Path(tempfile.mkdtemp(prefix="sk_hpo-"))
        else:
            self.path = private_folder(journal)

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.done:
            shutil.rmtree(self.path, ignore_errors=True)


def _executor(search: Any) -> Executor:
    return make_executor(
        search.n_jobs,
        search.pre_dispatch,
        executor=search.executor,
        devices=search.devices,
        max_retries=search.max_retries,
        limited=search.trial_timeout is not None,
    )


def _context(search: Any, problem: Problem, folder: Path, executor: Executor) -> FoldContext:
    return FoldContext(
        estimator=problem.estimator,
        X=problem.X,
        y=problem.y,
        splits=problem.splits,
        resource=problem.resource,
        max_resources=search._longest(problem),
        scorer=problem.scorer,
        seed=problem.seed,
        folder=folder,
        classes=problem.classes,
        fit_params=problem.fit_params,
        score_params=problem.score_params,
        return_train_score=search.return_train_score,
        keep_predictions=search.keep_predictions,
        error_score=search.error_score,
        verbose=search.verbose,
        isolate=_isolation(executor.threaded or _in_a_thread(), problem),
        caller=search if listens(search) else None,
        config=get_config(),
        carves=problem.carves,
        device=search.devices[0] if search.devices else None,
        shared_disk=executor.shared_disk,
    )


def _stopping(
    search: Any, problem: Problem, scheduler: Scheduler, began: float
) -> Stopping | None:
    if search.stop is None and search.time_budget is None:
        return None
    n_rows = [_sklearn.num_samples(problem.refit.X)] if search.refit else []
    if problem.everything is not None:
        n_rows.append(_sklearn.num_samples(problem.everything.X))
    n_train = np.mean([len(train) for train, _ in problem.splits])
    return Stopping(
        search.stop,
        search.time_budget,
        scheduler.trials,
        top=search._limits(problem)[1],
        refit_to_fit=float(sum(n_rows) / n_train),
        continues=problem.resource.continues,
        began=began,
    )


def _check_stopped(search: Any, scheduler: Scheduler, stopped_by: str | None) -> None:
    """Warn of a Ctrl-C; raise if nothing is known that a candidate could be chosen by."""
    n_known = sum(not trial.pending for trial in scheduler.trials)
    if stopped_by is None or (n_known and stopped_by != "interrupt"):
        return
    if not n_known:
        told = f"The search was stopped ({stopped_by}) before its first candidate had a result."
        raise (
            KeyboardInterrupt(told)
            if stopped_by == "interrupt"
            else ValueError(f"{told} Allow it more time.")
        )
    again = "" if search.journal is None else " Call fit again to go on."
    warnings.warn(
        f"The search was interrupted: the best of the {n_known} candidates with a result"
        f" is taken.{again} Press Ctrl-C again to end the refit, too.",
        UserWarning,
        stacklevel=5,
    )


def _in_a_thread() -> bool:
    """Whether other searches may run beside this one."""
    return threading.current_thread() is not threading.main_thread()


def _isolation(threaded: bool, problem: Problem) -> Literal["process", "turns", "none"]:
    """Return how folds keep the global random number generators apart.

    torch and numpy have one global generator per process, so what may draw from it takes
    turns in threads. scikit-learn's own estimators draw from their ``random_state``, which
    the evaluator has set, except for splitters, which it does not reach.
    """
    if not threaded:
        return "process"
    whole = [problem.estimator, *problem.space.objects()]
    parts = whole + [
        value
        for estimator in whole
        if hasattr(estimator, "get_params") and not isinstance(estimator, type)
        for value in estimator.get_params(deep=True).values()
    ]
    own = all(
        type(part).__module__.partition(".")[0] in ("sklearn", "builtins", "numpy")
        and not callable(getattr(part, "split", None))
        for part in parts
        if not isinstance(part, str)
    )
    return "none" if own else "turns"
