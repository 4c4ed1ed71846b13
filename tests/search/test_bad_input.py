"""Bad input: one clear message before any training, the same from `plan` as from `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from search.searches import (
    ALL,
    BRACKETS,
    FLAT,
    HALVING,
    Calls,
    EpochRecorder,
    Recorder,
    data,
    make,
)
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold, LeaveOneGroupOut, ShuffleSplit, StratifiedKFold

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, RandomSearchCV, lograndint, when

X, y = data(60, 2)
SPACE = {"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}


class Nowhere:
    """A splitter without splits."""

    def split(self, X, y=None, groups=None):
        return iter(())

    def get_n_splits(self, X=None, y=None, groups=None):
        return 0


class Liar(Nowhere):
    """A splitter that announces more than it gives."""

    def split(self, X, y=None, groups=None):
        yield np.arange(30), np.arange(30, 60)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 3


def build(
    kind: str, calls: Calls, estimator: Any = None, space: Any = None, **options: Any
) -> Any:
    if kind == "max_iter":
        options = {"resource": "size", **options}
    return make(
        kind, estimator or EpochRecorder(calls), SPACE if space is None else space, **options
    )


def refuses(search: Any, calls: Calls, error: Any, match: str, X: Any = X, y: Any = y) -> None:
    """Both methods raise that error, in one line, and nothing was trained."""
    for method in (search.plan, search.fit):
        with pytest.raises(error, match=match) as caught:
            method(X, y)
        assert "fits failed" not in str(caught.value)
        assert len(str(caught.value)) < 600 or "must be a str among" in str(caught.value)
    assert not calls.noted


BOTH = (ValueError, TypeError)
OF_ALL = {
    "cv below 2": ({"cv": 1}, ValueError, "cv.*1"),
    "cv of text": ({"cv": "five"}, ValueError, "cv"),
    "empty cv": ({"cv": []}, ValueError, "(?i)empty|no split|no fold"),
    "cv without splits": ({"cv": Nowhere()}, ValueError, "(?i)empty|no split|no fold"),
    "a cv that lies": ({"cv": Liar()}, ValueError, "inconsistent.*Expected 3 splits, got 1"),
    "more folds than rows": ({"cv": 61}, ValueError, "n_splits=61"),
    "groups that are missing": ({"cv": LeaveOneGroupOut()}, ValueError, "groups"),
    "scoring unknown": ({"scoring": "acuracy"}, ValueError, "acuracy"),
    "scoring in a list unknown": (
        {"scoring": ["accuracy", "bccuracy"], "refit": "accuracy"},
        ValueError,
        "bccuracy",
    ),
    "scoring empty": ({"scoring": []}, ValueError, "(?i)empty"),
    "refit of many": ({"scoring": ["accuracy", "f1"]}, ValueError, "refit"),
    "refit unknown": ({"scoring": ["accuracy", "f1"], "refit": "f2"}, ValueError, "refit"),
    "error_score of text": ({"error_score": "rise"}, ValueError, "error_score"),
    "n_jobs of text": ({"n_jobs": "two"}, BOTH, "n_jobs"),
    "verbose of text": ({"verbose": "yes"}, BOTH, "verbose"),
    "return_train_score of text": ({"return_train_score": "yes"}, BOTH, "return_train_score"),
    "random_state of text": ({"random_state": "seed"}, BOTH, "random_state|seed"),
    "sampler unknown": ({"sampler": "sobl"}, ValueError, "sampler.*sobol"),
    "sampler of a wrong type": ({"sampler": 3}, BOTH, "sampler"),
    "constraint of a wrong type": ({"constraint": "x < 1"}, BOTH, "constraint"),
    "constraint infeasible": ({"constraint": lambda p: False}, ValueError, "constraint"),
    "misspelt": ({"space": {"y": [1]}}, ValueError, "(?s)'y'.*'x'"),
    "misspelt, nearest": ({"space": {"szie": [1, 2]}}, ValueError, "(?s)szie.*size"),
    "empty list": ({"space": {"x": []}}, ValueError, "x"),
    "no list": ({"space": {"x": 3.0}}, BOTH, "x"),
    "a text": ({"space": {"x": "abc"}}, BOTH, "x"),
    "empty array": ({"space": {"x": np.array([])}}, ValueError, "x"),
    "space of a wrong type": ({"space": "x"}, BOTH, "param_distributions"),
    "space of wrong types": ({"space": [{"x": [1]}, 3]}, BOTH, r"not a dict \(3\)"),
    "empty list of spaces": ({"space": []}, ValueError, "param_distributions|empty"),
    "unfrozen": ({"space": {"x": loguniform}}, ValueError, "'x'.*needs its arguments"),
    "points of a wrong type": (
        {"points_to_evaluate": {"x": 1.0}},
        BOTH,
        "points_to_evaluate",
    ),
    "a point of a wrong type": (
        {"points_to_evaluate": [3]},
        TypeError,
        r"points_to_evaluate\[0\] is not a dict: 3",
    ),
    "a point outside": (
        {"points_to_evaluate": [{"x": 1.0}, {"x": 7.0}]},
        ValueError,
        r"points_to_evaluate\[1\]: Parameter 'x': 7.0 is not one of",
    ),
    "a point of other parameters": (
        {"points_to_evaluate": [{"xx": 1.0}]},
        ValueError,
        r"points_to_evaluate\[0\]: Parameter 'xx' is not searched; did you mean 'x'",
    ),
    "a point that says nothing": (
        {"points_to_evaluate": [{}]},
        ValueError,
        r"points_to_evaluate\[0\]: Parameter 'x' is missing",
    ),
    "a point that is not allowed": (
        {"points_to_evaluate": [{"x": 2.0}], "constraint": lambda p: p["x"] != 2.0},
        ValueError,
        r"points_to_evaluate\[0\]: the constraint rejects {'x': 2.0}",
    ),
    "condition on nothing": ({"space": {"x": when([1], size_=2)}}, ValueError, "size_"),
    "conditions in a circle": (
        {"space": {"x": when([1.0], size=2), "size": when([2], x=1.0)}},
        ValueError,
        "(?i)cycle|circle",
    ),
}


@pytest.mark.parametrize("case", OF_ALL)
@pytest.mark.parametrize("kind", ["random", "bayes", "epochs", "samples"])
def test_all_refuse(kind: str, case: str) -> None:
    options, error, match = OF_ALL[case]
    calls = Calls()
    refuses(build(kind, calls, **options), calls, error, match)


OF_FLAT = {
    "n_iter 0": ({"n_iter": 0}, ValueError, "n_iter"),
    "n_iter negative": ({"n_iter": -3}, ValueError, "n_iter"),
    "n_iter a fraction": ({"n_iter": 2.5}, BOTH, "n_iter"),
    "n_iter of text": ({"n_iter": "ten"}, BOTH, "n_iter"),
    "n_iter None": ({"n_iter": None}, BOTH, "n_iter"),
}


@pytest.mark.parametrize("case", OF_FLAT)
@pytest.mark.parametrize("kind", FLAT)
def test_flat_searches_refuse(kind: str, case: str) -> None:
    options, error, match = OF_FLAT[case]
    calls = Calls()
    refuses(build(kind, calls, **options), calls, error, match)


OF_BAYES = {
    "n_points 0": ({"n_points": 0}, ValueError, "n_points"),
    "n_points a fraction": ({"n_points": 1.5}, BOTH, "n_points"),
    "n_initial_points 0": ({"n_initial_points": 0}, ValueError, "n_initial_points"),
    "n_initial_points of text": ({"n_initial_points": "many"}, BOTH, "n_initial_points"),
}


@pytest.mark.parametrize("case", OF_BAYES)
def test_bayes_refuses(case: str) -> None:
    options, error, match = OF_BAYES[case]
    calls = Calls()
    refuses(build("bayes", calls, **options), calls, error, match)


OF_HALVING = {
    "factor 1": ({"factor": 1}, ValueError, "factor"),
    "factor below 1": ({"factor": 0.5}, ValueError, "factor"),
    "factor negative": ({"factor": -3}, ValueError, "factor"),
    "factor nan": ({"factor": float("nan")}, ValueError, "factor"),
    "factor inf": ({"factor": float("inf")}, ValueError, "factor"),
    "factor of text": ({"factor": "three"}, BOTH, "factor"),
    "min above max": (
        {"min_resources": 20, "max_resources": 9},
        ValueError,
        "(?s)min_resources.*max_resources",
    ),
    "min 0": ({"min_resources": 0}, ValueError, "min_resources"),
    "min a fraction": ({"min_resources": 1.5}, BOTH, "min_resources"),
    "max 0": ({"max_resources": 0}, ValueError, "max_resources"),
    "max of text": ({"max_resources": "much"}, BOTH, "max_resources"),
    "max a fraction": ({"max_resources": 9.5}, BOTH, "max_resources"),
    "resource unknown": ({"resource": "nonsense"}, ValueError, "(?s)resource.*n_samples"),
    "resource misspelt": ({"resource": "epoch"}, ValueError, "(?s)epoch.*epochs"),
    "resource of a wrong type": ({"resource": 3}, BOTH, "resource"),
    "resource no integer": ({"resource": "x"}, ValueError, "(?s)x.*integer"),
    "resource a bool": ({"resource": "warm_start"}, ValueError, "(?s)warm_start.*integer"),
    "resource searched too": (
        {"resource": "size", "space": {"size": [1, 2], "x": [1.0, 2.0]}},
        ValueError,
        "size",
    ),
    "folds that change": ({"cv": KFold(3, shuffle=True)}, ValueError, "(?s)random_state|folds"),
    "draws that change": ({"cv": ShuffleSplit(3)}, ValueError, "(?s)random_state|folds"),
    "strata that change": (
        {"cv": StratifiedKFold(3, shuffle=True)},
        ValueError,
        "(?s)random_state|folds",
    ),
}


@pytest.mark.parametrize("case", OF_HALVING)
@pytest.mark.parametrize("kind", HALVING)
def test_halving_refuses(kind: str, case: str) -> None:
    options, error, match = OF_HALVING[case]
    if kind == "samples" and case == "min 0":
        options = {"min_resources": 0}
    calls = Calls()
    refuses(build(kind, calls, **options), calls, error, match)


OF_BRACKETS = {
    "iterations 0": ({"hyperband_iterations": 0}, ValueError, "hyperband_iterations"),
    "iterations a fraction": ({"hyperband_iterations": 1.5}, BOTH, "hyperband_iterations"),
    "brackets 0": ({"brackets": 0}, ValueError, "brackets"),
    "brackets too many": ({"brackets": 99}, ValueError, "brackets"),
    "brackets of text": ({"brackets": "some"}, BOTH, "brackets"),
    "brackets a list": ({"brackets": [1, 2]}, BOTH, "brackets"),
}


@pytest.mark.parametrize("case", OF_BRACKETS)
@pytest.mark.parametrize("kind", BRACKETS)
def test_searches_with_brackets_refuse(kind: str, case: str) -> None:
    options, error, match = OF_BRACKETS[case]
    calls = Calls()
    refuses(build(kind, calls, **options), calls, error, match)


OF_ASHA = {
    "n_candidates 0": ({"n_candidates": 0}, ValueError, "n_candidates"),
    "n_candidates a fraction": ({"n_candidates": 2.5}, BOTH, "n_candidates"),
    "n_candidates of text": ({"n_candidates": "many"}, BOTH, "n_candidates"),
    "more points than candidates": (
        {"n_candidates": 1, "points_to_evaluate": [{"x": 1.0}, {"x": 2.0}]},
        ValueError,
        "points_to_evaluate has 2 different points",
    ),
}


@pytest.mark.parametrize("case", OF_ASHA)
def test_asha_refuses(case: str) -> None:
    options, error, match = OF_ASHA[case]
    calls = Calls()
    refuses(build("asha", calls, **options), calls, error, match)


def test_no_epochs() -> None:
    calls = Calls()
    search = HalvingHyperbandSearchCV(Recorder(calls), SPACE, max_resources=9)
    refuses(search, calls, ValueError, "(?s)Recorder.*epochs.*n_samples")


def test_no_end_of_epochs() -> None:
    """EpochRecorder has no max_iter, nor max_epochs."""
    calls = Calls()
    search = HalvingHyperbandSearchCV(EpochRecorder(calls), SPACE)
    refuses(search, calls, ValueError, "max_resources")


def test_more_rows_than_there_are() -> None:
    calls = Calls()
    for options in ({"min_resources": 50}, {"max_resources": 1000}):
        search = HalvingHyperbandSearchCV(
            Recorder(calls), SPACE, resource="n_samples", cv=3, **options
        )
        refuses(search, calls, ValueError, "(?s)resources.*40")


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs"])
def test_no_estimator(kind: str) -> None:
    for nobody in ("sgd", SGDClassifier, None):
        search = make(kind)
        search.estimator = nobody
        for method in (search.plan, search.fit):
            with pytest.raises((TypeError, ValueError), match=r"(?i)estimator|clone"):
                method(X, y)


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs"])
def test_an_estimator_that_cannot_score(kind: str) -> None:
    from sklearn.cluster import DBSCAN

    for method in ("plan", "fit"):
        with pytest.raises(TypeError, match="scor"):
            getattr(make(kind, DBSCAN(), {"eps": [0.1, 1.0]}), method)(X)


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs", "samples"])
def test_no_rows(kind: str) -> None:
    calls = Calls()
    refuses(build(kind, calls), calls, ValueError, "sample", X[:0], y[:0])
    refuses(build(kind, calls), calls, ValueError, "n_splits|sample|resource", X[:1], y[:1])


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs", "samples"])
def test_an_argument_that_fit_does_not_know(kind: str) -> None:
    """As in scikit-learn, it is the estimator's to refuse."""
    with pytest.raises((TypeError, ValueError), match="colour"):
        make(kind, error_score="raise").fit(X, y, colour="red")


