"""Scores of fitted models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.evaluation.answers import plain_accuracy
from sk_hpo.evaluation.nets import is_net
from sk_hpo.evaluation.records import FoldContext

__all__ = ["Ready", "ready", "scores"]


class Ready:
    """The predictions of a model for the rows that it will be scored on, if they are known.

    Parameters
    ----------
    foreseen : Foreseen or None
        What stands for ``forward_iter`` of a net.
    seconds : float
        What it took to know.
    """

    def __init__(self, foreseen: Any = None, seconds: float = 0.0) -> None:
        self._foreseen = foreseen
        self.seconds = seconds

    @contextmanager
    def known_to(self, net: Any) -> Iterator[None]:
        """Let the net answer with them within the block."""
        if self._foreseen is None:
            yield
            return
        vars(net)["forward_iter"] = self._foreseen
        try:
            yield
        finally:
            del vars(net)["forward_iter"]


def ready(scorer: Any, fitted: Sequence[Any], Xs: Sequence[Any]) -> list[Ready]:
    """Return the predictions of models that were trained together, as far as they can be had.

    Parameters
    ----------
    scorer : callable
        What will ask for them. One that does more than to let a model predict is not
        anticipated.
    fitted : sequence of estimator
    Xs : sequence of indexable
        The rows of each.
    """
    if len(fitted) < 2 or not all(map(is_net, fitted)) or not _sklearn.only_predicts(scorer):
        return [Ready()] * len(fitted)
    from sk_hpo.evaluation.fused.foresee import foresee

    begin = time.perf_counter()
    found = foresee(fitted, Xs)
    share = (time.perf_counter() - begin) / len(fitted)
    return [Ready(each, share) for each in found]


def scores(
    context: FoldContext, fitted: Any, X: Any, y: Any, rows: np.ndarray
) -> tuple[Any, dict[str, str]]:
    """Return the scores, and the tracebacks of scorers that raised."""
    params = _sklearn.check_method_params(context.X, context.score_params, rows)
    accuracy = None if params else plain_accuracy(fitted, X, y, context.scorer)
    if accuracy is not None:
        return accuracy, {}
    errors: dict[str, str] = {}
    scorer = _sklearn.noting_scorer(context.scorer, errors)
    return _sklearn.score(fitted, X, y, scorer, params, context.error_score), errors
