"""The best candidates of a search, trained once more on all rows, as its own refit does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import get_config

from sk_hpo.evaluation.fold import train_whole
from sk_hpo.evaluation.records import FoldContext
from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.rng import seeded
from sk_hpo.inspection.record import Rung, TrialRecord
from sk_hpo.search.early_stopping import epochs_of_refit
from sk_hpo.search.problem import Problem, pose
from sk_hpo.validation.fingerprint import digest

__all__ = ["trained", "training"]


def training(
    search: Any, X: Any, y: Any, params: dict[str, Any], refit_on_all: bool
) -> tuple[Problem, TrainingData]:
    """Return the problem of a fitted search, and the rows that a refit trains on.

    Parameters
    ----------
    search : SearchCV
        Fitted.
    X, y, params
        The arguments of its ``fit``.
    refit_on_all : bool
        Whether rows of the test set are trained on, too.

    Raises
    ------
    ValueError
        If there is a test set, and X is not what ``fit`` got: which rows are held out is not
        known then.
    """
    again = copy(search)
    # An iterator is used up.
    again.cv = (
        search._checked_cv_orig if isinstance(search.cv, Iterator) else deepcopy(search.cv)
    )
    again.refit_on_all = refit_on_all and search.test_size is not None
    seed = search._seed_of_fit
    with seeded(seed):
        problem = pose(again, X, y, params, seed=seed)
    if problem.everything is not None:
        return problem, problem.everything
    _check_same(search, X, problem)
    return problem, problem.refit


def _check_same(search: Any, X: Any, problem: Problem) -> None:
    held = problem.rows.held
    if held is None:
        return
    given = vars(search).get("_given")
    same = np.array_equal(held.indices, search.test_indices_)
    if not same or (given is not None and digest(X) != given):
        raise ValueError(
            "X is not what fit got, so that its rows of the test set are not known: give the"
            " same X and y, which leaves them out, or refit_on_all=True to train on all rows"
            " of this X."
        )


def trained(
    search: Any,
    best: Sequence[tuple[TrialRecord, Rung]],
    problem: Problem,
    data: TrainingData,
) -> list[Any]:
    """Return a fitted estimator for each of some candidates.

    Parameters
    ----------
    search : SearchCV
        Fitted.
    best : sequence of (TrialRecord, Rung)
        Each is trained for its rung's resource.
    problem, data
        From `training`.
    """
    context = FoldContext(
        estimator=problem.estimator,
        X=data.X,
        y=data.y,
        splits=problem.splits,
        resource=problem.resource,
        max_resources=search._longest(problem),
        scorer=problem.scorer,
        seed=problem.seed,
        folder=Path(),  # for paused models, and nothing pauses
        classes=data.classes,
        fit_params=data.fit_params,
        config=get_config(),
        device=search.devices[0] if search.devices else None,
        carve=data.carve,
    )
    trials = {trial.id: trial for trial in search.history_}
    found = []
    for of, rung in best:
        trial = trials[of.id]
        n_epochs = epochs_of_refit(search.refit_epochs, trial.outcomes[rung.resource].folds)
        params = search.space_.params(trial.config)
        found.append(train_whole(context, params, of.id, rung.resource, None, n_epochs))
    return found
