"""From a search to the space of the next one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sklearn.exceptions import NotFittedError

from sk_hpo.journal.journal import Journal
from sk_hpo.search.experience import best_points
from sk_hpo.space.refine import check_arguments, narrowed
from sk_hpo.space.space import Space

__all__ = ["refine"]


def refine(search: Any, shrink: float = 0.3, grid: int | None = None) -> Any:
    """Return a narrower space around the best candidate of a search.

    First search coarsely over a wide space, then finely, or on a grid, around what was best.

    Parameters
    ----------
    search : estimator
        A fitted search of this library or of scikit-learn; or one that is not fitted, or was
        killed, and whose `journal` is a file that was begun.
    shrink : float, default=0.3
        Width of the new intervals, as a fraction of the old ones. Widths are probabilities:
        a tenth of ``loguniform(1e-5, 1e5)`` is a factor of ten.
    grid : int, default=None
        Number of values for each distribution, evenly spaced in probability and with the
        best candidate's own among them: for ``sampler="grid"`` or scikit-learn's
        ``GridSearchCV``. None leaves distributions.

    Returns
    -------
    param_distributions : dict, or list of one dict
        A list if the search had one; only the dict that the best candidate came from is
        left. The best candidate's parameters are always in the new space:

        - a distribution becomes the interval around the best value, cut off where the old
          one ended. Log-uniform stays log-uniform; an integer keeps the next one on
          either side, however narrow the interval is;
        - a list of increasing or decreasing numbers keeps the values within the interval,
          and the next one on either side;
        - any other list keeps the best value;
        - a parameter that exists only under a condition (`when`) is left out if the
          condition can no longer hold, is no longer conditional if it always holds, and
          stays as wide as it was if the best candidate did not have it.

    Raises
    ------
    TypeError
        If it is no search. A journal alone tells what was drawn, but not from which
        distributions.
    ValueError
        If `shrink` or `grid` is wrong, or several metrics were scored with
        ``refit=False``: there is no best candidate.
    sklearn.exceptions.NotFittedError
        If the search has neither results nor a journal.

    Notes
    -----
    A `constraint` is not part of the space: give it to the next search too. That search
    tries the best candidate first, and learns from all earlier ones that are within the new
    space, with ``warm_start_from=search``.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sk_hpo import RandomSearchCV
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": loguniform(1e-3, 1e3), "kernel": ["rbf", "linear"]}
    >>> coarse = RandomSearchCV(SVC(), space, n_iter=9, cv=3, random_state=0).fit(X, y)
    >>> grid = refine(coarse, shrink=0.2, grid=5)
    >>> len(grid["C"]), coarse.best_params_["C"] in grid["C"], len(grid["kernel"])
    (5, True, 1)
    >>> fine = RandomSearchCV(SVC(), grid, sampler="grid", cv=3, warm_start_from=coarse)
    >>> bool(fine.fit(X, y).best_score_ >= coarse.best_score_)
    True
    """
    check_arguments(shrink, grid)
    distributions = _distributions(search)
    params = _best_params(search, distributions)
    if isinstance(distributions, Mapping):
        return narrowed(distributions, params, shrink, grid)
    dicts = list(distributions)
    chosen = Space(dicts).config(params)[0] if len(dicts) > 1 else 0
    assert isinstance(chosen, int)
    return [narrowed(dicts[chosen], params, shrink, grid)]


def _distributions(search: Any) -> Any:
    if isinstance(search, (str, os.PathLike, Journal)):
        raise TypeError(
            "A journal tells which parameters were drawn, but not from which distributions."
            " Give refine the search, with the same param_distributions and journal=; it"
            " need not be fitted."
        )
    for name in ("param_distributions", "param_grid"):
        if hasattr(search, name):
            found = getattr(search, name)
            if callable(found):
                raise TypeError(
                    f"The space of this search is the function {found!r}, which refine cannot"
                    " narrow: write a function, or a dict, with narrower ranges around"
                    " search.best_params_."
                )
            return found
    raise TypeError(
        "refine takes a search, which has param_distributions or param_grid; got"
        f" {type(search).__name__}."
    )


def _best_params(search: Any, distributions: Any) -> Mapping[str, Any]:
    if hasattr(search, "best_params_"):
        return search.best_params_
    if hasattr(search, "cv_results_"):
        raise ValueError(
            "This search has no best candidate: with several metrics and refit=False, none"
            " was chosen. Set refit to the name of a metric."
        )
    path = getattr(search, "journal", None)
    if path is None or not os.path.isfile(path):
        raise NotFittedError(
            f"This {type(search).__name__} has no results yet: call fit first. (One that is"
            " not fitted needs a journal= file that was begun.)"
        )
    best = best_points(Journal.read(path).trials, Space(distributions))
    if not best:
        raise NotFittedError(f"The journal {path} has no candidate with a score yet.")
    return best[0]
