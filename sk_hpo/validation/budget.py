"""What a search costs before it runs, what it may cost, and what it did cost.

A *fit* trains one candidate on one inner fold, on one rung; the refit is not counted. The
*resource* is what `HalvingHyperbandSearchCV` and its kin give out ("epochs", "n_samples",
...), summed over fits. scikit-learn counts ``n_resources`` of "n_samples" before it cuts
the folds; here, rows are counted that a model is trained on, for all searches alike.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv

from sk_hpo._sklearn import num_samples
from sk_hpo.evaluation.kinds import resource_for
from sk_hpo.validation.splits import HoldoutValidation

__all__ = [
    "Unit",
    "check_budget",
    "common_resource",
    "cost_by_number",
    "fold_sizes",
    "halving_rungs",
    "held_to",
    "is_halving",
    "knob_of",
    "largest",
    "spent",
]

Unit = Literal["fits", "resource", "seconds"]

# What a candidate costs on all folds together, by its parameters and its ``n_resources``,
# which only scikit-learn's halving gives.
Price = Callable[[Mapping[str, Any], Any], int]

# What a search calls the number that its cost grows with.
_KNOBS = ("n_iter", "n_candidates", "hyperband_iterations")


def check_budget(budget: Mapping[str, float] | None) -> tuple[Unit, Any] | None:
    """Return the unit and the amount of a budget.

    Raises
    ------
    ValueError
        If it is not one of ``{"fits": n}``, ``{"resource": n}`` and ``{"seconds": s}``.
    """
    if budget is None:
        return None
    [(unit, amount), *others] = [*budget.items()] or [("", 0)]
    least = {"fits": amount >= 1, "resource": amount >= 1, "seconds": 0 < amount < math.inf}
    if others or not least.get(unit):
        raise ValueError(
            "budget must be {'fits': n}, {'resource': n} or {'seconds': s}, with n of at least"
            f" 1 and s greater than 0; got {budget!r}."
        )
    return unit, amount  # type: ignore[return-value]


def common_resource(searches: Sequence[Any]) -> str | None:
    """Return the one resource that searches give out, None if there is not just one."""
    names = {search.resource for search in searches if hasattr(search, "resource")}
    return names.pop() if len(names) == 1 else None


def held_to(
    unit: Literal["fits", "resource"],
    amount: int,
    search: Any,
    X: Any,
    y: Any,
    fit_params: Mapping[str, Any],
    resource: str | None,
) -> Any:
    """Return a clone of a search that costs as much as it may, and no more.

    Its ``n_iter``, ``n_candidates`` or ``hyperband_iterations``, whichever it has, becomes
    the largest number within the budget; all else is left as it is. Nothing is trained.

    Parameters
    ----------
    unit, amount
        From `check_budget`.
    search : estimator
        Of this library or of scikit-learn.
    X, y, fit_params
        What it will be fitted on.
    resource : str or None
        From `common_resource`.

    Raises
    ------
    ValueError
        If its smallest setting costs more, or what it costs cannot be known beforehand.
    """
    counted = resource if unit == "resource" else "fits"
    if unit == "resource" and resource in _searched(search):
        counted = None
    held = clone(search)
    cost = cost_by_number(held, X, y, fit_params, counted)
    knob = knob_of(held)
    if (least := cost(1)) > amount:
        how = "shrink its grid" if knob is None else f"make {knob}=1 cheaper, by fewer folds"
        raise ValueError(
            f"{type(search).__name__} costs {least} {counted} at least, more than the budget of"
            f" {amount}: raise the budget, or {how}."
        )
    if knob is None:
        return held
    if is_halving(search):  # its cost falls where one more rung begins: try them all
        sizes = fold_sizes(held, X, y, fit_params)
        lowest, _ = _halving_limits(held, X, y, len(sizes))
        price = _price(held, sizes, num_samples(X), counted)
        most = _n_candidates(held, amount // max(1, price({}, lowest) if price else 1))
        number = next(n for n in range(most, 0, -1) if cost(n) <= amount)
    else:
        number = largest(cost, amount)
    return held.set_params(**{knob: number})


def knob_of(search: Any) -> str | None:
    """Return what a search calls the number that its cost grows with, None for a grid."""
    return next((name for name in _KNOBS if name in search.get_params(deep=False)), None)


def cost_by_number(
    search: Any, X: Any, y: Any, fit_params: Mapping[str, Any], counted: str | None
) -> Callable[[int], int]:
    """Return a function that sets the number of a search, and returns what it will cost.

    Parameters
    ----------
    search : estimator
        Its number (`knob_of`) is changed by each call; a grid costs what it costs.
    X, y, fit_params
        What it will be fitted on.
    counted : str or None
        "fits", or a resource.

    Raises
    ------
    ValueError
        If what it costs cannot be known beforehand.
    """
    sizes = fold_sizes(search, X, y, fit_params)
    price = _price(search, sizes, num_samples(X), counted)
    if price is None:
        raise ValueError(
            f"What {type(search).__name__} costs is not known beforehand: the searches do not"
            " count one and the same resource, or it searches over it. Give"
            " budget={'fits': n}."
        )
    known, knob = price, knob_of(search)

    def cost(number: int) -> int:
        if knob is not None:
            search.set_params(**{knob: number})
        return _cost(search, X, y, fit_params, counted, known, len(sizes))

    return cost


def _cost(
    search: Any,
    X: Any,
    y: Any,
    fit_params: Mapping[str, Any],
    counted: str | None,
    price: Price,
    n_splits: int,
) -> int:
    """Return what a search will cost, in fits or in the resource that is `counted`."""
    if not hasattr(search, "plan"):
        rungs = _rungs(search, X, y, n_splits)
        return sum(n * price({}, n_resources) for n, n_resources in rungs)
    with warnings.catch_warnings():  # a space that is smaller than what is tried
        warnings.simplefilter("ignore")
        plan = search.plan(X, y, **fit_params)
    if counted != "fits" and plan.resource is not None:
        return plan.cost
    return plan.n_fits * price({}, None) // n_splits


def largest(cost: Callable[[int], int], amount: int) -> int:
    """Return the largest number within an amount, for a cost that never falls.

    Where a larger number costs no more (the space is exhausted), the smallest such.

    Examples
    --------
    >>> largest(lambda number: 3 * number, 100), largest(lambda number: min(number, 7), 100)
    (33, 7)
    """
    step = cost(2) - cost(1)
    number = 1 + (amount - cost(1)) // step if step else 1
    linear = number > 1 and cost(number) == cost(1) + (number - 1) * step  # as most are
    if linear and cost(number + 1) > amount:
        return number
    low = 1
    while cost(low) < cost(2 * low) <= amount:
        low *= 2
    numbers = range(1, 2 * low + 1)
    most = bisect_right(numbers, amount, lo=low, key=cost)
    return 1 + bisect_left(numbers, cost(most), hi=most, key=cost)


def spent(
    search: Any, X: Any, y: Any, fit_params: Mapping[str, Any], resource: str | None
) -> tuple[int, float]:
    """Return the fits and the resource that a fitted search spent.

    Parameters
    ----------
    search : estimator
        Fitted.
    X, y, fit_params
        What it was fitted on.
    resource : str or None
        What a search that gives out no resource is counted in: each of its fits takes
        what the estimator's own parameter says (``max_epochs``, ``max_iter``), or the rows
        of its fold.

    Returns
    -------
    n_fits : int
        The refit is not among them.
    resource_spent : float
        NaN if not known.
    """
    results = search.cv_results_
    n_rows = len(results["params"])
    n_folds = results.get("n_folds", np.full(n_rows, search.n_splits_))
    n_fits = int(n_folds.sum())
    if hasattr(search, "resource_spent_"):
        return n_fits, float(search.resource_spent_)
    sizes = fold_sizes(search, X, y, fit_params)
    price = _price(search, sizes, num_samples(X), getattr(search, "resource", resource))
    if price is None:
        return n_fits, math.nan
    given = results.get("n_resources", [None] * n_rows)
    each = [price(p, r) for p, r in zip(results["params"], given, strict=True)]
    return n_fits, float(np.dot(n_folds / search.n_splits_, each))


def fold_sizes(search: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> list[int]:
    """Return the number of training rows of each inner fold."""
    if isinstance(search.cv, HoldoutValidation):  # its rows are beside X
        return [num_samples(X)]
    cv = check_cv(deepcopy(search.cv), y, classifier=is_classifier(search))
    given = {"groups": fit_params["groups"]} if "groups" in fit_params else {}
    return [len(train) for train, _ in cv.split(X, y, **given)]


def _price(search: Any, sizes: Sequence[int], n_rows: int, counted: str | None) -> Price | None:
    """Return what a candidate of a search costs, None if that is not known."""
    halving = is_halving(search)
    if counted is None:
        return None
    if counted == "fits":
        return lambda params, given: len(sizes)
    if counted == "n_samples":
        if not halving:
            return lambda params, given: sum(sizes)
        return lambda params, given: sum(int(given / n_rows * size) for size in sizes)
    if halving:
        return lambda params, given: given * len(sizes)
    if counted == "folds":
        return lambda params, given: len(sizes)
    try:
        resource = resource_for(counted, search.estimator, seed=0)
        full = resource.limit(search.estimator, min(sizes))
    except ValueError:
        return None
    return lambda params, given: params.get(counted, full) * len(sizes)


def is_halving(search: Any) -> bool:
    """Whether a search is scikit-learn's own successive halving."""
    return hasattr(search, "aggressive_elimination")


