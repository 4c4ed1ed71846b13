"""Rules for ``refit=``: which candidate to take, where the highest mean may be luck.

Both look only at candidates whose mean score is within one standard error of the best one's:
Breiman, Friedman, Olshen, Stone: Classification and Regression Trees, 1984, section 3.4.3;
Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2009, section 7.10.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_hpo.validation.scores import fold_scores, metric_names, one_metric

__all__ = [
    "MostStable",
    "OneStandardError",
    "SelectionRule",
    "selection_rule",
    "within_one_standard_error",
]

Results = Mapping[str, Any]
Choices = Mapping[str, Sequence[Any]]

_ABSENT = object()


class SelectionRule(ABC):
    """Chooses a row of ``cv_results_``; may be given as ``refit=`` to any search.

    scikit-learn's own searches take it too, as the callable that it is.

    Attributes
    ----------
    metric : str or None
        Name of the metric to choose by; None for the only one.
    """

    metric: str | None

    @abstractmethod
    def __call__(self, cv_results: Results) -> int:
        """Return the position of the chosen row of ``cv_results_``; ValueError for none."""

    def check(self, choices: Choices, metrics: Sequence[str] | None, n_splits: int) -> None:
        """Raise ValueError if the rule cannot choose, before any training.

        Parameters
        ----------
        choices : mapping of str to sequence
            Names of the parameters that are searched, with the values that those which are
            chosen from a list may have; none for a range of numbers.
        metrics : sequence of str or None
            Names of the metrics, "score" for a single one; None if not yet known.
        n_splits : int
            Number of folds.
        """
        if n_splits < 2:
            raise ValueError(
                f"refit={self!r} needs a standard error over folds, but cv gives"
                f" {n_splits} fold: give at least 2."
            )
        if metrics is not None:
            one_metric(self.metric, metrics)


@dataclass(frozen=True)
class OneStandardError(SelectionRule):
    """The simplest candidate within one standard error of the best.

    The standard error is that of the best candidate's mean over its folds. Of candidates that
    are equally simple, the one with the best mean is taken.

    Parameters
    ----------
    order : str, sequence of str or callable
        What makes a candidate simpler. A name: the smaller, the simpler; a name with a minus
        before it: the larger, the simpler, as "-alpha" for the largest weight decay. Several
        names: by the first, and where that is the same by the next. A name is that of a
        parameter, else of a metric (such as a scorer that counts the parameters of the
        model), else of a numeric column of ``cv_results_`` (such as "mean_fit_time", which
        is measured, and so need not come out the same twice).
        A callable: takes a candidate's ``params`` and returns what sorts; the least is the
        simplest. For a search that is to be pickled, a function of a module.
    metric : str, default=None
        The metric to choose by; needed if there are several.

    Notes
    -----
    A parameter that a candidate does not have, in a space with conditions, counts as less
    than any number: a layer that is not there is simpler than a small one, and no penalty is
    less than a small one. None counts as the least simple, whatever the direction: no limit
    on the depth of a tree, no penalty. Other values that are not numbers need a callable.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas = {"alpha": [0.001, 0.01, 0.1, 0.3, 1, 3]}
    >>> GridSearchCV(Ridge(), alphas).fit(X, y).best_params_
    {'alpha': 0.001}
    >>> GridSearchCV(Ridge(), alphas, refit=OneStandardError("-alpha")).fit(X, y).best_params_
    {'alpha': 0.3}
    """

    order: str | Sequence[str] | Callable[[dict[str, Any]], Any]
    metric: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        names = self._names
        named = bool(names) and all(isinstance(name, str) and name.strip("-") for name in names)
        if not (named or callable(self.order)):
            raise ValueError(
                "order must be a name, a sequence of names, or a callable that takes params;"
                f" got {self.order!r}."
            )

    def __call__(self, cv_results: Results) -> int:
        near = within_one_standard_error(cv_results, self.metric)
        if callable(self.order):
            params = cv_results["params"]
            keys = {i: self.order(params[i]) for i in near}
        else:
            columns = [_column(name, cv_results) for name in self._names]
            keys = {i: tuple(column[i] for column in columns) for i in near}
        return int(min(near, key=keys.__getitem__))

    def check(self, choices: Choices, metrics: Sequence[str] | None, n_splits: int) -> None:
        super().check(choices, metrics, n_splits)
        for signed in self._names:
            name = signed.removeprefix("-")
            if name in choices:
                for value in choices[name]:
                    _simplicity(value, signed)
            elif not name.startswith(("mean_", "std_")) and name not in (metrics or [name]):
                raise ValueError(_unknown(name, [*choices, *(metrics or ())]))

    @property
    def _names(self) -> Sequence[str]:
        if callable(self.order) or not isinstance(self.order, Iterable):
            return ()
        return (self.order,) if isinstance(self.order, str) else tuple(self.order)


@dataclass(frozen=True)
class MostStable(SelectionRule):
    """The candidate whose scores vary least from fold to fold, within one standard error.

    This definition is ours: among the candidates whose mean is within one standard error of
    the best one's, which the folds can hardly tell apart, the one with the smallest standard
    deviation over folds. Of equals, the one with the best mean is taken.

    Parameters
    ----------
    metric : str, default=None
        The metric to choose by; needed if there are several.

    Examples
    --------
    >>> cv_results = {
    ...     "params": [{"C": 1}, {"C": 10}],
    ...     "split0_test_score": np.array([0.80, 0.83]),
    ...     "split1_test_score": np.array([0.90, 0.85]),
    ...     "mean_test_score": np.array([0.85, 0.84]),
    ...     "rank_test_score": np.array([1, 2]),
    ... }
    >>> MostStable()(cv_results)
    1
    """

    metric: str | None = field(default=None, kw_only=True)

    def __call__(self, cv_results: Results) -> int:
        name = one_metric(self.metric, metric_names(cv_results))
        near = within_one_standard_error(cv_results, name)
        spread = np.nanstd(fold_scores(cv_results, name)[near], axis=1)
        # Scores that differ by a constant have equal spreads, but for rounding.
        return int(near[np.isclose(spread, spread.min(), rtol=1e-9, atol=0.0).argmax()])


def selection_rule(
    refit: Any, choices: Choices, metrics: Sequence[str] | None, n_splits: int
) -> SelectionRule | None:
    """Return the rule that the user asked for; None for what scikit-learn does itself.

    Parameters
    ----------
    refit : bool, str or callable
        "most_stable" means ``MostStable()``; the name of a metric, whatever it is, means that
        metric. "one_standard_error" says no order, and none is right for every model, so it
        is an error that tells how to name one.
    choices, metrics, n_splits
        As in `SelectionRule.check`.

    Raises
    ------
    ValueError
        If the rule cannot choose.
    """
    if refit in (metrics or ()):
        return None
    if refit == "one_standard_error":
        name = next(iter(choices), "alpha")
        raise ValueError(
            "refit='one_standard_error' does not say which candidate is simpler. Name the"
            f" order: refit=OneStandardError({name!r}) if a smaller {name} is simpler,"
            f" OneStandardError({'-' + name!r}) if a larger one is."
        )
    if refit == "most_stable":
        refit = MostStable()
    if not isinstance(refit, SelectionRule):
        return None
    refit.check(choices, metrics, n_splits)
    return refit


def within_one_standard_error(
    cv_results: Results, metric: str | None = None
) -> NDArray[np.intp]:
    """Return the rows whose mean score is within one standard error of the best one's.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_``. Where rows differ in ``n_resources`` or ``n_folds``, those with the
        most compete.
    metric : str, default=None
        Name of the metric; needed if there are several.

    Returns
    -------
    positions : ndarray of shape (n_near,)
        By rank: the best candidate comes first.

    Raises
    ------
    ValueError
        If no candidate has a finite score, the best one has fewer than two folds, or the
        metric is unknown or not named.

    Examples
    --------
    >>> cv_results = {
    ...     "params": [{"C": 1}, {"C": 10}, {"C": 100}],
    ...     "split0_test_score": np.array([0.70, 0.80, 0.76]),
    ...     "split1_test_score": np.array([0.80, 0.90, 0.86]),
    ...     "mean_test_score": np.array([0.75, 0.85, 0.81]),
    ...     "rank_test_score": np.array([3, 1, 2]),
    ... }
    >>> within_one_standard_error(cv_results)  # 0.85, and a standard error of 0.05
    array([1, 2])
    """
    metric = one_metric(metric, metric_names(cv_results))
    mean = np.asarray(cv_results[f"mean_test_{metric}"], dtype=float)
    competing = _competing(cv_results, mean)
    rank = np.asarray(cv_results[f"rank_test_{metric}"])
    ranked = competing[np.argsort(rank[competing], kind="stable")]
    best = ranked[0]
    folds = fold_scores(cv_results, metric)[best]
    folds = folds[~np.isnan(folds)]
    if len(folds) < 2:
        raise ValueError(
            f"A standard error needs at least 2 folds; the best candidate has {len(folds)}."
            " Give a cv with more."
        )
    error = folds.std(ddof=1) / math.sqrt(len(folds))
    # A failed candidate, whose error_score may be above the best mean, ranks below the best.
    return ranked[(mean[ranked] >= mean[best] - error) & (mean[ranked] <= mean[best])]


def _competing(cv_results: Results, mean: NDArray[np.float64]) -> NDArray[np.intp]:
    usable = np.isfinite(mean)
    if not usable.any():
        raise ValueError(f"No candidate has a finite score to choose by: {mean}.")
    for name in ("n_resources", "n_folds"):
        if name in cv_results:
            level = np.asarray(cv_results[name])
            usable &= level == level[usable].max()
    return np.flatnonzero(usable)


def _column(signed: str, cv_results: Results) -> list[float]:
    """Return a number per row, the smaller the simpler."""
    name = signed.removeprefix("-")
    params = cv_results["params"]
    values: Any = cv_results.get(f"param_{name}")
    if values is not None:
        absent = np.ma.getmaskarray(values)
        values = [_ABSENT if a else v for v, a in zip(values.tolist(), absent, strict=True)]
    elif any(name in one for one in params):
        values = [one.get(name, _ABSENT) for one in params]
    elif f"mean_test_{name}" in cv_results:
        values = cv_results[f"mean_test_{name}"]
    elif name in cv_results:
        values = cv_results[name]
    else:
        known = dict.fromkeys(key for one in params for key in one)
        raise ValueError(_unknown(name, [*known, *metric_names(cv_results)]))
    return [_simplicity(value, signed) for value in values]


def _simplicity(value: Any, signed: str) -> float:
    """Return a number that is smaller for what is simpler."""
    sign = -1.0 if signed.startswith("-") else 1.0
    if value is None:
        return math.inf
    if value is _ABSENT:
        return sign * -math.inf
    if isinstance(value, Real | np.bool_) and not math.isnan(value):
        return sign * float(value)
    name = signed.removeprefix("-")
    raise ValueError(
        f"The order {signed!r} meets the value {value!r}, which is not a number. Give a"
        f" callable that returns what sorts, such as order=lambda params: [...].index("
        f"params[{name!r}])."
    )


def _unknown(name: str, known: Sequence[str]) -> str:
    return (
        f"The order {name!r} is neither a parameter that is searched nor a metric nor a"
        f" numeric column of cv_results_. There are {sorted(known)}."
    )
