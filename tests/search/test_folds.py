"""``resource="folds"``: a rung is the first folds, and nothing is run twice."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from search.scored import CV, N_SPLITS, SPACE, Kept, Scored, X, fitted, jitter, splits, y
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from sk_hpo import ASHASearchCV, BOHBSearchCV, HalvingHyperbandSearchCV, RandomSearchCV

KINDS: dict[str, Any] = {
    "hyperband": (HalvingHyperbandSearchCV, {"hyperband_iterations": 2}),
    "bohb": (BOHBSearchCV, {"hyperband_iterations": 2}),
    "asha": (ASHASearchCV, {"n_candidates": 12}),
}


def search(kind: str, calls: Kept | None = None, noise: float = 0.3, **options: Any) -> Any:
    cls, special = KINDS[kind]
    given = {"resource": "folds", "factor": 2, "cv": CV, "random_state": 0}
    estimator = Scored(calls or Kept(), noise=noise)
    return cls(estimator, SPACE, **given | special | options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rung_is_the_first_folds_for_everyone(kind: str) -> None:
    found = search(kind).fit(X, y)
    results = found.cv_results_
    assert set(results["n_resources"]) == {1, 2, 5}
    np.testing.assert_array_equal(results["n_folds"], results["n_resources"])
    for params, row, n in zip(
        results["params"], splits(results), results["n_resources"], strict=True
    ):
        for fold in range(N_SPLITS):
            if fold < n:
                assert row[fold] == params["x"] + 0.3 * jitter(params["x"], fold)
            else:
                assert np.isnan(row[fold])
    np.testing.assert_allclose(results["mean_test_score"], np.nanmean(splits(results), axis=1))


@pytest.mark.parametrize("kind", KINDS)
def test_each_fold_is_fitted_once(kind: str) -> None:
    calls = Kept()
    found = search(kind, calls).fit(X, y)
    counts = fitted(calls)
    assert set(counts.values()) == {1}
    assert {method for method, *_ in calls.noted} == {"fit"}
    assert found.resource_spent_ == sum(counts.values())
    assert calls.trainings == sum(counts.values()) + 1  # the refit
    assert found.best_estimator_.fold_ == 5  # nothing was left out


@pytest.mark.parametrize("kind", ["hyperband", "bohb"])
def test_it_costs_what_the_plan_says(kind: str) -> None:
    calls = Kept()
    found = search(kind, calls, refit=False)
    plan = found.plan(X, y)
    found.fit(X, y)
    assert plan.exact
    assert plan.cost == plan.n_fits == calls.trainings == found.resource_spent_
    # 4 trials on 1 fold, 2 on 1 more, 1 on 3 more; 3 on 2, 1 on 3 more; 3 on 5; twice
    assert plan.cost == 2 * (4 + 2 + 3 + 3 * 2 + 3 + 3 * 5)
    assert plan.to_frame()["cost"].tolist() == 2 * [4, 2, 3, 6, 3, 15]
    assert f"cost: {plan.cost} folds, survivors go on" in str(plan)


def test_the_promoted_are_the_best_of_the_same_folds() -> None:
    found = search("hyperband", noise=1.0).fit(X, y)
    for bracket in found.brackets_:
        for below, above in pairwise(bracket):
            r = below.rung.resource
            means = {}
            for trial in below.trials:
                x = found.history_[trial].config[0]
                means[trial] = np.mean([x + jitter(x, fold) for fold in range(r)])
            best = sorted(means, key=lambda trial: -means[trial])
            assert list(above.trials) == best[: len(above.trials)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_has_all_folds(kind: str) -> None:
    found = search(kind, noise=1.0).fit(X, y)
    row = splits(found.cv_results_)[found.best_index_]
    assert found.best_score_ == pytest.approx(row.mean())
    assert found.cv_results_["rank_test_score"][found.best_index_] == 1
    assert found.max_resources_ == N_SPLITS


@pytest.mark.parametrize("kind", ["hyperband", "bohb"])
@pytest.mark.parametrize("racing", [False, True])
def test_workers_change_nothing(kind: str, racing: bool) -> None:
    tables = []
    for n_jobs in (1, 3):
        with joblib.parallel_config(backend="threading"):
            found = search(kind, n_jobs=n_jobs, fold_racing=racing).fit(X, y)
        table = pd.DataFrame(found.cv_results_)
        tables.append(table.drop(columns=[name for name in table if "time" in name]))
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("kind", KINDS)
def test_raced_within_a_rung_a_fold_is_still_fitted_once(kind: str) -> None:
    calls = Kept()
    found = search(kind, calls, noise=0.05, fold_racing=True).fit(X, y)
    assert set(fitted(calls).values()) == {1}
    results = found.cv_results_
    assert (results["n_folds"] <= results["n_resources"]).all()
    assert (results["n_folds"] < results["n_resources"]).any()
    assert results["n_folds"][found.best_index_] == N_SPLITS


def test_without_noise_it_finds_the_best_of_all() -> None:
    found = search("asha", noise=0.0, n_candidates=30).fit(X, y)
    every = [trial.config[0] for trial in found.history_]
    assert len(every) == 30
    assert found.best_params_["x"] == max(every)
    full = RandomSearchCV(Scored(Kept()), SPACE, n_iter=30, cv=CV, random_state=0).fit(X, y)
    assert full.best_params_ == found.best_params_


def test_a_pipeline_is_fitted_whole() -> None:
    calls = Kept()
    pipeline = Pipeline([("scored", Scored(calls))])
    found = HalvingHyperbandSearchCV(
        pipeline, {"scored__x": SPACE["x"]}, resource="folds", cv=CV, random_state=0
    ).fit(X, y)
    assert set(fitted(calls).values()) == {1}
    assert found.best_score_ == found.best_params_["scored__x"]


def test_fewer_folds_than_there_are() -> None:
    found = search("hyperband", max_resources=3).fit(X, y)
    assert found.cv_results_["n_folds"].max() == 3
    assert found.cv_results_["n_folds"][found.best_index_] == 3


def test_more_folds_than_there_are() -> None:
    for method in ("plan", "fit"):
        with pytest.raises(ValueError, match="max_resources=6 is more than the 5 folds"):
            getattr(search("hyperband", max_resources=6), method)(X, y)


def test_folds_that_change() -> None:
    with pytest.raises(ValueError, match="random_state"):
        search("asha", cv=KFold(3, shuffle=True)).fit(X, y)
