"""cv_results_: scikit-learn's keys, types, masks, ranks and, on the same folds, its scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform, randint, uniform
from search.searches import (
    ALL,
    BRACKETS,
    FLAT,
    HALVING,
    LEARNING,
    SPACE,
    WIDE,
    data,
    exhaustive,
    make,
    sgd,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold

from sk_hpo import HalvingHyperbandSearchCV, lograndint, when

X, y = data()
RUNGS = {"trial", "iter", "n_resources", "bracket"}
REASONS = {"suggested_by", "acquisition", "predicted_mean", "predicted_sd"}


def scores_of(results: dict[str, Any]) -> dict[str, np.ndarray]:
    return {
        key: value
        for key, value in results.items()
        if ("_test_" in key or "_train_" in key) and not key.startswith("rank")
    }


MULTI = {"scoring": ["accuracy", "f1_macro"], "refit": "f1_macro", "return_train_score": True}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *[(kind, {}) for kind in ALL],
        *[(kind, {"return_train_score": True}) for kind in ("random", "samples")],
        *[(kind, MULTI) for kind in ("random", "bayes", "epochs")],
    ],
)
def test_keys_and_types_are_scikit_learns(kind: str, options: dict[str, Any]) -> None:
    ours = make(kind, **options).fit(X, y).cv_results_
    theirs = (
        RandomizedSearchCV(sgd(), SPACE, n_iter=5, cv=3, random_state=0, **options)
        .fit(X, y)
        .cv_results_
    )
    # as in scikit-learn's halving, a resource that is a parameter is one in the results
    extra = set(ours) - set(theirs) - {"param_max_iter"}
    assert set(theirs) <= set(ours)
    rungs = RUNGS if kind in HALVING else set()
    assert extra == rungs | (REASONS if kind in LEARNING else set())
    for key in theirs:
        assert type(ours[key]) is type(theirs[key]), key
        if key != "params":
            assert ours[key].dtype == theirs[key].dtype, key
            assert ours[key].shape == (len(ours["params"]),), key
    for key in extra:
        assert ours[key].shape == (len(ours["params"]),), key
        expected = "i" if key in RUNGS else "U" if key == "suggested_by" else "f"
        assert ours[key].dtype.kind == expected, key


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "i"),
        ([0.5, 1.5], "f"),
        ([True, False], "b"),
        (["a", "bb"], "O"),
        ([None, 1.0], "O"),
        ([(1, 2), (3, 4)], "O"),
        ([np.float32(1), np.float32(2)], "f"),
        (randint(1, 9), "i"),
        (lograndint(1, 9), "i"),
        (uniform(0, 1), "f"),
    ],
)
@pytest.mark.parametrize("search", ["random", "bayes"])
def test_the_type_of_a_parameter_is_scikit_learns(search: str, values: Any, kind: str) -> None:
    from sklearn.dummy import DummyClassifier

    class Any_(DummyClassifier):
        def __init__(self, value=None):
            super().__init__()
            self.value = value

    space = {"value": values}
    n_iter = 2
    ours = make(search, Any_(), space, n_iter=n_iter).fit(X, y).cv_results_
    theirs = (
        RandomizedSearchCV(Any_(), space, n_iter=n_iter, cv=3, random_state=0)
        .fit(X, y)
        .cv_results_
    )
    assert ours["param_value"].dtype == theirs["param_value"].dtype
    assert ours["param_value"].dtype.kind == kind
    types = {type(each["value"]) for each in ours["params"]}
    if isinstance(values, list):
        assert types <= {type(value) for value in values}
        assert all(any(p["value"] is v for v in values) for p in ours["params"])
    assert [each["value"] for each in ours["params"]] == list(ours["param_value"])


@pytest.mark.parametrize("kind", [k for k in ALL if k != "grid"])
def test_parameters_that_do_not_exist_are_masked(kind: str) -> None:
    space = {
        "penalty": ["l2", "elasticnet"],
        "alpha": loguniform(1e-5, 1e-1),
        "l1_ratio": when(uniform(0.1, 0.8), penalty="elasticnet"),
    }
    search = make(kind, space=space, **({"n_iter": 8} if kind in FLAT else {})).fit(X, y)
    results = search.cv_results_
    mask = np.ma.getmaskarray(results["param_l1_ratio"])
    elastic = results["param_penalty"] == "elasticnet"
    assert 0 < mask.sum() < len(mask)
    np.testing.assert_array_equal(~mask, elastic)
    for params, masked in zip(results["params"], mask, strict=True):
        assert ("l1_ratio" in params) is not masked


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
@pytest.mark.parametrize("kind", ["random", "bayes"])
@pytest.mark.parametrize(
    "options",
    [
        {"return_train_score": True},
        {"scoring": "f1_macro"},
        {"scoring": {"a": "accuracy", "b": make_scorer(accuracy_score)}, "refit": "b"},
        {"scoring": lambda est, X, y: {"acc": est.score(X, y), "one": 1.0}, "refit": "acc"},
        {"scoring": lambda est, X, y: est.score(X, y)},
        {"cv": StratifiedKFold(4, shuffle=True, random_state=7)},
        {"cv": [(np.arange(60), np.arange(60, 90)), (np.arange(30, 90), np.arange(30))]},
        {"refit": False},
        {"refit": lambda results: int(np.argmin(results["mean_test_score"]))},
    ],
    ids=["train", "f1", "dict", "callable-dict", "callable", "cv", "splits", "none", "pick"],
)
def test_the_same_candidates_score_as_in_scikit_learn(
    kind: str, options: dict[str, Any]
) -> None:
    search = make(kind, space=WIDE, **options).fit(X, y)
    oracle = exhaustive(search, search.cv_results_["params"]).fit(X, y)
    ours, theirs = scores_of(search.cv_results_), scores_of(oracle.cv_results_)
    assert set(ours) == set(theirs)
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
    for key in theirs:
        if key.startswith("rank"):
            np.testing.assert_array_equal(ours[key], theirs[key])
    for name in ("best_index_", "best_params_", "best_score_", "n_splits_", "multimetric_"):
        assert hasattr(search, name) == hasattr(oracle, name), name
        if hasattr(oracle, name):
            assert getattr(search, name) == getattr(oracle, name), name
    assert hasattr(search, "best_estimator_") == hasattr(oracle, "best_estimator_")
    assert type(search.scorer_) is type(oracle.scorer_)
    if search.refit:
        np.testing.assert_array_equal(
            search.best_estimator_.coef_, oracle.best_estimator_.coef_
        )
        assert search.score(X, y) == oracle.score(X, y)
        assert search.refit_time_ >= 0


def test_random_search_of_lists_runs_through_distinct_configs() -> None:
    results = make("random", n_iter=10).fit(X, y).cv_results_
    assert len({tuple(each.items()) for each in results["params"]}) == 10


@pytest.mark.parametrize("multi", [False, True])
def test_a_rung_by_a_parameter_scores_as_scikit_learn_does(multi: bool) -> None:
    options = {"scoring": ["accuracy", "f1_macro"], "refit": "f1_macro"} if multi else {}
    search = HalvingHyperbandSearchCV(
        RandomForestClassifier(random_state=0),
        {"max_depth": [1, 2, 3, 4], "criterion": ["gini", "entropy"]},
        resource="n_estimators",
        max_resources=9,
        cv=3,
        random_state=0,
        return_train_score=True,
        **options,
    ).fit(X, y)
    results = search.cv_results_
    resources = results["n_resources"]
    assert [params["n_estimators"] for params in results["params"]] == list(resources)
    np.testing.assert_array_equal(results["param_n_estimators"], resources)
    oracle = exhaustive(search, results["params"], refit=False).fit(X, y).cv_results_
    for key, expected in scores_of(oracle).items():
        np.testing.assert_array_equal(results[key], expected, err_msg=key)
    best = results["n_resources"][search.best_index_]
    assert best == 9
    assert search.best_estimator_.n_estimators == best
    assert len(search.best_estimator_.estimators_) == best
    alone = RandomForestClassifier(random_state=0, **search.best_params_)
    np.testing.assert_array_equal(alone.fit(X, y).predict_proba(X), search.predict_proba(X))


def test_a_rung_of_epochs_scores_as_that_many_partial_fits() -> None:
    search = make("epochs", sgd(), WIDE).fit(X, y)
    results = search.cv_results_
    for row, params in enumerate(results["params"]):
        for fold, (train, test) in enumerate(StratifiedKFold(3).split(X, y)):
            model = SGDClassifier(random_state=np.random.RandomState(0), **params)
            for _ in range(results["n_resources"][row]):
                model.partial_fit(X[train], y[train], classes=np.unique(y))
            assert results[f"split{fold}_test_score"][row] == model.score(X[test], y[test])
    assert search.best_estimator_.random_state == 0
    # t_ counts the updates from 1: refit has seen all rows, as often as the winner's folds.
    assert search.best_estimator_.t_ == 1 + 9 * len(X)
    assert results["n_resources"][search.best_index_] == 9


def test_a_rung_of_samples_is_trained_on_that_many_rows_and_refit_on_all() -> None:
    search = make("samples", sgd(), WIDE).fit(X, y)
    results = search.cv_results_
    assert set(results["n_resources"]) == {20, 60}
    assert search.best_estimator_.t_ == 1 + 9 * len(X)
    top = np.flatnonzero(results["n_resources"] == 60)
    candidates = [results["params"][row] for row in top]
    oracle = exhaustive(search, candidates, refit=False).fit(X, y).cv_results_
    for key, expected in scores_of(oracle).items():
        np.testing.assert_array_equal(results[key][top], expected, err_msg=key)


@pytest.mark.parametrize(
    ("kind", "refit"),
    [*[(kind, True) for kind in HALVING], ("epochs", "f1_macro"), ("samples", False)],
)
def test_the_best_is_of_the_highest_resource_reached(kind: str, refit: Any) -> None:
    multi = {"scoring": ["accuracy", "f1_macro"]} if refit is not True else {}
    search = make(kind, space=WIDE, refit=refit, **multi).fit(X, y)
    results = search.cv_results_
    metric = "f1_macro" if refit == "f1_macro" else "score"
    if multi and not refit:
        assert not hasattr(search, "best_index_")
        assert not hasattr(search, "best_estimator_")
        return
    top = np.flatnonzero(results["n_resources"] == results["n_resources"].max())
    scores = results[f"mean_test_{metric}"]
    assert search.best_index_ in top
    assert search.best_score_ == scores[top].max() == scores[search.best_index_]
    assert search.best_params_ == results["params"][search.best_index_]
    assert search.n_resources_[-1] == results["n_resources"].max()


@pytest.mark.parametrize("kind", HALVING)
def test_a_callable_refit_chooses_among_the_highest_resource(kind: str) -> None:
    seen: list[dict[str, Any]] = []

    def worst(results: dict[str, Any]) -> int:
        seen.append(results)
        return int(np.argmin(results["mean_test_score"]))

    more = {"samples": {}, "asha": {"n_candidates": 27}}.get(kind, {"brackets": "all"})
    search = make(kind, space=WIDE, refit=worst, **more).fit(X, y)
    results = search.cv_results_
    top = np.flatnonzero(results["n_resources"] == results["n_resources"].max())
    assert len(top) > 1
    assert set(seen[0]) == set(results)
    for key in results:
        np.testing.assert_array_equal(seen[0][key], np.asarray(results[key])[top])
    assert search.best_index_ == top[np.argmin(results["mean_test_score"][top])]
    assert search.best_params_ == results["params"][search.best_index_]
    assert not hasattr(search, "best_score_")
    assert search.best_estimator_.t_ == 1 + 9 * len(X)


@pytest.mark.parametrize("bad", ["one", 10**6, -1])
@pytest.mark.parametrize("kind", ["random", "bayes", "epochs"])
def test_a_refit_callable_that_answers_nonsense(kind: str, bad: Any) -> None:
    with pytest.raises((TypeError, IndexError), match="best_index_"):
        make(kind, refit=lambda results: bad).fit(X, y)


@pytest.mark.parametrize("kind", HALVING)
def test_ranks_of_a_halving_put_every_score_in_order(kind: str) -> None:
    results = make(kind, space=WIDE).fit(X, y).cv_results_
    ranks, resources = results["rank_test_score"], results["n_resources"]
    assert ranks.min() == 1
    scores = results["mean_test_score"]
    for r in set(resources):
        rows = resources == r
        order = np.argsort(ranks[rows], kind="stable")
        assert (np.diff(scores[rows][order]) <= 0).all()


@pytest.mark.parametrize("kind", BRACKETS)
def test_trial_bracket_and_iter_tell_the_story(kind: str) -> None:
    search = make(kind, space=WIDE, hyperband_iterations=2, brackets="all").fit(X, y)
    results = search.cv_results_
    rows = list(
        zip(
            results["bracket"],
            results["iter"],
            results["n_resources"],
            results["trial"],
            strict=True,
        )
    )
    assert len(set(rows)) == len(rows)
    params_of: dict[int, Any] = {}
    for (_, _, _, trial), params in zip(rows, results["params"], strict=True):
        params = {name: params[name] for name in WIDE}
        assert params_of.setdefault(int(trial), params) == params
    # a trial lives in one bracket, and climbs it
    for trial in params_of:
        mine = sorted(row[:3] for row in rows if row[3] == trial)
        assert len({bracket for bracket, *_ in mine}) == 1
        assert [iteration for _, iteration, _ in mine] == list(
            range(mine[0][1], mine[0][1] + len(mine))
        )
        assert [r for *_, r in mine] == sorted({r for *_, r in mine})
    assert set(params_of) == set(range(len(params_of)))


def test_times_are_measured() -> None:
    results = make("epochs", space=WIDE).fit(X, y).cv_results_
    for key in ("mean_fit_time", "mean_score_time"):
        assert (results[key] > 0).all()
    for key in ("std_fit_time", "std_score_time"):
        assert (results[key] >= 0).all()


def test_multimetric_ranks_and_std_come_from_the_splits() -> None:
    search = make("epochs", space=WIDE, scoring=["accuracy", "f1_macro"], refit="accuracy")
    results = search.fit(X, y).cv_results_
    for metric in ("accuracy", "f1_macro"):
        splits = np.array([results[f"split{i}_test_{metric}"] for i in range(3)])
        np.testing.assert_allclose(results[f"mean_test_{metric}"], splits.mean(axis=0))
        np.testing.assert_allclose(results[f"std_test_{metric}"], splits.std(axis=0))


@pytest.mark.parametrize("scoring", ["dict", "callable"])
@pytest.mark.parametrize("kind", ["epochs", "samples", "bayes"])
def test_the_search_steers_by_the_metric_of_refit(kind: str, scoring: str) -> None:
    """Not by the first one, which here asks for the opposite."""
    metrics = {"wrong": lambda e, X, y: e.alpha, "right": lambda e, X, y: -e.alpha}
    scorer = {
        "dict": metrics,
        "callable": lambda e, X, y: {name: m(e, X, y) for name, m in metrics.items()},
    }[scoring]
    options: dict[str, Any] = {"n_iter": 12} if kind == "bayes" else {}
    space = {"alpha": uniform(0.1, 0.9)}
    search = make(kind, space=space, scoring=scorer, refit="right", **options).fit(X, y)
    alphas = np.array([params["alpha"] for params in search.cv_results_["params"]])
    if kind == "bayes":
        assert np.median(alphas[6:]) < np.median(alphas[:3])
    assert search.best_params_["alpha"] == alphas.min()


def test_metrics_without_a_name_for_refit_are_an_error() -> None:
    for scorer in (lambda e, X, y: {}, lambda e, X, y: {"a": 1.0}):
        with pytest.raises(ValueError, match="For multi-metric scoring, the parameter refit"):
            make("epochs", scoring=scorer).fit(X, y)
