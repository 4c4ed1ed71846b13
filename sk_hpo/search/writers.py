"""Callbacks that write each result down as it comes: a table for spreadsheets, TensorBoard.

They write in the process that called ``fit`` and hold no open file, so that they go along
with the search to workers of any kind.
"""

from __future__ import annotations

import csv
import math
import os
import socket
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from sk_hpo.inspection.record import Rung, TrialRecord, label_of
from sk_hpo.search.plan import Plan

__all__ = ["CSVWriter", "TensorBoardWriter"]


class _Writer:
    """A callback for scikit-learn, and a listener for the search."""

    def setup(self, estimator: Any, context: Any) -> None:
        """Nothing to do: the search says more when it begins."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def on_search_end(self) -> None:
        """Nothing to do: all is written."""


class CSVWriter(_Writer):
    """Writes a row for each candidate on each rung, as soon as its folds are done.

    Set by ``search.set_callbacks(CSVWriter("trials.csv"))``. The file begins anew with each
    ``fit``; a search that goes on from its journal writes all of it again. Searches that run
    side by side, as those of the outer folds of a nested cross-validation do, need a file each.

    Parameters
    ----------
    path : str or path-like
        The file. Columns are ``trial``, ``bracket``, ``iter``, ``n_resources``,
        ``param_*``, ``mean_test_score``, ``standard_error``, ``split*_test_score`` (of the
        metric that steers), ``seconds`` (of fitting and scoring all folds), ``ended``
        (seconds since 1970) and ``failure``, the last line of the traceback. A cell is
        empty where there is nothing.

    Examples
    --------
    >>> import csv, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sk_hpo import CSVWriter, RandomSearchCV
    >>> path = f"{tempfile.mkdtemp()}/trials.csv"
    >>> search = RandomSearchCV(
    ...     DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, n_iter=3,
    ... )
    >>> search = search.set_callbacks(CSVWriter(path)).fit(*load_iris(return_X_y=True))
    >>> with open(path) as file:
    ...     rows = list(csv.DictReader(file))
    >>> [row["param_max_depth"] for row in rows]
    ['1', '2', '3']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def on_search_begin(self, search: Any, plan: Plan, names: Sequence[str]) -> None:
        """Write the names of the columns."""
        self._columns = [
            *("trial", "bracket", "iter", "n_resources"),
            *(f"param_{name}" for name in names),
            *("mean_test_score", "standard_error"),
            *(f"split{fold}_test_score" for fold in range(plan.n_splits)),
            *("seconds", "ended", "failure"),
        ]
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(self._columns)

    def on_result(self, trial: TrialRecord, rung: Rung) -> None:
        """Write a row."""
        row = {
            "trial": trial.id,
            "bracket": trial.bracket,
            "iter": rung.number,
            "n_resources": rung.resource,
            "mean_test_score": rung.score,
            "standard_error": rung.standard_error,
            "seconds": round(rung.seconds, 6),
            "ended": rung.ended,
            "failure": rung.failure.strip().splitlines()[-1] if rung.failure else "",
        }
        row |= {f"param_{name}": _cell(value) for name, value in trial.params.items()}
        row |= {f"split{fold}_test_score": score for fold, score in enumerate(rung.scores)}
        row = {k: "" if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, extrasaction="ignore").writerow(row)


class TensorBoardWriter(_Writer):
    """Writes each candidate as a run of TensorBoard: its curve and its hyperparameters.

    Set by ``search.set_callbacks(TensorBoardWriter("runs"))``; then ``tensorboard --logdir
    runs`` shows ``score`` (mean over the folds, of the metric that steers) against the
    resource, and compares candidates under "HParams". Needs the package ``tensorboard``,
    and neither torch nor TensorFlow.

    Parameters
    ----------
    folder : str or path-like
        Made if it is not there; each ``fit`` has a folder in it, named by class and time,
        and each candidate one in that.

    Raises
    ------
    ImportError
        If there is no ``tensorboard``.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = folder

    def on_search_begin(self, search: Any, plan: Plan, names: Sequence[str]) -> None:
        """Make a folder for the search."""
        _tensorboard()
        name = f"{type(search).__name__}-{time.strftime('%Y%m%d-%H%M%S')}"
        for n in count(1):
            self._run = Path(self.folder) / (f"{name}-{n}" if n > 1 else name)
            try:
                self._run.mkdir(parents=True)
                break
            except FileExistsError:  # of a search that began in the same second
                continue
        self._begun: set[int] = set()

    def on_result(self, trial: TrialRecord, rung: Rung) -> None:
        """Write a point of the candidate's curve; before the first one, its parameters."""
        summaries = []
        if trial.id not in self._begun:
            self._begun.add(trial.id)
            summaries.append(_hparams(trial))
        if not rung.failed:
            summaries.append(_scalars({"score": rung.score, "seconds": rung.seconds}))
        for summary in summaries:
            _append(self._run / f"trial-{trial.id}", summary, rung.resource)


def _cell(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else label_of(value)


def _tensorboard() -> Any:
    try:
        import tensorboard
    except ImportError as error:
        raise ImportError(
            "TensorBoardWriter needs the package tensorboard: pip install tensorboard."
        ) from error
    return tensorboard


def _hparams(trial: TrialRecord) -> Any:
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    return hparams_pb({n: _cell(v) for n, v in trial.params.items()}, f"trial-{trial.id}")


def _scalars(values: dict[str, float]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=t, simple_value=v) for t, v in values.items()])


def _append(folder: Path, summary: Any, step: int) -> None:
    """Write an event to the only file of a run; made, with the event that begins it."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(exist_ok=True)
    path = folder / f"events.out.tfevents.{socket.gethostname()}"
    now = time.time()
    events = [] if path.exists() else [Event(wall_time=now, file_version="brain.Event:2")]
    with open(path, "ab") as file:
        for event in [*events, Event(wall_time=now, step=step, summary=summary)]:
            RecordWriter(file).write(event.SerializeToString())
