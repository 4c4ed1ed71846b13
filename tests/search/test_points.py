"""`points_to_evaluate`: what the user wants tried first."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest
from contracts.nearest import NearestSampler
from scipy.stats import loguniform, randint, uniform
from search.searches import (
    ALL,
    BRACKETS,
    FLAT,
    HALVING,
    SPACE,
    WIDE,
    Calls,
    EpochRecorder,
    data,
    exhaustive,
    make,
    sgd,
)
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV, when

X, y = data()
POINTS = [{"penalty": "l2", "alpha": 1e-2}, {"penalty": "l1", "alpha": 1e-5}]
BOTH_KINDS = ["random", "sobol", "bayes", "nearest", *HALVING, "epochs of nearest"]


def build(kind: str, space: Any = None, estimator: Any = None, **options: Any) -> Any:
    """Return a search; the kinds of `searches.make`, and two with a model of the tests."""
    if kind == "nearest":
        kind, options = "bayes", {"sampler": NearestSampler(), **options}
    if kind == "epochs of nearest":
        kind, options = "epochs", {"sampler": NearestSampler(), "brackets": "all", **options}
    return make(kind, estimator, space, **{"points_to_evaluate": POINTS, **options})


def candidates(search: Any) -> list[dict[str, Any]]:
    """Return the parameters of all candidates by the number of their trial."""
    results = search.cv_results_
    names = {name for name in results["params"][0] if name != "max_iter"}
    assert names
    trials = results.get("trial", np.arange(len(results["params"])))
    by_trial = {
        trial: {name: value for name, value in params.items() if name != "max_iter"}
        for trial, params in zip(trials, results["params"], strict=True)
    }
    return [by_trial[trial] for trial in sorted(by_trial)]


@pytest.mark.parametrize("space", [SPACE, WIDE], ids=["lists", "distributions"])
@pytest.mark.parametrize("kind", [*BOTH_KINDS, "grid"])
def test_points_are_the_first_candidates_in_their_order(kind: str, space: Any) -> None:
    if kind == "grid" and space is WIDE:
        return
    search = build(kind, space)
    kept = search.points_to_evaluate
    n_candidates = search.plan(X, y).n_candidates
    tried = candidates(search.fit(X, y))
    assert tried[:2] == POINTS
    assert (
        len(tried)
        == n_candidates
        == clone(search).set_params(points_to_evaluate=None).plan(X, y).n_candidates
    )
    assert len({tuple(sorted(params.items())) for params in tried}) == len(tried)
    assert search.points_to_evaluate is kept
    assert kept == [{"penalty": "l2", "alpha": 1e-2}, {"penalty": "l1", "alpha": 1e-5}]


@pytest.mark.parametrize("kind", ["random", "nearest"])
def test_points_score_as_in_scikit_learn(kind: str) -> None:
    search = build(kind, WIDE).fit(X, y)
    oracle = exhaustive(search, POINTS, refit=False).fit(X, y).cv_results_
    for fold in range(3):
        name = f"split{fold}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name][:2], oracle[name])


@pytest.mark.parametrize("kind", FLAT)
def test_a_finite_space_is_tried_once_points_included(kind: str) -> None:
    points = [{"penalty": "l2", "alpha": alpha} for alpha in (1e-1, 1e-4, 1e-5)]
    search = build(kind, points_to_evaluate=points, n_iter=10).fit(X, y)
    tried = [tuple(sorted(params.items())) for params in candidates(search)]
    assert len(set(tried)) == len(tried) == 10
    assert tried[:3] == [tuple(sorted(point.items())) for point in points]


@pytest.mark.parametrize(("kind", "n_iter"), [("random", 10), ("grid", 10), ("grid", 2)])
def test_the_grid_goes_on_in_its_order(kind: str, n_iter: int) -> None:
    grid = candidates(make(kind, n_iter=n_iter).fit(X, y))
    tried = candidates(build(kind, n_iter=n_iter).fit(X, y))
    assert len(tried) == 10
    assert tried == POINTS + [params for params in grid if params not in POINTS]


def test_random_candidates_after_the_points_are_those_without_them() -> None:
    alone, after = (
        candidates(make("random", space=WIDE, points_to_evaluate=points).fit(X, y))
        for points in (None, POINTS)
    )
    assert after[2:] == alone[2:]


CONDITIONAL = {
    "penalty": ["l2", "elasticnet", None],
    "alpha": loguniform(1e-5, 1e-1),
    "l1_ratio": when(uniform(0.1, 0.8), penalty="elasticnet"),
    "n_iter_no_change": randint(2, 9),
}
DICTS = [{"penalty": [None]}, {"penalty": ["l2"], "alpha": loguniform(1e-5, 1e-1)}]


@pytest.mark.parametrize("kind", BOTH_KINDS)
def test_conditions_constraints_and_dicts(kind: str) -> None:
    conditional = [
        {"penalty": None, "alpha": 1e-3, "n_iter_no_change": np.int64(2)},
        {"penalty": "elasticnet", "alpha": 1e-1, "n_iter_no_change": 8, "l1_ratio": 0.5},
    ]
    search = build(
        kind,
        CONDITIONAL,
        points_to_evaluate=conditional,
        constraint=lambda p: p["n_iter_no_change"] != 5,
    ).fit(X, y)
    assert candidates(search)[:2] == conditional
    dicts = [{"penalty": "l2", "alpha": 1e-2}, {"penalty": None}]
    assert candidates(build(kind, DICTS, points_to_evaluate=dicts).fit(X, y))[:2] == dicts


@pytest.mark.parametrize("kind", ["random", "nearest", "epochs"])
def test_equal_points_are_one_candidate(kind: str) -> None:
    tried = candidates(build(kind, WIDE, points_to_evaluate=POINTS * 20).fit(X, y))
    assert tried[:2] == POINTS
    assert POINTS[0] not in tried[2:]


def test_points_fill_brackets_in_order() -> None:
    points = [{"alpha": 10.0 ** (-i / 3), "penalty": "l2"} for i in range(3, 15)]
    search = build("epochs", WIDE, points_to_evaluate=points, brackets="all").fit(X, y)
    assert candidates(search)[:12] == points
    first = search.brackets_[1][0].trials
    assert first == (9, 10, 11, 12, 13)
    assert search.n_candidates_ == [9, 3, 1, 5, 1, 3]


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs", "samples", "asha"])
def test_more_points_than_candidates_are_an_error(kind: str) -> None:
    calls = Calls()
    space = {"x": uniform(0, 1)}
    options = {"brackets": 1} if kind in BRACKETS else {}
    search = build(kind, space, EpochRecorder(calls), points_to_evaluate=None, **options)
    n = search.plan(X, y).n_candidates
    search.points_to_evaluate = [{"x": i / 100} for i in range(n + 1)]
    message = f"points_to_evaluate has {n + 1} different points.* no more than {n} candidates"
    for method in (search.plan, search.fit):
        with pytest.raises(ValueError, match=message):
            method(X, y)
    assert not calls.noted
    search.points_to_evaluate = [{"x": i / 100} for i in range(n)] * 2
    tried = candidates(search.fit(X, y))
    assert tried == search.points_to_evaluate[:n]


@pytest.mark.parametrize("kind", ["max_iter", "epochs", "random"])
def test_the_best_of_one_search_starts_another(kind: str) -> None:
    first = make(kind, space=WIDE).fit(X, y)
    assert ("max_iter" in first.best_params_) == (kind == "max_iter")
    second = build(kind, WIDE, points_to_evaluate=[first.best_params_], random_state=1)
    second.fit(X, y)
    best = {name: first.best_params_[name] for name in WIDE}
    assert candidates(second)[0] == best
    if kind == "random":
        assert second.best_score_ >= first.best_score_


def test_the_resource_of_another_search_is_no_parameter_of_this_one() -> None:
    with pytest.raises(
        ValueError, match=r"points_to_evaluate\[0\]: .*'max_iter' is not search"
    ):
        build("random", points_to_evaluate=[{**POINTS[0], "max_iter": 9}]).fit(X, y)


@pytest.mark.parametrize("kind", ["random", "nearest", "epochs of nearest"])
def test_the_number_of_workers_changes_nothing(kind: str) -> None:
    options = {"n_points": 3} if kind == "nearest" else {}
    alone = build(kind, WIDE, **options).fit(X, y).cv_results_
    with joblib.parallel_config(backend="threading", n_jobs=3):
        together = build(kind, WIDE, **options).fit(X, y).cv_results_
    assert alone.keys() == together.keys()
    for name in alone:
        if not name.endswith("_time"):
            np.testing.assert_array_equal(alone[name], together[name], err_msg=name)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_points(kind: str, nothing: Any) -> None:
    expected = candidates(make(kind).fit(X, y))
    assert candidates(build(kind, points_to_evaluate=nothing).fit(X, y)) == expected


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_point_that_fails_is_a_candidate_that_failed() -> None:
    space = {"alpha": [-1.0, 1e-3, 1e-2]}
    search = RandomSearchCV(sgd(), space, points_to_evaluate=[{"alpha": -1.0}], n_iter=3, cv=3)
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"):
        search.fit(X, y)
    assert search.cv_results_["rank_test_score"].tolist()[0] == 3
    assert search.best_params_["alpha"] > 0


def test_objects_are_understood_by_their_state() -> None:
    pipeline = Pipeline([("scale", StandardScaler()), ("sgd", sgd())])
    space = {"scale": [StandardScaler(), MinMaxScaler(), None], "sgd__alpha": [1e-3, 1e-2]}
    points = [{"scale": MinMaxScaler(), "sgd__alpha": 1e-2}]
    search = HalvingHyperbandSearchCV(
        pipeline, space, points_to_evaluate=points, max_resources=3, cv=3
    )
    first = search.fit(X, y).cv_results_["params"][0]
    assert first["scale"] is space["scale"][1]
