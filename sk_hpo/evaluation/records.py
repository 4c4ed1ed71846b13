"""What goes to a worker and what comes back: FoldContext, FoldTask, FoldResult."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sk_hpo.evaluation.resources import Carve, Resource

__all__ = ["FoldContext", "FoldResult", "FoldTask", "failure"]


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
    device : str or None
        Where the refit trains; None for where the estimator says.
    shared_disk : bool
        Whether workers can read and write `folder`. If not, paused models travel with the
        tasks and their results.
    carves : sequence of Carve
        Which training rows of each fold early stopping watches; empty where that is left to
        the estimator.
    carve : Carve or None
        The same of all rows, for the refit.
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
    device: str | None = None
    shared_disk: bool = True
    carves: Sequence[Carve] = ()
    carve: Carve | None = None


@dataclass(frozen=True, slots=True)
class FoldTask:
    """Bring one fold of one trial from resource `start` to `stop`.

    `rungs` are the resources at which it was paused so far, the last one being `start`, and
    `digest` that of its paused model; if that is lost, it is trained again. It is `carried`
    along where there is no shared disk.
    """

    trial: int
    fold: int
    params: dict[str, Any]
    start: int
    stop: int
    resumable: bool
    n_trials: int
    callbacks: Any = None
    rungs: tuple[int, ...] = ()
    digest: str = ""
    carried: bytes | None = None


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
    digest : str
        Of the paused model; empty if it was not paused.
    carried : bytes or None
        The paused model, where there is no shared disk, until it is in the driver.
    n_epochs : int or None
        Epochs, iterations or trees of a model that stops early by rows that it watches; of
        its best epoch where it goes back to that. None for other models.
    began, ended : float or None
        When, in seconds since 1970 by the worker's clock. Those of nets that were trained
        together overlap.
    worker : str
        Which process did it, and on which machine; of threads, which thread.
    losses : int
        How many workers died of it before.
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
    digest: str = ""
    carried: bytes | None = None
    n_epochs: int | None = None
    began: float | None = None
    ended: float | None = None
    worker: str = ""
    losses: int = 0


def failure(context: FoldContext, why: str) -> FoldResult:
    """Return the result of a fold that has no scores, but an error."""
    scorer, error_score = context.scorer, context.error_score
    names = getattr(scorer, "_scorers", None)
    scores = error_score if names is None else dict.fromkeys(names, error_score)
    return FoldResult(
        scores, scores if context.return_train_score else None, 0.0, 0.0, error=why
    )
