"""Searches side by side: the same outer folds, the same budget, honest scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from joblib import effective_n_jobs

from sk_hpo.inspection.style import COLORS
from sk_hpo.validation.alarm import report
from sk_hpo.validation.budget import Unit, check_budget, common_resource, held_to, spent
from sk_hpo.validation.inner import check_outer_metric, inner_group_alarms
from sk_hpo.validation.outer import (
    OuterFold,
    check_search,
    fit_params_for,
    outer_splits,
    run_outer,
    training_rows,
)
from sk_hpo.validation.seconds import held_to_time

__all__ = ["CompareSearchesDisplay", "compare_searches"]

Cost = Literal["fit_time", "n_fits", "resource_spent"]

_LABELS = {
    "fit_time": "Seconds per outer fold, refit included",
    "n_fits": "Fits per outer fold",
    "resource_spent": "Resource spent per outer fold",
}


def compare_searches(
    searches: Mapping[str, Any],
    X: Any,
    y: Any = None,
    *,
    outer_cv: Any = 5,
    budget: Mapping[str, float] | None = None,
    scoring: Any = None,
    groups: Any = None,
    n_jobs: int | None = None,
) -> Any:
    """Run several searches on the same outer folds and return what each cost and found.

    Parameters
    ----------
    searches : dict of str to estimator
        Name -> search, of this library or of scikit-learn. They are left as they are.
    X : array-like of shape (n_samples, n_features)
        The data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets.
    outer_cv : int, splitter, iterable of splits or None, default=5
        The outer folds, as ``cv`` of `sklearn.model_selection.cross_validate`; drawn once.
    budget : dict or None, default=None
        ``{"fits": n}`` or ``{"resource": n}``: what a search may spend within an outer
        fold. Its ``n_iter``, ``n_candidates`` or ``hyperband_iterations`` becomes the
        largest that fits, and all else is left as it is. A grid must fit as it is. None
        leaves the searches as they are. The refit comes on top. A ``resource`` is summed
        over inner folds; a search that gives out none pays a full training for each fit.
        ``{"seconds": s}``: how long a search may take within an outer fold, the refit
        included, as ``time_budget`` has it. That number becomes larger than there is time
        for (brackets of Hyperband are repeated), so that the clock ends the search; a grid
        is tried in its order. Successive halving of scikit-learn cannot be stopped: pilots
        of 1, 2, 4, ... candidates, which are not counted, say how many there is time for.
    scoring : str, callable or None, default=None
        The outer metric. None is the metric by which each search chooses.
    groups : array-like of shape (n_samples,), default=None
        As in `nested_cross_validate`.
    n_jobs : int or None, default=None
        Outer folds at once, as in `nested_cross_validate`. Times are comparable only if
        the machine does nothing else.

    Returns
    -------
    frame : pandas.DataFrame
        A row for each search and outer fold, with the columns

        - ``search``, ``fold``;
        - ``fit_time``: seconds, the refit included;
        - ``n_fits``: trainings of a candidate on an inner fold, the refit not included;
        - ``resource``, ``resource_spent``: its name, and how much of it all these
          trainings together took; None and NaN where not known. Of "n_samples", the rows
          that models were trained on are counted;
        - ``inner_score``: what the search reports; NaN if it does not measure the outer
          metric;
        - ``outer_score``: on rows that the search never saw;
        - ``optimism``: the inner minus the outer score;
        - ``params``: what was selected, as a dict.

        Where a search failed, its scores are NaN.

    Raises
    ------
    TypeError, ValueError
        Before any training, as in `nested_cross_validate`; if a budget is not understood,
        or a search cannot be held to it.

    See Also
    --------
    CompareSearchesDisplay : Plots the frame.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import BayesSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> searches = {
    ...     "grid": GridSearchCV(SVC(), {"C": [0.01, 0.1, 1, 10]}, cv=3),
    ...     "bayes": BayesSearchCV(SVC(), {"C": loguniform(0.01, 10)}, cv=3, random_state=0),
    ... }
    >>> frame = compare_searches(searches, X, y, outer_cv=2, budget={"fits": 12})
    >>> frame.groupby("search", sort=False)["n_fits"].sum()
    search
    grid     24
    bayes    24
    Name: n_fits, dtype: int64
    """
    import pandas as pd

    if not isinstance(searches, Mapping) or not searches:
        raise TypeError("searches must be a dict of name -> search, with one at least.")
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(
            f"scoring must be one metric, got {scoring!r}: compare by one after the other."
        )
    for search in searches.values():
        check_search(search)
        check_outer_metric(search, scoring)
        alarms = inner_group_alarms(search, y, groups)
        report(alarms, getattr(search, "leakage", "warn"), stacklevel=3)
    limit = check_budget(budget)
    resource = common_resource(list(searches.values()))
    splits = outer_splits(next(iter(searches.values())), X, y, outer_cv, groups)
    ready = dict(searches)
    if limit is not None:
        largest = max((train for train, _ in splits), key=len)
        for name, search in searches.items():
            with _named(name):
                data = training_rows(search, X, y, fit_params_for(search, y, groups), largest)
                ready[name] = _held(*limit, search, data, resource, n_jobs)
    rows: list[dict[str, Any]] = []
    for name, search in ready.items():
        fit_params = fit_params_for(search, y, groups)
        with _named(name):
            folds = run_outer(
                search, X, y, splits, scoring=scoring, fit_params=fit_params, n_jobs=n_jobs
            )
        for i, (fold, (train, _)) in enumerate(zip(folds, splits, strict=True)):
            data = training_rows(search, X, y, fit_params, train)
            rows.append({"search": name, "fold": i} | _row(fold, data, resource))
    return pd.DataFrame(rows)


def _held(
    unit: Unit,
    amount: Any,
    search: Any,
    data: tuple[Any, Any, dict[str, Any]],
    resource: str | None,
    n_jobs: int | None,
) -> Any:
    """Return a clone of a search that keeps within the budget."""
    if unit != "seconds":
        return held_to(unit, amount, search, *data, resource)
    return held_to_time(amount, search, *data, alone=effective_n_jobs(n_jobs) == 1)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Add to an error in which search it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This happened in the search {name!r}.")
        raise


def _row(
    fold: OuterFold, data: tuple[Any, Any, dict[str, Any]], resource: Any
) -> dict[str, Any]:
    n_fits: float = np.nan
    resource_spent = np.nan
    if fold.search is not None:
        n_fits, resource_spent = spent(fold.search, *data, resource)
    # A callable that names several metrics has no one score.
    [(metric, outer)] = fold.outer_scores.items()
    return {
        "fit_time": fold.fit_time,
        "n_fits": n_fits,
        "resource": None
        if np.isnan(resource_spent)
        else getattr(fold.search, "resource", resource),
        "resource_spent": resource_spent,
        "inner_score": fold.inner_scores[metric],
        "outer_score": outer,
        "optimism": fold.inner_scores[metric] - outer,
        "params": fold.best_params,
    }


class CompareSearchesDisplay:
    """A picture of what `compare_searches` returned: score against what it cost.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `compare_searches`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by `plot`.
    figure_ : matplotlib Figure
        Set by `plot`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "search": ["grid", "grid", "bayes", "bayes"], "fit_time": [9.0, 8.0, 5.0, 6.0],
    ...     "outer_score": [0.9, 0.92, 0.93, 0.91],
    ... })
    >>> display = CompareSearchesDisplay.from_frame(frame)
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['grid', 'bayes']
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    @classmethod
    def from_frame(cls, frame: Any, *, x: Cost = "fit_time", ax: Any = None) -> Any:
        """Plot a frame; the arguments are those of `plot`.

        Returns
        -------
        display : CompareSearchesDisplay
        """
        return cls(frame).plot(x=x, ax=ax)

    def plot(self, *, x: Cost = "fit_time", ax: Any = None) -> Any:
        """Plot the outer score of each search against its cost.

        A small point is an outer fold, a large one the mean of a search, a bar its standard
        error.

        Parameters
        ----------
        x : {"fit_time", "n_fits", "resource_spent"}, default="fit_time"
            The column that is the cost.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : CompareSearchesDisplay
            Itself.

        Raises
        ------
        ValueError
            If `x` is none of these.
        """
        import matplotlib.pyplot as plt

        if x not in _LABELS:
            raise ValueError(f"x must be one of {list(_LABELS)}, got {x!r}.")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        for i, (name, of_search) in enumerate(self.frame.groupby("search", sort=False)):
            color = COLORS[i % len(COLORS)]
            cost, score = of_search[x], of_search["outer_score"]
            ax.plot(cost, score, "o", color=color, alpha=0.3, markersize=4)
            bar = {"xerr": cost.sem(), "yerr": score.sem()} if len(score) > 1 else {}
            ax.errorbar(cost.mean(), score.mean(), fmt="o", color=color, label=name, **bar)
        ax.set(xlabel=_LABELS[x], ylabel="Score on outer test rows")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)  # hides no point
        self.ax_, self.figure_ = ax, ax.figure
        return self