def _spec(search: Any) -> Any:
    return search.param_grid if hasattr(search, "param_grid") else search.param_distributions


def _searched(search: Any) -> set[str]:
    spec = _spec(search)
    return {name for part in ([spec] if isinstance(spec, Mapping) else spec) for name in part}


def _rungs(search: Any, X: Any, y: Any, n_splits: int) -> Sequence[tuple[int, int | None]]:
    """Return the candidates and the resource of each rung of a search of scikit-learn."""
    if not is_halving(search):
        return [(_n_candidates(search, getattr(search, "n_iter", 0)), None)]
    lowest, highest = _halving_limits(search, X, y, n_splits)
    number = getattr(search, "n_candidates", 0)
    return halving_rungs(
        _n_candidates(search, highest // lowest if number == "exhaust" else number),
        lowest,
        highest,
        factor=search.factor,
        exhaust=search.min_resources == "exhaust",
        aggressive=search.aggressive_elimination,
    )


def _halving_limits(search: Any, X: Any, y: Any, n_splits: int) -> tuple[int, int]:
    """Return the smallest and the largest resource of scikit-learn's halving."""
    lowest, highest = search.min_resources, search.max_resources
    if isinstance(lowest, str):
        lowest = 1
        if search.resource == "n_samples":
            lowest = 2 * n_splits * (len(np.unique(y)) if is_classifier(search) else 1)
    return lowest, num_samples(X) if highest == "auto" else highest


def _n_candidates(search: Any, asked: int) -> int:
    if hasattr(search, "param_grid"):
        return len(ParameterGrid(search.param_grid))
    return len(ParameterSampler(search.param_distributions, asked))


def halving_rungs(
    n_candidates: int,
    lowest: int,
    highest: int,
    *,
    factor: float,
    exhaust: bool,
    aggressive: bool,
) -> list[tuple[int, int]]:
    """Return the rungs of scikit-learn's successive halving, as ``fit`` computes them.

    Parameters
    ----------
    n_candidates : int
        On the first rung.
    lowest, highest : int
        Smallest and largest resource.
    factor : float
        Ratio of two rungs.
    exhaust : bool
        ``min_resources="exhaust"``: begin as high as the last rung allows.
    aggressive : bool
        ``aggressive_elimination``.

    Returns
    -------
    rungs : list of (n_candidates, n_resources)
        From the first to the last.

    Examples
    --------
    >>> halving_rungs(9, 20, 900, factor=3, exhaust=True, aggressive=False)
    [(9, 100), (3, 300), (1, 900)]
    """
    required = 1 + math.floor(math.log(n_candidates, factor))
    if exhaust:
        lowest = max(lowest, int(highest // factor ** (required - 1)))
    possible = 1 + math.floor(math.log(highest // lowest, factor))
    rungs = []
    for i in range(required if aggressive else min(possible, required)):
        power = max(0, i - required + possible) if aggressive else i
        rungs.append((n_candidates, min(int(factor**power * lowest), highest)))
        n_candidates = math.ceil(n_candidates / factor)
    return rungs
