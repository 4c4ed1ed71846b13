"""Train and score folds of trials: what runs on a worker.

Everything random derives from ``(seed, trial, fold)``, and the state of the random number
generators travels with a paused model, so that neither the number of workers nor a pause
leaves a trace in a result.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from traceback import format_exception
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone

from sk_hpo import _sklearn
from sk_hpo.evaluation import report, rng
from sk_hpo.evaluation.answers import Answers
from sk_hpo.evaluation.checkpoints import private_checkpoints
from sk_hpo.evaluation.devices import move, place
from sk_hpo.evaluation.early_stopping import settled_on
from sk_hpo.evaluation.memory import keep_freed
from sk_hpo.evaluation.nets import is_net
from sk_hpo.evaluation.paused import (
    Paused,
    opened,
    paused_path,
    read,
    sealed,
    sleep,
    wake,
    write,
)
from sk_hpo.evaluation.records import FoldContext, FoldResult, FoldTask, failure
from sk_hpo.evaluation.refit import fixed, note_epochs, quiet_if
from sk_hpo.evaluation.resources import Training, TrainingData
from sk_hpo.evaluation.scoring import Ready, ready, scores

__all__ = ["run_folds", "train_whole"]

# torch has one generator per process: nets that train in threads take turns.
_TURN = threading.RLock()

_SEED = np.iinfo(np.int32).max


def run_folds(
    context: FoldContext, tasks: Sequence[FoldTask], device: str | None = None
) -> list[FoldResult]:
    """Run `tasks`, and train together what is better trained together; on the worker.

    With a `device`, there. What goes wrong with one is its own result, unless
    ``error_score="raise"``.
    """
    with _surroundings(context), ExitStack() as stack:
        # nets only read them: one copy for a fold's nets
        rows: dict[int, TrainingData] = {}
        tests: dict[int, tuple[Any, Any]] = {}
        fits = [_Fit(context, task, rows, tests, device) for task in tasks]
        results: dict[_Fit, FoldResult] = {}
        for fit in fits:
            fit.begin(stack)
            if fit.training is None or context.resource.alone(fit.training.model):
                context.resource.advance_all([fit.training] if fit.training else [])
                fit.finish()
                results[fit] = fit.end()
                rows.clear()
                tests.clear()
        waiting = [fit for fit in fits if fit not in results]
        context.resource.advance_all([fit.training for fit in waiting if fit.training])
        for fit in waiting:
            fit.finish()
        _make_ready(context, waiting)
        results |= {fit: fit.end() for fit in waiting}
        return [results[fit] for fit in fits]


def train_whole(
    context: FoldContext,
    params: dict[str, Any],
    trial: int,
    resource: int,
    callbacks: Any,
    n_epochs: int | None = None,
) -> Any:
    """Return an estimator with `params`, trained on all rows to `resource`.

    Its ``random_state`` is as the user left it: a None follows the global generator, which
    is seeded from the trial. With `n_epochs`, it is trained for so many epochs, iterations
    or trees, and does not stop early.
    """
    estimator = clone(context.estimator).set_params(**clone(params, safe=False))
    place(estimator, context.device)
    data = TrainingData(
        context.X, context.y, context.fit_params, context.classes, context.carve
    )
    kind = context.resource.refitting()
    to = kind.for_refit(resource, _sklearn.num_samples(context.X))
    top = max(to, context.max_resources)
    if n_epochs is not None:
        kind, to, top = fixed(kind, estimator, to, top, n_epochs)
    stream = rng.Stream(_seed(context.seed, trial, len(context.splits)))
    with _own_generators(), rng.kept():
        with _sklearn.callback_task(
            callbacks, context.caller, estimator, data.X, data.y, data.fit_params
        ):
            with stream:
                model = kind.begin(estimator, data, top)
            training = Training(model, data, to, stream)
            with quiet_if(n_epochs is not None):
                kind.advance_all([training])
            if training.error is not None:
                raise training.error
        with stream:
            fitted = kind.finish(model)
    return fitted if n_epochs is None else note_epochs(fitted, n_epochs)


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
    keep_freed()
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
        self,
        context: FoldContext,
        task: FoldTask,
        rows: dict[int, TrainingData],
        tests: dict[int, tuple[Any, Any]],
        device: str | None,
    ) -> None:
        self._context = context
        self._task = task
        self._rows = rows
        self._tests = tests
        self._device = device
        self._seed = _seed(context.seed, task.trial, task.fold)
        self._stream = nullcontext() if context.isolate == "none" else rng.Stream(self._seed)
        self._open = ExitStack()  # what must end when training ends
        self._stands: FoldResult | None = None  # that of a model that will not go on
        self._error: Exception | None = None
        self._seconds = 0.0
        self._began = 0.0
        self._before = 0
        self.training: Training | None = None  # None if there is nothing to train
        self.fitted: Any = None  # once training has ended well
        self._state: bytes | None = None
        self.ready = Ready()

    def begin(self, stack: ExitStack) -> None:
        """Make the model, or take it up again; `stack` ends what is open in any case."""
        task = self._task
        self._began = time.time()
        paused = self._paused() if task.digest else None
        if paused is not None and paused.state is None:
            stands = replace(paused.result, fit_time=0.0, score_time=0.0, cost=0.0)
            self._stands = self._put_aside(None, stands)
            return
        report.announce(self._context, task)
        stack.enter_context(self._open)
        self._attempt(self._begin, None if paused is None else paused.state)

    def finish(self) -> None:
        """End the training."""
        self.fitted, self._state = self._attempt(self._finish) or (None, None)

    def end(self) -> FoldResult:
        """Put the model aside if it may go on; return its scores, or what went wrong."""
        if self._stands is not None:
            return self._signed(self._stands)
        context, task = self._context, self._task
        result = self._failure() if self.fitted is None else self._scored(self.fitted)
        result = self._put_aside(self._state, result)
        report.tell(context, task, result)
        self.training = self.fitted = self._state = None  # many may follow
        self.ready = Ready()
        return self._signed(result)

    def _signed(self, result: FoldResult) -> FoldResult:
        """Return the result with when, and by whom, it was found."""
        worker = f"{socket.gethostname()}:{os.getpid()}"
        if self._context.isolate != "process":
            worker += f":{threading.get_ident()}"
        began, ended = round(self._began, 3), round(time.time(), 3)
        return replace(result, began=began, ended=ended, worker=worker)

    def _path(self, resource: int) -> Path:
        return paused_path(self._context.folder, self._task.trial, self._task.fold, resource)

    def _paused(self) -> Paused | None:
        """Return the paused model; None if it is lost."""
        task = self._task
        data = read(self._path(task.start)) if self._context.shared_disk else task.carried
        return opened(data, task.digest)

    def _put_aside(self, state: bytes | None, result: FoldResult) -> FoldResult:
        """Write the model where a later task finds it, if there may be one."""
        task = self._task
        if not (task.resumable and self._context.resource.continues):
            return result
        data, digest = sealed(Paused(state, result))
        if not self._context.shared_disk:
            return replace(result, digest=digest, carried=data)
        return replace(result, digest=digest if write(self._path(task.stop), data) else "")

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
        place(estimator, self._device)
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
        if state is not None:
            model = wake(state, context.resource)
            move(model, self._device)
            self._before = model.resource if model.continues else 0
        else:
            model = context.resource.begin(estimator, data, context.max_resources)
            for rung in task.rungs:  # in the steps in which it was trained before
                context.resource.advance(model, data, rung)
        self.training = Training(model, data, task.stop, self._stream)

    def _training_rows(self, estimator: Any) -> TrainingData:
        context = self._context
        train, _ = context.splits[self._task.fold]
        X, y = _sklearn.safe_split(estimator, context.X, context.y, train)
        fit_params = _sklearn.check_method_params(context.X, context.fit_params, train)
        carve = context.carves[self._task.fold] if context.carves else None
        return TrainingData(X, y, fit_params, context.classes, carve)

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
        generators = getattr(self._stream, "state", None)  # where they stand now
        state = sleep(model, resource, generators) if goes_on else None
        return resource.finish(model), state

    @property
    def rows_to_score(self) -> tuple[Any, Any]:
        """X and y of the validation rows: one copy for a fold's nets, as long as there are."""
        fold, context = self._task.fold, self._context
        found = self._tests.get(fold)
        if found is None:
            train, test = context.splits[fold]
            found = _sklearn.safe_split(self._estimator, context.X, context.y, test, train)
        if is_net(self._estimator):
            self._tests[fold] = found
        return found

    def _scored(self, fitted: Any) -> FoldResult:
        context = self._context
        assert self.training is not None
        train, test = context.splits[self._task.fold]
        X, y = self.rows_to_score
        begin = time.perf_counter()
        train_scores = None
        asked = Answers(fitted, X) if context.keep_predictions else None
        if isinstance(self._stream, rng.Stream):
            self._stream.take_over()  # where it stands afterwards, nobody asks
        with self.ready.known_to(fitted):
            test_scores, score_errors = scores(context, asked or fitted, X, y, test)
            score_time = self.ready.seconds + time.perf_counter() - begin
            if context.return_train_score:
                data = self.training.data
                train_scores, _ = scores(context, fitted, data.X, data.y, train)
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
            n_epochs=settled_on(fitted),
        )

    @property
    def _cost(self) -> int:
        return 0 if self.training is None else self.training.model.resource - self._before

    def _failure(self) -> FoldResult:
        assert self._error is not None
        trace = "".join(format_exception(self._error))
        return replace(failure(self._context, trace), fit_time=self._seconds, cost=self._cost)


def _make_ready(context: FoldContext, fits: Sequence[_Fit]) -> None:
    """Ask models that were trained together for their predictions."""
    alike = [fit for fit in fits if fit.training and fit.training.path == "together"]
    alike = [fit for fit in alike if fit.fitted is not None and is_net(fit.fitted)]
    Xs = [fit.rows_to_score[0] for fit in alike]
    found = ready(context.scorer, [fit.fitted for fit in alike], Xs)
    for fit, of_fit in zip(alike, found, strict=True):
        fit.ready = of_fit


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
