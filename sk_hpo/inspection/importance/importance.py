"""`parameter_importance`: from a search to how much each parameter mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
from sklearn.utils import check_random_state

from sk_hpo.inspection.importance.ablation import ablation_shares
from sk_hpo.inspection.importance.estimate import Estimate, Measure, estimate
from sk_hpo.inspection.importance.evidence import Evidence, NoImportance, evidence_of
from sk_hpo.inspection.importance.fanova import best_pairs, variance_shares
from sk_hpo.inspection.importance.forest import grow
from sk_hpo.inspection.importance.permutation import permutation_importances
from sk_hpo.inspection.importance.result import Method, ParameterImportance
from sk_hpo.inspection.recorded import record_of

__all__ = ["parameter_importance"]


def parameter_importance(
    search: Any,
    method: Method = "fanova",
    *,
    resource: int | None = None,
    quantile: float = 0.0,
    reference: Literal["median", "worst"] | Mapping[str, Any] = "median",
    n_pairs: int = 10,
    n_estimators: int = 64,
    n_bootstrap: int = 50,
    confidence_level: float = 0.9,
    random_state: int | np.random.RandomState | None = None,
) -> ParameterImportance:
    """Return how much each parameter mattered to the scores of a search.

    A random forest learns the scores from the parameters, and is asked. Which parameters
    matter depends on what was searched: over a range of learning rates that are all good,
    the learning rate does not.

    Parameters
    ----------
    search : fitted search, Journal, or path of a journal
        Also a search that was loaded from a pickle.
    method : {"fanova", "permutation", "ablation"}, default="fanova"
        - "fanova": which share of the variance of the score over all of the space each
          parameter explains alone, and each pair beyond its two [1]_. Parameters vary
          evenly over their axes (of a wide logarithmic range, on the logarithmic one;
          choices are equally likely), wherever the search has looked. All parts, with
          those of three or more together, add up to 1.
        - "permutation": how much R² the forest loses on trials that its trees have not
          seen, when a parameter's values are shuffled among them [2]_: 2 if it decides
          everything, about 0 if it decides nothing. It is about where the search has
          looked, and says nothing of pairs. Of two parameters that went together, as they
          do late in a search, the forest may use either, and both seem to matter less.
        - "ablation": what each parameter adds on the way from `reference` to the best
          trial, where the next one to change is always that with the greatest gain [3]_.
          It is about one path, not about the space, and a parameter that has the same
          value at both ends is worth nothing.
    resource : int, default=None
        At which trials are compared. None is the highest that 30 trials have a score at,
        or else the one that most have.
    quantile : float, default=0.0
        Scores below this quantile of them are raised to it: 0.5 asks what matters among
        good candidates, and is not led by how bad the bad ones are.
    reference : {"median", "worst"} or dict, default="median"
        Where the ablation starts: from the trial of median or worst score, or from
        parameters of your own, say the estimator's defaults.
    n_pairs : int, default=10
        How many of the largest interactions to return; only for "fanova".
    n_estimators : int, default=64
        Trees of the forest.
    n_bootstrap : int, default=50
        How often trials are drawn anew, with replacement, for the intervals; 0 for none.
        They tell how far other trials would have told otherwise. That the forest knows
        the score only roughly (``oob_score``) is not in them.
    confidence_level : float, default=0.9
        Of the intervals.
    random_state : int, RandomState or None, default=None
        Of the forests, and of what is shuffled and drawn.

    Returns
    -------
    importance : ParameterImportance
        Printed, it is a table; `ParameterImportance.plot` is a picture.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    ValueError
        If fewer than 10 trials have a score, or all have the same; if no trial has one at
        `resource`; if an argument is out of its range; for "ablation", if the forest sees
        no gain.

    See Also
    --------
    ImportanceDisplay : The picture.

    Notes
    -----
    A trial that failed counts as the worst score that others have at that resource:
    parameters that make fits fail are important.

    A tree splits by one parameter at a time, and finds late what two do only together, with
    no effect of their own: of such a pair, and of waves, too little is found where trials
    are few. A low ``oob_score`` says that there is something that the forest did not find.

    *Conditional parameters.* A config is thought of as a point of the unit cube with a
    coordinate for each parameter, of which those that do not exist are not looked at. So
    the score is a function on the cube, and its variance has parts. What is due to a
    parameter's existing or not is the importance of the one that decides this; that of the
    conditional one is the effect of its value, where it exists, and counts less the more
    rarely it does. When a parameter exists is read off the trials; where nothing that was
    searched tells it, as for several dicts, ``"<which exist>"`` is one more parameter.
    A constraint is not looked at.

    References
    ----------
    .. [1] Hutter, Hoos, Leyton-Brown: An Efficient Approach for Assessing Hyperparameter
       Importance, ICML 2014.
    .. [2] Breiman: Random Forests, Machine Learning 45, 2001.
    .. [3] Biedenkapp, Lindauer, Eggensperger, Hutter, Fawcett, Hoos: Efficient Parameter
       Importance Analysis via Ablation with Surrogates, AAAI 2017.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sk_hpo import RandomSearchCV
    >>> from sk_hpo.inspection.importance.importance import parameter_importance
    >>> space = {"C": loguniform(1e-3, 1e3), "tol": loguniform(1e-4, 1e-2)}
    >>> search = RandomSearchCV(SVC(), space, n_iter=40, cv=3, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> importance = parameter_importance(search, n_bootstrap=5, random_state=0)
    >>> importance.names
    ('C', 'tol')
    """
    _check(method, quantile, n_pairs, n_estimators, n_bootstrap, confidence_level)
    record = record_of(search)
    evidence = evidence_of(record, resource, quantile)
    seed = check_random_state(random_state).randint(2**31 - 1)
    rng = np.random.default_rng(seed)
    forest = grow(evidence, np.arange(len(evidence.scores)), n_estimators, seed)
    pairs, explained = best_pairs(forest, n_pairs) if method == "fanova" else ([], np.nan)
    measure = _measure(method, pairs, evidence, reference, rng)
    found = estimate(forest, measure, n_bootstrap, confidence_level, rng)
    _check_found(method, found)
    if method == "fanova":
        found = found.within(0.0, 1.0)
    names = evidence.names
    order = np.argsort(-found.value[: len(names)], kind="stable")
    mains, others = found.at(order), found.at(np.arange(len(names), len(found.value)))
    return ParameterImportance(
        method=method,
        names=tuple(names[j] for j in order),
        importances=mains.value,
        low=mains.low,
        high=mains.high,
        oob_score=forest.oob_score,
        n_trials=len(evidence.scores),
        n_failed=evidence.n_failed,
        resource=evidence.resource if record.resource else None,
        confidence_level=confidence_level,
        pairs=tuple((names[j], names[k]) for j, k in pairs),
        pair_importances=others.value,
        pair_low=others.low,
        pair_high=others.high,
        explained=explained,
    )


def _measure(
    method: Method,
    pairs: Sequence[tuple[int, int]],
    evidence: Evidence,
    reference: str | Mapping[str, Any],
    rng: np.random.Generator,
) -> Measure:
    if method == "fanova":
        return partial(variance_shares, pairs=pairs)
    if method == "permutation":
        return partial(permutation_importances, rng=rng)
    return partial(ablation_shares, source=evidence.reference(reference), target=evidence.best)


def _check(
    method: str,
    quantile: float,
    n_pairs: int,
    n_estimators: int,
    n_bootstrap: int,
    confidence_level: float,
) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {list(get_args(Method))}, got {method!r}.")
    if not 0 <= quantile < 1:
        raise ValueError(f"quantile must be at least 0 and below 1, got {quantile!r}.")
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level must be within 0 and 1, got {confidence_level!r}.")
    least = {"n_pairs": (n_pairs, 0), "n_estimators": (n_estimators, 1)}
    for name, (value, lowest) in (least | {"n_bootstrap": (n_bootstrap, 0)}).items():
        if not isinstance(value, Integral) or value < lowest:
            raise ValueError(f"{name} must be an integer of {lowest} or more, got {value!r}.")


def _check_found(method: Method, found: Estimate) -> None:
    if not np.isnan(found.value).any():
        return
    if method == "ablation":
        raise ValueError(
            "The forest sees no gain between `reference` and the best trial, so that there"
            " is nothing to share out: choose another reference, or method='fanova'."
        )
    raise NoImportance(
        "The forest finds no difference between candidates: try more, or more different, ones."
    )
