"""What ``cv_results_`` says of each candidate on each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fold_scores", "metric_names", "one_metric"]


def metric_names(cv_results: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics, "score" for a single one.

    Examples
    --------
    >>> metric_names({"params": [{}], "mean_test_auc": [0.9], "mean_test_f1": [0.8]})
    ['auc', 'f1']
    """
    prefix = "mean_test_"
    return [name.removeprefix(prefix) for name in cv_results if name.startswith(prefix)]


def one_metric(metric: str | None, metrics: Sequence[str]) -> str:
    """Return `metric`, or for None the only one; ValueError if that is not one of `metrics`.

    Examples
    --------
    >>> one_metric(None, ["score"]), one_metric("auc", ["auc", "f1"])
    ('score', 'auc')
    """
    if metric is None and len(metrics) == 1:
        return metrics[0]
    if metric in metrics:
        return str(metric)
    seen = "metric= is not given" if metric is None else f"There is no metric {metric!r}"
    raise ValueError(f"{seen}; name one of {sorted(metrics)}.")


def fold_scores(cv_results: Mapping[str, Any], metric: str) -> NDArray[np.float64]:
    """Return the scores, shape (n_rows, n_folds); NaN at a fold that was not run or failed.

    Examples
    --------
    >>> fold_scores({"split0_test_score": [0.5, 0.75], "split1_test_score": [0.25, 1]}, "score")
    array([[0.5 , 0.25], [0.75, 1. ]])
    """
    columns = (f"split{fold}_test_{metric}" for fold in count())
    found = [cv_results[name] for name in takewhile(cv_results.__contains__, columns)]
    return np.array(found, dtype=float).T
