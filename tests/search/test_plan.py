"""The forecast is part of the API: what `plan` says is what `fit` does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.recording import RecordingSGD, X, net, read, y
from scipy.stats import loguniform, uniform
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, MaxTrials, RandomSearchCV

ALPHA = {"alpha": loguniform(1e-6, 1)}
FEATURES = {"max_features": uniform(0.2, 0.7)}

HYPERBANDS = {
    "all brackets": (SGDClassifier(), ALPHA, {}),
    "one bracket": (SGDClassifier(), ALPHA, {"brackets": 1}),
    "twice": (SGDClassifier(), ALPHA, {"hyperband_iterations": 2, "max_resources": 4}),
    "factor 2.5": (SGDClassifier(), ALPHA, {"factor": 2.5, "max_resources": 10}),
    "min_resources": (SGDClassifier(), ALPHA, {"min_resources": 2}),
    "auto": (SGDClassifier(max_iter=6), ALPHA, {"max_resources": "auto"}),
    "finite space": (SGDClassifier(), {"alpha": [1e-4, 1e-3, 1e-2, 1e-1]}, {}),
    "net": (net(), {"lr": loguniform(1e-3, 0.3)}, {"brackets": 2}),
    "pipeline": (
        make_pipeline(StandardScaler(), SGDClassifier()),
        {"sgdclassifier__alpha": loguniform(1e-6, 1)},
        {},
    ),
    "warm start": (RandomForestClassifier(), FEATURES, {"resource": "n_estimators"}),
    "from scratch": (DecisionTreeClassifier(), FEATURES, {"resource": "max_depth"}),
    "samples": (
        DecisionTreeClassifier(),
        FEATURES,
        {"resource": "n_samples", "max_resources": "auto"},
    ),
}


def hyperband(name, **params):
    estimator, space, special = HYPERBANDS[name]
    params = {"max_resources": 9, "cv": 2, "random_state": 0, "refit": False} | special | params
    if params["resource" if "resource" in params else "cv"] == "max_depth":
        estimator = DecisionTreeClassifier(max_depth=9)
    return HalvingHyperbandSearchCV(estimator, space, **params)


@pytest.mark.parametrize("name", HYPERBANDS)
def test_fit_costs_and_does_what_the_plan_says(name):
    search = hyperband(name)
    plan = search.plan(X, y)
    results = search.fit(X, y).cv_results_
    assert search.resource_spent_ == plan.cost
    assert len(results["params"]) * search.n_splits_ == plan.n_fits
    assert len(search.history_) == plan.n_candidates
    rows = pd.DataFrame(results).groupby(["bracket", "iter"], as_index=False)
    done = rows.agg(n_candidates=("trial", "size"), n_resources=("n_resources", "max"))
    assert plan.to_frame().drop(columns="cost").astype(int).equals(done.astype(int))
    assert plan.to_frame()["cost"].sum() == plan.cost
    assert plan == search.plan(X, y)


def test_a_plan_is_hyperbands_table():
    plan = hyperband("all brackets", max_resources=81, cv=5).plan(X, y)
    # Li et al. (2018), Table 1, with the paper's own rounding of n.
    first = [(r.n_trials, r.resource) for r in plan.rungs if r.rung == 0]
    assert first == [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    # Continued: nobody pays for a rung below the one it stood on.
    by_hand = sum(r.n_trials * (r.resource - r.start) for r in plan.rungs)
    assert plan.cost == 5 * by_hand
    assert plan.n_candidates == 81 + 34 + 15 + 8 + 5


@pytest.mark.parametrize(
    ("name", "continues", "per_fold"),
    # 9 trials to 1, 3 to 3, 1 to 9; then each rung from scratch.
    [("warm start", True, 9 + 3 * 2 + 6), ("from scratch", False, 9 + 3 * 3 + 9)],
)
def test_a_resource_that_is_trained_from_scratch_is_said_to_be(name, continues, per_fold):
    plan = hyperband(name, brackets=1).plan(X, y)
    assert plan.continues is continues
    assert plan.cost == 2 * per_fold
    assert ("from scratch" in str(plan)) is not continues


def test_an_ensemble_without_warm_start_is_paid_in_full():
    search = HalvingHyperbandSearchCV(
        AdaBoostClassifier(),
        {"learning_rate": loguniform(0.1, 2)},
        resource="n_estimators",
        max_resources=4,
        factor=2,
        cv=2,
        refit=False,
    )
    plan = search.plan(X, y)
    assert not plan.continues
    assert plan.cost == 2 * sum(r.n_trials * r.resource for r in plan.rungs)


@pytest.mark.parametrize("kind", [RandomSearchCV, BayesSearchCV])
def test_a_search_without_resources_is_one_rung_of_fits(kind):
    search = kind(SGDClassifier(tol=None, max_iter=2), ALPHA, n_iter=4, cv=3, random_state=0)
    plan = search.plan(X, y)
    assert (plan.n_candidates, plan.n_fits, plan.cost, len(plan.rungs)) == (4, 12, 12, 1)
    assert str(plan) == "4 candidates, 3 folds, 12 fits; cost: 12 fits"
    assert len(search.fit(X, y).cv_results_["params"]) == 4


def test_what_may_end_a_search_early_is_in_the_plan():
    search = hyperband("net", time_budget=30, stop=MaxTrials(5))
    *_, budget, policy = str(search.plan(X, y)).splitlines()
    assert budget == "It ends early where that takes longer than 30 s."
    assert policy == "It ends early if MaxTrials(5) says so."


def test_a_plan_counts_a_finite_space():
    space = {"alpha": [1e-4, 1e-3, 1e-2]}
    with pytest.warns(UserWarning, match="smaller than n_iter"):
        plan = RandomSearchCV(SGDClassifier(), space, n_iter=10, cv=2).plan(X, y)
    assert (plan.n_candidates, plan.n_fits) == (3, 6)
    grid = RandomSearchCV(SGDClassifier(), space, n_iter=1, cv=2, sampler="grid").plan(X, y)
    assert grid.n_candidates == 3


def test_a_plan_trains_nothing_and_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log = str(tmp_path / "log")
    search = HalvingHyperbandSearchCV(RecordingSGD(log), ALPHA, max_resources=9)
    before = dict(vars(search))
    search.plan(X, y)
    assert vars(search) == before
    assert read(log) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["all brackets", "samples"])
def test_a_plan_takes_no_random_numbers(name):
    answers = []
    for plans in (0, 2):
        np.random.seed(1)  # noqa: NPY002
        for state in (np.random.RandomState(0), None):
            cv = KFold(2, shuffle=True, random_state=0)
            search = hyperband(name, random_state=state, cv=cv)
            for _ in range(plans):
                search.plan(X, y)
            results = search.fit(X, y).cv_results_
            answers.append([results["params"], results["mean_test_score"].tolist()])
    assert answers[:2] == answers[2:]


def test_a_plan_does_not_draw_the_folds():
    drawn = []
    for plans in (0, 2):
        np.random.seed(1)  # noqa: NPY002
        for state in (np.random.RandomState(0), None):
            splitter = KFold(2, shuffle=True, random_state=state)
            search = RandomSearchCV(SGDClassifier(), ALPHA, cv=splitter, random_state=state)
            for _ in range(plans):
                search.plan(X, y)
            drawn.append(next(iter(splitter.split(X)))[0].tolist())
    assert drawn[:2] == drawn[2:]


def test_folds_that_can_be_drawn_only_once_are_left_for_fit():
    search = RandomSearchCV(SGDClassifier(), ALPHA, cv=KFold(2).split(X))
    with pytest.raises(ValueError, match="cv is an iterator"):
        search.plan(X, y)
    assert search.fit(X, y).n_splits_ == 2


def test_a_plan_fails_where_fit_would():
    for params in ({"factor": 1}, {"min_resources": 10}, {"brackets": 7}, {"scoring": "no"}):
        errors = []
        for method in ("plan", "fit"):
            with pytest.raises(ValueError, match=r"\w") as error:
                getattr(hyperband("all brackets", **params), method)(X, y)
            errors.append(str(error.value))
        assert errors[0] == errors[1]


def test_what_verbose_prints_first_is_the_plan(capsys):
    search = hyperband("one bracket", verbose=1)
    plan = search.plan(X, y)
    assert capsys.readouterr().out == ""
    search.fit(X, y)
    assert capsys.readouterr().out.startswith(f"{plan}\nbracket 0, iter 0: ")
