"""Train and score one fold of one trial: what runs on a worker.

Everything random derives from ``(seed, trial, fold)``, and the state of the random number
generators travels with a paused model, so that neither the number of workers nor a pause
leaves a trace in a result.
"""

from __future__ import annotations

import math
import pickle
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import format_exc
from typing import Any, Literal

import numpy as np
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone

from sk_hpo import _sklearn
from sk_hpo.evaluation import report, rng
from sk_hpo.evaluation.checkpoints import private_checkpoints
from sk_hpo.evaluation.resources import Model, Resource, TrainingData

__all__ = ["FoldContext", "FoldResult", "FoldTask", "run_fold", "train_whole"]

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
    """

    test_scores: Any
    train_scores: Any
    fit_time: float
    score_time: float
    cost: float = 0.0
    error: str | None = None
    score_errors: dict[str, str] = field(default_factory=dict)


def run_fold(context: FoldContext, task: FoldTask) -> FoldResult:
    """Run `task`; on the worker."""
    seed = _seed(context.seed, task.trial, task.fold)
    with _surroundings(context, seed):
        paused = _read(context, task)
        if paused is not None and paused.state is None:
            return replace(paused.result, fit_time=0.0, score_time=0.0, cost=0.0)
        report.announce(context, task)
        result, state = _train_and_score(context, task, seed, paused)
        _write(context, task, _Paused(state, result))
        report.tell(context, task, result)
        return result


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
def _surroundings(context: FoldContext, seed: int) -> Iterator[None]:
    """scikit-learn's settings as in the driver, generators seeded, and one torch thread.

    torch's results depend on its number of threads, so that number must not depend on how
    many folds run side by side; and folds side by side are the better use of cores.
    """
    with ExitStack() as stack:
        stack.enter_context(config_context(**context.config))
        if context.isolate == "turns":
            stack.enter_context(_own_generators())
        if context.isolate != "none":
            stack.enter_context(rng.seeded(seed))
            if torch := sys.modules.get("torch"):
                stack.callback(torch.set_num_threads, torch.get_num_threads())
                torch.set_num_threads(1)
        yield


def _train_and_score(
    context: FoldContext, task: FoldTask, seed: int, paused: _Paused | None
) -> tuple[FoldResult, bytes | None]:
    """Return the result, and the model's state if a later task may go on from it."""
    resource = context.resource
    train, test = context.splits[task.fold]
    model, before = None, 0
    begin = time.perf_counter()
    try:
        estimator = _seeded_clone(context.estimator, task.params, seed)
        X_train, y_train = _sklearn.safe_split(estimator, context.X, context.y, train)
        fit_params = _sklearn.check_method_params(context.X, context.fit_params, train)
        data = TrainingData(X_train, y_train, fit_params, context.classes)
        listening = _sklearn.callback_task(
            task.callbacks, context.caller, estimator, X_train, y_train, fit_params
        )
        with private_checkpoints(estimator), listening:
            if paused is None:
                model = resource.begin(estimator, data, context.max_resources)
            else:
                assert paused.state is not None
                model = _wake(context, paused.state)
            before = model.resource if model.continues else 0
            resource.advance(model, data, task.stop)
        cost = model.resource - before
        goes_on = task.resumable and resource.continues and not model.stopped
        state = _sleep(context, model) if goes_on else None
        fitted = resource.finish(model)
    except Exception:
        if context.error_score == "raise":
            raise
        cost = model.resource - before if model is not None else 0
        return _failure(context, time.perf_counter() - begin, cost), None
    fit_time = time.perf_counter() - begin

    begin = time.perf_counter()
    X_test, y_test = _sklearn.safe_split(estimator, context.X, context.y, test, train)
    test_scores, score_errors = _scores(context, fitted, X_test, y_test, test)
    score_time = time.perf_counter() - begin
    train_scores = None
    if context.return_train_score:
        train_scores, _ = _scores(context, fitted, X_train, y_train, train)
    return (
        FoldResult(
            test_scores, train_scores, fit_time, score_time, cost, score_errors=score_errors
        ),
        state,
    )


def _scores(
    context: FoldContext, fitted: Any, X: Any, y: Any, rows: Any
) -> tuple[Any, dict[str, str]]:
    """Return the scores, and the tracebacks of scorers that raised."""
    params = _sklearn.check_method_params(context.X, context.score_params, rows)
    errors: dict[str, str] = {}
    scorer = _sklearn.noting_scorer(context.scorer, errors)
    return _sklearn.score(fitted, X, y, scorer, params, context.error_score), errors


def _failure(context: FoldContext, fit_time: float, cost: float) -> FoldResult:
    names = getattr(context.scorer, "_scorers", None)
    scores = context.error_score if names is None else dict.fromkeys(names, context.error_score)
    train_scores = scores if context.return_train_score else None
    return FoldResult(scores, train_scores, fit_time, 0.0, cost, format_exc())


# -- paused models -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Paused:
    """A fold model between two rungs.

    ``state`` is None if it will not be trained again, because it stopped early or failed:
    the last result then stands for every later rung.
    """

    state: bytes | None
    result: FoldResult


def _sleep(context: FoldContext, model: Model) -> bytes:
    generators = None if context.isolate == "none" else rng.get_state()
    return pickle.dumps((generators, context.resource.pack(model)))


def _wake(context: FoldContext, state: bytes) -> Model:
    generators, packed = pickle.loads(state)
    model = context.resource.unpack(packed)
    if generators is not None:
        rng.set_state(generators)
    return model


def paused_path(folder: Path, trial: int, fold: int) -> Path:
    """Return where a fold's paused model lies."""
    return folder / f"{trial}-{fold}"


def _read(context: FoldContext, task: FoldTask) -> _Paused | None:
    if task.start == 0 or not context.resource.continues:
        return None
    paused = pickle.loads(paused_path(context.folder, task.trial, task.fold).read_bytes())
    assert isinstance(paused, _Paused)
    return paused


def _write(context: FoldContext, task: FoldTask, paused: _Paused) -> None:
    if not (task.resumable and context.resource.continues):
        return
    path = paused_path(context.folder, task.trial, task.fold)
    new = path.with_suffix(".new")
    new.write_bytes(pickle.dumps(paused))
    new.replace(path)


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