SAMPLED = ["random", "sobol", "bayes"]


@pytest.mark.parametrize("kind", SAMPLED)
def test_more_iterations_than_configs_is_a_warning_and_each_runs_once(kind: str) -> None:
    calls = Calls()
    search = build(kind, calls, n_iter=50, cv=2)
    with pytest.warns(
        UserWarning, match="total space of parameters 6 is smaller than n_iter=50"
    ):
        search.fit(X, y)
    assert sorted(params["x"] for params in search.cv_results_["params"]) == SPACE["x"]
    assert calls.trainings == 6 * 2 + 1


@pytest.mark.parametrize("kind", FLAT)
def test_exactly_as_many_iterations_as_configs(kind: str) -> None:
    search = build(kind, Calls(), n_iter=6).fit(X, y)
    assert sorted(params["x"] for params in search.cv_results_["params"]) == SPACE["x"]


@pytest.mark.parametrize("kind", SAMPLED)
def test_a_constraint_and_conditions_count(kind: str) -> None:
    space = {"x": [1.0, 2.0], "size": when([1, 2, 3], x=2.0)}
    search = build(
        kind, Calls(), space=space, n_iter=9, constraint=lambda p: p.get("size") != 2
    )
    with pytest.warns(UserWarning, match="total space of parameters 3 "):
        search.fit(X, y)
    seen = sorted(tuple(sorted(params.items())) for params in search.cv_results_["params"])
    assert seen == [(("size", 1), ("x", 2.0)), (("size", 3), ("x", 2.0)), (("x", 1.0),)]


