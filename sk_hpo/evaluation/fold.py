"""Train and score folds of trials: what runs on a worker.

Everything random derives from ``(seed, trial, fold)``, and the state of the random number
generators travels with a paused model, so that neither the number of workers nor a pause
leaves a trace in a result.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import format_exception
from typing import Any, Literal

import numpy as np
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone

from sk_hpo import _sklearn
from sk_hpo.evaluation import report, rng
from sk_hpo.evaluation.answers import Answers
from sk_hpo.evaluation.checkpoints import private_checkpoints
from sk_hpo.evaluation.nets import is_net
from sk_hpo.evaluation.paused import Paused, paused_path, read, sleep, wake, write
from sk_hpo.evaluation.resources import Resource, Training, TrainingData

__all__ = ["FoldContext", "FoldResult", "FoldTask", "run_folds", "train_whole"]

# torch has one generator per process: nets that train in threads take turns.
_TURN = threading.RLock()

_SEED = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class FoldContext:
    """What all folds of all trials of a search share; reaches each worker once.

    Parameters
    ----------
    estimator : estimator
        Unfitted; the search's argument.
    X, y : indexable of length n_samples
        All rows of the search; y may be None.
    splits : sequence of (train, test)
        Row numbers of each fold.
    resource : Resource
        How models are trained.
    max_resources : int
        Resource at the top of the ladder.
    scorer : callable
        ``(estimator, X, y) -> float or dict``.
    seed : int
        From which each trial's and fold's seed derives.
    folder : Path
        Private, for paused models.
    classes : ndarray, list of ndarray or None
        See `TrainingData`.
    fit_params, score_params : dict
        As routed; values of length n_samples are cut to the rows.
    return_train_score : bool
        Whether to score the training rows too.
    keep_predictions : bool
        Whether results have what was predicted for the validation rows.
    error_score : "raise" or float
        As in scikit-learn.
    verbose : int
        As in scikit-learn.
    isolate : {"process", "turns", "none"}
        How the global random number generators are kept apart: this process runs one fold
        at a time; folds run in threads and take turns; or they are left alone (threads
        and an estimator that does not use them).
    caller : estimator or None
        The search, for its callbacks.
    config : dict
        scikit-learn's configuration in the driver.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    resource: Resource
    max_resources: int
    scorer: Any
    seed: int
    folder: Path
    classes: Any = None
    fit_params: dict[str, Any] = field(default_factory=dict)
    score_params: dict[str, Any] = field(default_factory=dict)
    return_train_score: bool = False
    keep_predictions: bool = False
    error_score: Any = math.nan
    verbose: int = 0
    isolate: Literal["process", "turns", "none"] = "process"
    caller: Any = None
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoldTask:
    """Bring one fold of one trial from resource `start` to `stop`."""

    trial: int
    fold: int
    params: dict[str, Any]
    start: int
    stop: int
    resumable: bool
    n_trials: int
    callbacks: Any = None


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What came of a `FoldTask`.

    Parameters
    ----------
    test_scores, train_scores : float or dict of str to float
        Of the validation rows, and of the training rows where asked for (else None).
    fit_time, score_time : float
        Seconds.
    cost : float
        Resource that was spent.
    error : str or None
        Traceback, if training failed.
    score_errors : dict of str to str
        Traceback of each scorer that raised, "score" being the name of a single one.
    path, reason : str
        How the model was trained, see `Training`.
    predictions : dict of str to array-like of shape (n_validation_rows, ...), or None
        What the scorers asked for, by the method that gave it.
    """

    test_scores: Any
    train_scores: Any
    fit_time: float
    score_time: float
    cost: float = 0.0
    error: str | None = None
    score_errors: dict[str, str] = field(default_factory=dict)
    path: str = ""
    reason: str = ""
    predictions: dict[str, Any] | None = None


def run_folds(context: FoldContext, tasks: Sequence[FoldTask]) -> list[FoldResult]:
    """Run `tasks`, and train together what is better trained together; on the worker.

    What goes wrong with one is its own result, unless ``error_score="raise"``.
    """
    with _surroundings(context), ExitStack() as stack:
        rows: dict[int, TrainingData] = {}  # nets only read them: one copy for a fold's nets
        fits = [_Fit(context, task, rows) for task in tasks]
        results: dict[_Fit, FoldResult] = {}
        for fit in fits:
            fit.begin(stack)
            if fit.training is None or context.resource.alone(fit.training.model):
                context.resource.advance_all([fit.training] if fit.training else [])
                results[fit] = fit.end()
                rows.clear()
        waiting = [fit for fit in fits if fit not in results]
        context.resource.advance_all([fit.training for fit in waiting if fit.training])
        results |= {fit: fit.end() for fit in waiting}
        return [results[fit] for fit in fits]


def train_whole(
    context: FoldContext, params: dict[str, Any], trial: int, resource: int, callbacks: Any
) -> Any:
    """Return an estimator with `params`, trained on all rows to `resource`.

    Its ``random_state`` is as the user left it: a None follows the global generator, which
    is seeded from the trial.
    """
    estimator = clone(context.estimator).set_params(**clone(params, safe=False))
    data = TrainingData(context.X, context.y, context.fit_params, context.classes)
    kind = context.resource.refitting()
    to = kind.for_refit(resource, _sklearn.num_samples(context.X))
    with _own_generators(), rng.seeded(_seed(context.seed, trial, len(context.splits))):
        with _sklearn.callback_task(
            callbacks, context.caller, estimator, data.X, data.y, data.fit_params
        ):
            model = kind.begin(estimator, data, max(to, context.max_resources))
            kind.advance(model, data, to)
        return kind.finish(model)


@contextmanager
def _own_generators() -> Iterator[None]:
    """Take turns with other threads, of this search or of one beside it.

    Within a turn nothing runs in threads, which would wait for theirs.
    """
    if threading.current_thread() is threading.main_thread():
        yield
    else:
        with _TURN, parallel_config(backend="sequential"):
            yield


@contextmanager
def _surroundings(context: FoldContext) -> Iterator[None]:
    """scikit-learn's settings as in the driver, generators kept, and one torch thread.

    torch's results depend on its number of threads, so that number must not depend on how
    many folds run side by side; and folds side by side are the better use of cores.
    """
    with ExitStack() as stack:
        stack.enter_context(config_context(**context.config))
        if context.isolate == "turns":
            stack.enter_context(_own_generators())
        if context.isolate != "none":
            stack.enter_context(rng.kept())
            if torch := sys.modules.get("torch"):
                stack.callback(torch.set_num_threads, torch.get_num_threads())
                torch.set_num_threads(1)
        yield


class _Fit:
    """A task under way: `begin`, then its training, then `end`."""

    def __init__(
        self, context: FoldContext, task: FoldTask, rows: dict[int, TrainingData]
    ) -> None:
        self._context = context
        self._task = task
        self._rows = rows
        self._seed = _seed(context.seed, task.trial, task.fold)
        self._stream = nullcontext() if context.isolate == "none" else rng.Stream(self._seed)
        self._path = paused_path(context.folder, task.trial, task.fold)
        self._open = ExitStack()  # what must end when training ends
        self._stands: FoldResult | None = None  # that of a model that will not go on
        self._error: Exception | None = None
        self._seconds = 0.0
        self._before = 0
        self.training: Training | None = None  # None if there is nothing to train

    def begin(self, stack: ExitStack) -> None:
        """Make the model, or take it up again; `stack` ends what is open in any case."""
        task, continues = self._task, self._context.resource.continues
        paused = read(self._path) if task.start and continues else None
        if paused is not None and paused.state is None:
            self._stands = replace(paused.result, fit_time=0.0, score_time=0.0, cost=0.0)
            return
        report.announce(self._context, task)
        stack.enter_context(self._open)
        self._attempt(self._begin, None if paused is None else paused.state)

    def end(self) -> FoldResult:
        """Put the model aside if it may go on; return its scores, or what went wrong."""
        if self._stands is not None:
            return self._stands
        context, task = self._context, self._task
        fitted, state = self._attempt(self._finish) or (None, None)
        result = self._failure() if fitted is None else self._scored(fitted)
        if task.resumable and context.resource.continues:
            write(self._path, Paused(state, result))
        report.tell(context, task, result)
        self.training = None  # many may follow
        return result

    def _attempt(self, step: Callable[..., Any], *args: Any) -> Any:
        """Do a step in the model's surroundings; keep its error, and the time it took."""
        begin = time.perf_counter()
        try:
            with self._stream:
                return step(*args)
        except Exception as error:
            if self._context.error_score == "raise":
                raise
            self._error = error
        finally:
            self._seconds += time.perf_counter() - begin

    def _begin(self, state: bytes | None) -> None:
        context, task = self._context, self._task
        estimator = _seeded_clone(context.estimator, task.params, self._seed)
        data = self._rows.get(task.fold) or self._training_rows(estimator)
        if is_net(estimator):
            self._rows[task.fold] = data
        self._estimator = estimator
        self._open.enter_context(private_checkpoints(estimator))
        self._open.enter_context(
            _sklearn.callback_task(
                task.callbacks, context.caller, estimator, data.X, data.y, data.fit_params
            )
        )
        if state is None:
            model = context.resource.begin(estimator, data, context.max_resources)
        else:
            model = wake(state, context.resource)
        self._before = model.resource if model.continues else 0
        self.training = Training(model, data, task.stop, self._stream)

    def _training_rows(self, estimator: Any) -> TrainingData:
        context = self._context
        train, _ = context.splits[self._task.fold]
        X, y = _sklearn.safe_split(estimator, context.X, context.y, train)
        fit_params = _sklearn.check_method_params(context.X, context.fit_params, train)
        return TrainingData(X, y, fit_params, context.classes)

    def _finish(self) -> tuple[Any, bytes | None] | None:
        """Return the fitted estimator, and its state if a later task may go on from it."""
        training, resource = self.training, self._context.resource
        if training is None:
            return None
        self._seconds += training.seconds
        if training.error is not None:
            raise training.error
        self._open.close()
        model = training.model
        goes_on = self._task.resumable and resource.continues and not model.stopped
        generators = None if self._context.isolate == "none" else rng.get_state()
        state = sleep(model, resource, generators) if goes_on else None
        return resource.finish(model), state

    def _scored(self, fitted: Any) -> FoldResult:
        context = self._context
        assert self.training is not None
        train, test = context.splits[self._task.fold]
        X, y = _sklearn.safe_split(self._estimator, context.X, context.y, test, train)
        begin = time.perf_counter()
        train_scores = None
        asked = Answers(fitted, X) if context.keep_predictions else None
        with self._stream:
            test_scores, score_errors = _scores(context, asked or fitted, X, y, test)
            score_time = time.perf_counter() - begin
            if context.return_train_score:
                data = self.training.data
                train_scores, _ = _scores(context, fitted, data.X, data.y, train)
        return FoldResult(
            test_scores,
            train_scores,
            self._seconds,
            score_time,
            self._cost,
            score_errors=score_errors,
            path=self.training.path,
            reason=self.training.reason,
            predictions=None if asked is None else asked.known,
        )

    @property
    def _cost(self) -> int:
        return 0 if self.training is None else self.training.model.resource - self._before

    def _failure(self) -> FoldResult:
        scorer, error_score = self._context.scorer, self._context.error_score
        names = getattr(scorer, "_scorers", None)
        scores = error_score if names is None else dict.fromkeys(names, error_score)
        train_scores = scores if self._context.return_train_score else None
        assert self._error is not None
        trace = "".join(format_exception(self._error))
        return FoldResult(scores, train_scores, self._seconds, 0.0, self._cost, trace)


def _scores(
    context: FoldContext, fitted: Any, X: Any, y: Any, rows: Any
) -> tuple[Any, dict[str, str]]:
    """Return the scores, and the tracebacks of scorers that raised."""
    params = _sklearn.check_method_params(context.X, context.score_params, rows)
    errors: dict[str, str] = {}
    scorer = _sklearn.noting_scorer(context.scorer, errors)
    return _sklearn.score(fitted, X, y, scorer, params, context.error_score), errors


# -- seeds ---------------------------------------------------------------------------------


def _seed(*path: int) -> int:
    return int(np.random.SeedSequence(path).generate_state(1)[0]) % _SEED


def _seeded_clone(estimator: Any, params: dict[str, Any], seed: int) -> Any:
    """Return a clone with `params`, and a seed for each ``random_state`` that is None.

    Parameters that are estimators are cloned too.
    """
    model = clone(estimator).set_params(**clone(params, safe=False))
    unseeded = sorted(
        name
        for name, value in model.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    )
    seeds = np.random.SeedSequence(seed).generate_state(len(unseeded))
    if unseeded:
        model.set_params(**{n: int(s) % _SEED for n, s in zip(unseeded, seeds, strict=True)})
    return model
