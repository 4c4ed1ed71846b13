"""The searches that are killed, and what a forked process does with one of them."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent import futures
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._dynamo  # torch's optimizers import it late
from faults.cheap import Cheap, X, held_out, mark, y
from scipy.stats import loguniform, uniform
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback

from sk_hpo import (
    ASHASearchCV,
    BayesSearchCV,
    BOHBSearchCV,
    HalvingHyperbandSearchCV,
    RandomSearchCV,
    evaluation,
    journal,
    loop,
    search,
)

RUNGS = (1, 3, 9)
CV = StratifiedKFold(2)


class SGD(SGDClassifier):
    """Leaves a mark before each epoch; ``alpha`` tells candidates apart."""

    def __init__(self, log: str | None = None, alpha: float = 1e-4, random_state: Any = None):
        super().__init__(alpha=alpha, random_state=random_state)
        self.log = log

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> SGD:
        epoch = round((getattr(self, "t_", 1.0) - 1) / len(X)) + 1
        mark(self.log, self.alpha, held_out(X), epoch)
        return super().partial_fit(X, y, classes=classes)


class Marks(Callback):
    """Leaves a mark before each epoch of a net; ``lr`` tells candidates apart."""

    def __init__(self, log: str | None) -> None:
        self.log = log

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        rows = [np.asarray(row[0]) for row in dataset_train]
        mark(self.log, net.lr, held_out(rows), len(net.history))


class Net(torch.nn.Module):
    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(5, 8),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(8, 3),
        )

    def forward(self, X: Any) -> Any:
        return self.layers(X)


def net(log: str | None) -> NeuralNetClassifier:
    return NeuralNetClassifier(
        Net,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer__momentum=0.9,
        max_epochs=9,
        batch_size=16,
        iterator_train__shuffle=True,
        callbacks=[] if log is None else [Marks(log)],
        train_split=None,
        verbose=0,
    )


ALPHA = {"alpha": loguniform(1e-5, 1e-1)}
UNIT = {"x": uniform(0, 1)}
RATE = {"lr": loguniform(1e-3, 0.3), "module__dropout": uniform(0, 0.5)}


def _make(cls: Any, estimator: Any, space: Any, **defaults: Any) -> Callable[..., Any]:
    def make(log: str | None, **params: Any) -> Any:
        given = {"cv": CV, "random_state": 4, "leakage": "ignore", **defaults, **params}
        return cls(estimator(log), space, **given)

    return make


def _epochs(cls: Any, estimator: Any = SGD, space: Any = ALPHA, **defaults: Any) -> Any:
    given = {"max_resources": RUNGS[-1], "accelerator": "off", **defaults}
    return _make(cls, estimator, space, **given)


def _sleepy(log: str | None) -> Cheap:
    return Cheap(log, seconds=0.004)


def _slow(log: str | None) -> Cheap:
    return Cheap(log, seconds=0.3)


CASES: Mapping[str, Callable[..., Any]] = {
    "random": _make(RandomSearchCV, _sleepy, UNIT, n_iter=100),
    "bayes": _make(BayesSearchCV, _sleepy, UNIT, n_iter=14, n_initial_points=6),
    "epochs": _epochs(HalvingHyperbandSearchCV),
    "bohb": _epochs(BOHBSearchCV),
    "asha": _epochs(ASHASearchCV, n_candidates=18),
    "slow": _make(RandomSearchCV, _slow, UNIT, n_iter=5),
    "net": _epochs(HalvingHyperbandSearchCV, net, RATE, brackets=2),
}


def outcome(fitted: Any) -> dict[str, Any]:
    """Return what must not depend on any fault."""
    results = {k: v for k, v in fitted.cv_results_.items() if "_time" not in k}
    return {
        "results": results,
        "best": fitted.best_params_,
        "predictions": fitted.predict(X) if fitted.refit else None,
        "stopped_by": fitted.stopped_by_,
        "seconds": float(np.nanmedian(fitted.cv_results_["mean_fit_time"])),
    }


# -- in a process of its own ---------------------------------------------------------------


def run(
    case: str,
    log: str | None,
    out: str,
    params: dict[str, Any],
    fault: Mapping[str, Any],
) -> None:
    """Run a search; leave its outcome, its warnings and its error in the file `out`.

    `fault` may hold ``kill``, see `arm`; ``workers``, for so many forked ones; and
    ``largest``, the greatest length of a file, in bytes.
    """
    os.setpgid(0, 0)  # so that what it leaves behind can be found
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    if "workers" in fault:
        pool = futures.ProcessPoolExecutor(fault["workers"], mp_context=get_context("fork"))
        params = {**params, "executor": pool}
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        arm(fault.get("kill"))
        if "largest" in fault:
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault["largest"], hard))
        try:
            found |= outcome(CASES[case](log, **params).fit(X, y))
        except BaseException as error:
            found["error"] = f"{type(error).__name__}: {error}"
    sys.settrace(None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    found["warnings"] = [f"{entry.category.__name__}: {entry.message}" for entry in told]
    Path(out).write_bytes(pickle.dumps(found))
    os._exit(0)  # without waiting for workers that are kept for the next search


# The modules between whose lines a search must be able to die.
_BOOKS = {
    module.__file__
    for module in (
        *(loop, evaluation.evaluator, evaluation.paused, evaluation.fold),
        *(search.journaling, journal.writer, journal.checkpoints),
    )
}


def arm(kill: tuple[int, str, Any] | None) -> None:
    """Have this process kill itself.

    Parameters
    ----------
    kill : (int, "write", float), (int, "line", int) or None
        How many writes to the journal succeed; then in the midst of a write, of which
        that share reaches the file, or after so many more lines of the modules that keep
        the books.
    """
    if kill is None:
        return
    after, kind, how = kill
    pwrite, n_written, n_lines = os.pwrite, 0, 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def write(fd: int, data: bytes, offset: int) -> int:
        nonlocal n_written
        if kind == "write" and n_written == after:
            pwrite(fd, data[: int(how * len(data))], offset)
            die()
        n_written += 1
        return pwrite(fd, data, offset)

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal n_lines
        if frame.f_code.co_filename not in _BOOKS:
            return None
        if event == "line" and n_written >= after:
            n_lines += 1
            if n_lines > how:
                die()
        return trace

    os.pwrite = write
    if kind == "line":
        sys.settrace(trace)