@pytest.mark.parametrize("kind", SAMPLED)
def test_integers_of_a_distribution_run_out_too(kind: str) -> None:
    search = build(kind, Calls(), space={"size": randint(1, 4)}, n_iter=9)
    with pytest.warns(UserWarning, match="total space of parameters 3 "):
        search.fit(X, y)
    assert sorted(params["size"] for params in search.cv_results_["params"]) == [1, 2, 3]


def test_a_grid_is_run_whole_whatever_n_iter_says() -> None:
    search = build("grid", Calls(), n_iter=2).fit(X, y)
    assert [params["x"] for params in search.cv_results_["params"]] == SPACE["x"]


@pytest.mark.parametrize("kind", HALVING)
def test_a_halving_of_a_small_space_never_repeats_itself(kind: str) -> None:
    brackets = {"brackets": "all"} if kind in BRACKETS else {}
    search = build(kind, Calls(), space={"x": [1.0, 2.0]}, factor=3, **brackets)
    plan = search.plan(X, y)
    results = search.fit(X, y).cv_results_
    assert plan.n_fits == len(results["params"]) * search.n_splits_
    assert plan.n_candidates == 2
    assert "only 2 configurations" in str(plan)
    lowest = [
        (r, p["x"]) for r, p in zip(results["n_resources"], results["params"], strict=True)
    ]
    assert len(set(lowest)) == len(lowest)


