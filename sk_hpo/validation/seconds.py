"""Searches that the clock ends, so that all of them get the same time.

Those of this library have a ``time_budget``. scikit-learn's know no clock: a grid or a random
search is handed to it batch by batch until the time is used up; successive halving, which
cannot be stopped before its last rung, is made as large as there is time for.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from sk_hpo._sklearn import num_samples
from sk_hpo.stop import within_budget
from sk_hpo.validation.budget import (
    cost_by_number,
    fold_sizes,
    held_to,
    is_halving,
    knob_of,
    largest,
    spent,
)

__all__ = ["held_to_time"]

# More than a worker gets through.
_FITS_PER_SECOND = 1000
# From a pilot of this share of the time, it is told how large the search may be.
_PILOT = 0.25

Clock = Callable[[], float]


def held_to_time(
    seconds: float,
    search: Any,
    X: Any,
    y: Any,
    fit_params: Mapping[str, Any],
    *,
    alone: bool = True,
    clock: Clock = time.monotonic,
) -> Any:
    """Return a clone of a search that takes a given time, refit included.

    It begins no fit once the time that is left is needed for the refit, and so may take
    longer by those that are running. Its ``n_iter``, ``n_candidates`` or
    ``hyperband_iterations`` becomes larger than there is time for. Only for successive
    halving of scikit-learn is anything trained here: pilots of 1, 2, 4, ... candidates, until
    one takes a quarter of the time.

    Parameters
    ----------
    seconds : float
        Greater than 0.
    search : estimator
        Of this library or of scikit-learn.
    X, y, fit_params
        What it will be fitted on.
    alone : bool, default=True
        Whether no other search runs beside it; else it will have ``n_jobs=1``.
    clock : callable, default=time.monotonic
        Seconds, from any point.

    Raises
    ------
    ValueError
        If the search cannot be held to a time.
    """
    if not alone:
        search = clone(search).set_params(n_jobs=1)
    if is_halving(search):
        return _piloted(seconds, search, X, y, fit_params, clock)
    ours = "time_budget" in search.get_params(deep=False)
    if not ours and type(search)._run_search not in _CANDIDATES_AT_ONCE:
        raise ValueError(
            f"{type(search).__name__} cannot be stopped by the clock: it has no time_budget,"
            " and is neither a GridSearchCV nor a RandomizedSearchCV of scikit-learn. Give"
            " budget={'fits': n}."
        )
    endless = _endless(seconds, search, X, y, fit_params)
    if ours:
        return endless.set_params(time_budget=seconds)
    refit_to_fit = num_samples(X) / np.mean(fold_sizes(search, X, y, fit_params))
    return _until(seconds, endless, float(refit_to_fit), clock)


def _endless(seconds: float, search: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> Any:
    """Return a clone with more candidates than there is time for, if there are so many."""
    held, knob = clone(search), knob_of(search)
    if knob is None:
        return held
    cost = cost_by_number(held, X, y, fit_params, "fits")
    enough = math.ceil(_FITS_PER_SECOND * seconds * effective_n_jobs(search.n_jobs))
    return held.set_params(**{knob: largest(cost, cost(1) + enough)})


# -- scikit-learn's grid and random search -------------------------------------------------

# They hand all of their candidates over in one call.
_CANDIDATES_AT_ONCE = (GridSearchCV._run_search, RandomizedSearchCV._run_search)


class _UntilTime:
    """What is put before the class of a search; its settings survive `clone`."""

    _seconds: ClassVar[float]
    _refit_to_fit: ClassVar[float]
    _clock: ClassVar[Any]

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        began = self._clock()

        # Without the context that the candidates come with, which counts them beforehand.
        def in_batches(candidates: Iterable[Any], callback_ctx: Any = None) -> None:
            waiting, size, tried = iter(candidates), n_jobs, 0
            while batch := list(islice(waiting, size)):
                results = evaluate_candidates(batch)
                tried += len(batch)
                seconds = self._clock() - began
                refit = self._refit_to_fit * _fit_time_of_best(results, self.refit)  # type: ignore[attr-defined]
                if not within_budget(self._seconds, seconds, refit):
                    return
                size = _next_size(tried, seconds, self._seconds - refit, n_jobs)

        n_jobs = effective_n_jobs(self.n_jobs)  # type: ignore[attr-defined]
        super()._run_search(in_batches, callback_ctx=callback_ctx)  # type: ignore[misc]


def _until(seconds: float, search: Any, refit_to_fit: float, clock: Clock) -> Any:
    """Make a search one of its own class that stops by the clock."""
    own = type(search)
    settings = {
        "_seconds": seconds,
        "_refit_to_fit": refit_to_fit,
        "_clock": staticmethod(clock),
        "__doc__": own.__doc__,
    }
    search.__class__ = type(own.__name__, (_UntilTime, own), settings)
    return search


def _next_size(tried: int, seconds: float, budget: float, n_jobs: int) -> int:
    """Return how many candidates to hand over next: one for each worker, at first.

    scikit-learn makes its table of results anew after each batch. So that this costs next to
    nothing, a batch grows to a tenth of what was tried, as long as there is time for it.
    """
    fitting = tried * (budget - seconds) / seconds if seconds > 0 else 0.0
    return n_jobs * max(1, int(min(tried / 10, fitting)) // n_jobs)


def _fit_time_of_best(results: Mapping[str, Any], refit: Any) -> float:
    """Return the mean fit time of the best so far; the longest where none is the best yet."""
    times = results["mean_fit_time"]
    ranks = results.get(f"rank_test_{refit}", results.get("rank_test_score"))
    return float(times.max() if ranks is None else times[np.argmin(ranks)])


# -- scikit-learn's successive halving -----------------------------------------------------


def _piloted(
    seconds: float,
    search: Any,
    X: Any,
    y: Any,
    fit_params: Mapping[str, Any],
    clock: Clock,
) -> Any:
    """Return a clone with as many candidates as there is time for, as far as pilots tell.

    Time is taken to grow as the resource that is given out, summed over fits.
    """
    name = type(search).__name__
    if knob_of(search) is None:
        raise ValueError(
            f"{name} can be neither stopped by the clock nor made smaller. Give"
            " budget={'fits': n}, or use HalvingRandomSearchCV."
        )
    pilot, number, enough = clone(search), 0, False
    took = resource_spent = affordable = 0.0
    while not enough:
        number = 2 * number or 1
        began = clock()
        with warnings.catch_warnings():  # all that is to be told, the search itself will tell
            warnings.simplefilter("ignore")
            pilot.set_params(n_candidates=number).fit(X, y, **fit_params)
        took = clock() - began
        _, resource_spent = spent(pilot, X, y, fit_params, search.resource)
        if took <= seconds:
            affordable = resource_spent
        enough = took >= _PILOT * seconds or pilot.n_candidates_[0] < number
    if not affordable:
        raise ValueError(
            f"{name} takes {took:.3g} seconds with one candidate, more than the budget of"
            f" {seconds:g}: raise the budget, or make it cheaper, by fewer folds."
        )
    refit = pilot.refit_time_
    affordable = max(affordable, resource_spent * (seconds - refit) / (took - refit))
    return held_to("resource", int(affordable), search, X, y, fit_params, search.resource)
