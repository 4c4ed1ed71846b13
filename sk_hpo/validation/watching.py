"""Alarms about early stopping that watches the very rows that score the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_hpo.validation.alarm import Alarm, n_rows_of
from sk_hpo.validation.fingerprint import Fingerprint
from sk_hpo.validation.row_hashes import hashes_or_none

__all__ = ["evaluation_set_alarms", "watching_alarms"]

Mask = NDArray[np.bool_]

_EVALUATION_SETS = ("eval_set", "eval_X", "X_val", "X_valid", "validation_data")


def watching_alarms(
    rows: Fingerprint, estimator: Any, scored: Mask, held_out: str = "validation"
) -> list[Alarm]:
    """Return an alarm if a skorch net chooses its epochs by rows that score it.

    Seen are ``train_split=predefined_split(dataset)``, where the dataset holds rows of X as
    the search gets them, together with a callback that monitors validation and acts on it:
    EarlyStopping, Checkpoint with ``load_best``, a rate that waits for a plateau.

    Parameters
    ----------
    rows : Fingerprint
        Of the n_rows rows of X.
    estimator : estimator or None
        A net, or what holds one.
    scored : ndarray of bool, shape (n_rows,)
        Which rows score a model in some split.
    held_out : str, default="validation"
        What they are called.

    Returns
    -------
    alarms : list of Alarm
        One for each such net.
    """
    alarms: list[Alarm] = []
    for net in _nets(estimator):
        watched = _dataset_rows(getattr(net.train_split, "keywords", {}).get("valid_ds"))
        if any(map(_acts_on_validation, net.callbacks or ())):
            alarms += _seen(
                rows,
                watched,
                scored,
                f"in the dataset of train_split=predefined_split(dataset), by which the"
                f" callbacks of {type(net).__name__} choose its epochs, are also {held_out}"
                " rows: they score what suits them. Use train_split=ValidSplit(...), which"
                " carves its rows from the training rows of each split.",
            )
    return alarms


def evaluation_set_alarms(
    rows: Fingerprint,
    fit_params: Mapping[str, Any],
    scored: Mask,
    held_out: str = "validation",
) -> list[Alarm]:
    """Return an alarm if an evaluation set that is passed to ``fit`` holds scored rows.

    Known by name, with or without the name of a step before it: ``eval_set``, ``eval_X``,
    ``X_val``, ``X_valid`` and ``validation_data``. Of a list of sets it is the last one,
    on which boosters stop.

    Parameters
    ----------
    rows, scored, held_out
        As in `watching_alarms`.
    fit_params : mapping of str to object
        What the estimator's ``fit`` gets.

    Returns
    -------
    alarms : list of Alarm
        One for each such argument.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.validation.fingerprint import Fingerprint
    >>> from sk_hpo.validation.watching import evaluation_set_alarms
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> passed = {"eval_set": [(X[:20], None)]}
    >>> evaluation_set_alarms(Fingerprint.of(X), passed, np.ones(60, bool))[0].n_rows
    20
    """
    alarms: list[Alarm] = []
    for name, value in fit_params.items():
        if value is not None and name.rpartition("__")[2] in _EVALUATION_SETS:
            alarms += _seen(
                rows,
                _set_rows(value),
                scored,
                f"in {name} are also {held_out} rows: an estimator that stops early by them"
                " is scored on what it was fitted to. Pass rows that are not in X, or let"
                " the estimator carve its own from the training rows of each split.",
            )
    return alarms


def _seen(rows: Fingerprint, watched: Any, scored: Mask, said: str) -> list[Alarm]:
    hashes = None if watched is None else hashes_or_none(watched)
    if hashes is None:
        return []
    hits = scored & np.isin(rows.hashes, hashes)
    if not rows.beyond_chance(hits, int(scored.sum())):
        return []
    total = int(hits.sum())
    return [Alarm("early_stopping", total, f"{n_rows_of(total)} {said}")]


def _nets(estimator: Any) -> Iterator[Any]:
    """Yield the nets among the estimator and what it holds."""
    if hasattr(estimator, "get_params") and not isinstance(estimator, type):
        for part in [estimator, *estimator.get_params(deep=True).values()]:
            if hasattr(part, "train_split") and hasattr(part, "callbacks"):
                yield part


def _acts_on_validation(callback: Any) -> bool:
    callback = callback[1] if isinstance(callback, tuple) else callback
    callback = callback() if isinstance(callback, type) else callback  # as skorch does
    monitor = getattr(callback, "monitor", None)
    if monitor is None or (isinstance(monitor, str) and monitor.startswith("train")):
        return False
    only_saves = hasattr(callback, "f_params") and not callback.load_best  # Checkpoint
    return not only_saves


def _dataset_rows(dataset: Any) -> Any:
    """Return the rows of a torch dataset without going through it; None if it has no table."""
    if hasattr(dataset, "tensors"):  # TensorDataset
        return dataset.tensors[0]
    if hasattr(dataset, "indices") and hasattr(dataset, "dataset"):  # Subset
        rows = _dataset_rows(dataset.dataset)
        return rows[np.asarray(dataset.indices)] if hasattr(rows, "shape") else None
    return getattr(dataset, "X", None)


def _set_rows(value: Any) -> Any:
    """Return X of (X, y), of the last of several (X, y), or of X itself."""
    last = value[-1] if isinstance(value, list) and value else value
    return last[0] if isinstance(last, tuple) and last else last