@pytest.mark.parametrize("kind", ALL)
def test_a_space_of_one(kind: str) -> None:
    options = {"n_iter": 1} if kind in FLAT else {}
    search = build(kind, Calls(), space={"x": [2.0]}, **options).fit(X, y)
    assert search.best_params_["x"] == 2.0
    assert search.best_index_ == len(search.cv_results_["params"]) - 1


@pytest.mark.parametrize("kind", ALL)
def test_an_empty_space_trains_the_estimator_as_it_is(kind: str) -> None:
    """GridSearchCV(estimator, {}) is one candidate without parameters."""
    options = {"n_iter": 1} if kind in FLAT else {}
    search = build(kind, Calls(), space={}, **options).fit(X, y)
    assert {name for name in search.best_params_ if name != "size"} == set()


@pytest.mark.parametrize("kind", ["epochs", "samples", "max_iter"])
def test_hardly_any_rows(kind: str) -> None:
    few = slice(0, 8)
    labels = np.array([0, 1] * 4)
    options = {"min_resources": 1} if kind == "samples" else {}
    search = build(kind, Calls(), cv=2, **options).fit(X[few], labels)
    assert search.best_index_ >= 0
    assert search.cv_results_["n_resources"].max() == (4 if kind == "samples" else 9)


@pytest.mark.parametrize("kind", HALVING)
def test_a_ladder_of_one_rung(kind: str) -> None:
    options = {"min_resources": 40} if kind == "samples" else {"max_resources": 1}
    search = build(kind, Calls(), **options).fit(X, y)
    assert len(set(search.cv_results_["n_resources"])) == 1


@pytest.mark.parametrize("bounds", [(5, 5), (9, 2), (0, 5)])
@pytest.mark.parametrize("kind", ["random", "bayes", "epochs"])
def test_bounds_out_of_order(kind: str, bounds: tuple[int, int]) -> None:
    calls = Calls()
    search = build(kind, calls, space={"size": lograndint(*bounds)})
    refuses(search, calls, ValueError, "'size'.*low")


def test_parameters_of_a_distribution_out_of_order() -> None:
    calls = Calls()
    for cls in (RandomSearchCV, BayesSearchCV):
        search = cls(Recorder(calls), {"x": loguniform(1.0, 0.1)})
        refuses(search, calls, ValueError, "'x'.*low")


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs", "samples"])
def test_a_plan_changes_nothing(kind: str) -> None:
    calls = Calls()
    search = build(kind, calls)
    before = set(vars(search))
    search.plan(X, y)
    assert not calls.noted
    assert set(vars(search)) == before
