"""What is asked of a search that is fitted on each outer fold, beside that it is one."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from sk_hpo import _sklearn
from sk_hpo.validation.alarm import Alarm
from sk_hpo.validation.selection import SelectionRule
from sk_hpo.validation.splits import HoldoutValidation

__all__ = ["check_outer_metric", "inner_group_alarms"]


def check_outer_metric(search: Any, scoring: Any) -> None:
    """Raise unless it is known by which metric `search` is to be scored.

    Raises
    ------
    ValueError
        If `scoring` is None, and a callable chooses among the metrics of the search: its own
        ``score`` has no metric then. A `SelectionRule` names one to the searches of sk_hpo;
        those of scikit-learn do not ask it.
    """
    several = isinstance(search.scoring, list | tuple | set | dict)
    if scoring is not None or not several or not callable(search.refit):
        return
    of_sklearn = type(search).score is _sklearn.BaseSearchCV.score
    if of_sklearn or not isinstance(search.refit, SelectionRule):
        raise ValueError(
            f"{type(search).__name__} has several metrics, {sorted(search.scoring)}, and refit"
            f"={search.refit!r} names none of them to score by: give scoring=."
        )


def inner_group_alarms(search: Any, y: Any, groups: Any) -> list[Alarm]:
    """Return an alarm if groups are given, and the search's own cv does not look at them.

    Parameters
    ----------
    search : estimator
        That is fitted on each outer fold.
    y, groups : array-like of length n_samples, or None
        The data.
    """
    apart = isinstance(search.cv, HoldoutValidation)  # rows of its own
    cv = None if apart else check_cv(search.cv, y, classifier=is_classifier(search))
    if groups is None or cv is None or _sklearn.uses_groups(cv):
        return []
    message = (
        f"groups were given, but the cv of {type(search).__name__}, {type(cv).__name__}, does"
        " not look at them: a group may both train and validate there, and what is chosen is"
        " what remembers it. Give the search a GroupKFold."
    )
    return [Alarm("groups", _sklearn.num_samples(groups), message)]
