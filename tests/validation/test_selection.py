"""Rules for ``refit=``, against the definitions written out with loops."""

from __future__ import annotations

import math
import pickle
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform, rankdata
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import Lasso, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV
from sk_hpo.validation.selection import (
    MostStable,
    OneStandardError,
    SelectionRule,
    selection_rule,
    within_one_standard_error,
)

NAN = float("nan")


def table(folds: Any, params: Any = None, metric: str = "score", **more: Any) -> dict[str, Any]:
    """Return ``cv_results_`` of scores (n_rows, n_folds), as scikit-learn would."""
    scores = np.array(folds, dtype=float)
    means = scores.mean(axis=1)
    ranks = rankdata(-np.where(np.isnan(means), -np.inf, means), method="min")
    return {
        "params": [{"a": i} for i in range(len(scores))] if params is None else params,
        **{f"split{k}_test_{metric}": scores[:, k] for k in range(scores.shape[1])},
        f"mean_test_{metric}": means,
        f"std_test_{metric}": scores.std(axis=1),
        f"rank_test_{metric}": ranks.astype(np.int32),
        **more,
    }


def near_by_hand(folds: list[list[float]]) -> list[int]:
    """Return the rows within one standard error, of rows that are NaN or not as a whole."""
    means = [float(np.mean(row)) for row in folds]
    best = max(value for value in means if not math.isnan(value))
    row = folds[means.index(best)]
    error = stdev(row) / math.sqrt(len(row))
    return [i for i, value in enumerate(means) if value >= best - error]


def on_the_edge(folds: list[list[float]]) -> bool:
    means = [float(np.mean(row)) for row in folds]
    best = max(value for value in means if not math.isnan(value))
    # The first of equal means is the best; others may have another standard error.
    if means.count(best) > 1:
        return True
    error = stdev(folds[means.index(best)]) / math.sqrt(len(folds[0]))
    return any(abs(value - (best - error)) < 1e-12 for value in means)


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[list[float]], list[dict[str, Any]]]:
    n_folds, n_rows = draw(st.integers(2, 6)), draw(st.integers(1, 7))
    scored = st.lists(
        st.integers(48, 64).map(lambda i: i / 64), min_size=n_folds, max_size=n_folds
    )
    folds = [draw(scored)] + [
        draw(st.one_of(scored, scored, st.just([NAN] * n_folds))) for _ in range(n_rows)
    ]
    params = [
        {"a": draw(st.integers(0, 2)), "b": draw(st.sampled_from([0.1, 1.0]))} for _ in folds
    ]
    return folds, params


@given(searches())
def test_near_is_by_hand(search: Any) -> None:
    folds, params = search
    if not on_the_edge(folds):
        near = within_one_standard_error(table(folds, params))
        assert sorted(near) == near_by_hand(folds)
        means = [mean(folds[i]) for i in near]
        assert means == sorted(means, reverse=True)


@given(searches())
def test_the_simplest_of_them_is_by_hand(search: Any) -> None:
    folds, params = search
    if on_the_edge(folds):
        return
    chosen = OneStandardError(["a", "-b"])(table(folds, params))
    near = near_by_hand(folds)
    assert chosen in near
    for i in near:
        mine, other = params[chosen], params[i]
        assert mine["a"] <= other["a"]
        if mine["a"] == other["a"]:
            assert mine["b"] >= other["b"]
            if mine["b"] == other["b"]:
                assert mean(folds[chosen]) >= mean(folds[i]) - 1e-12


@given(searches())
def test_the_most_stable_of_them_is_by_hand(search: Any) -> None:
    folds, params = search
    if not on_the_edge(folds):
        chosen = MostStable()(table(folds, params))
        near = near_by_hand(folds)
        assert chosen in near
        assert stdev(folds[chosen]) <= min(stdev(folds[i]) for i in near) + 1e-12


# Mean 0.85; the standard error is 0.1 / 2 / sqrt(4) * sqrt(4 / 3) = 0.0289.
BEST = [0.80, 0.80, 0.90, 0.90]


@pytest.mark.parametrize(("score", "near"), [(0.8212, True), (0.8211, False)])
def test_the_band_is_one_standard_error_of_the_best(score: float, near: bool) -> None:
    results = table([[score] * 4, BEST, [0.3, 0.5, 0.9, 1.0]])
    assert (0 in within_one_standard_error(results)) is near
    assert OneStandardError("a")(results) == (0 if near else 1)
    assert MostStable()(results) == (0 if near else 1)


def test_of_equals_the_best_mean_then_the_first() -> None:
    many = table([BEST, [0.84] * 4] * 25)
    assert list(within_one_standard_error(many)) == [*range(0, 50, 2), *range(1, 50, 2)]
    folds = [[0.84] * 4, BEST, [0.80, 0.80, 0.89, 0.89], BEST]
    same = [{"a": 1}] * 4
    assert OneStandardError("a")(table(folds, same)) == 1
    assert MostStable()(table(folds[1:], same[1:])) == 1
    assert MostStable()(table([BEST[::-1], BEST], same[:2])) == 0
    # The same spread, which rounding makes 1e-17 smaller for the worse of the two.
    right = np.array([24, 20, 20, 23, 26])
    assert MostStable()(table([(right - 1) / 30, right / 30], same[:2])) == 1


@pytest.mark.parametrize(
    ("order", "values", "chosen"),
    [
        ("a", [3, 1, 2], 1),
        ("-a", [3, 1, 2], 0),
        ("a", [True, np.float32(0.5), np.True_], 1),
        ("-a", [np.int64(1), 2.5, False], 1),
        # No limit, no penalty.
        ("a", [None, 100, 200], 1),
        ("-a", [None, 1e-9, 0], 1),
        ("a", [None, None, None], 0),
        # A layer that is not there is simpler; a penalty that is not there is not.
        ("a", ["absent", 0, 1], 0),
        ("-a", ["absent", 0, -1], 1),
        ("a", ["absent", None, 1], 0),
    ],
)
def test_what_is_simpler(order: str, values: list[Any], chosen: int) -> None:
    params = [{} if value == "absent" else {"a": value} for value in values]
    # All near; the first is the best.
    folds = [BEST, [score - 0.01 for score in BEST], [score - 0.02 for score in BEST]]
    assert OneStandardError(order)(table(folds, params)) == chosen


def test_an_order_by_two_names_and_by_a_callable() -> None:
    folds = [BEST, [0.84] * 4, [0.83] * 4, [0.825] * 4]
    kernels = ["rbf", "linear", "rbf", "poly"]
    params = [
        {"kernel": kernel, "C": c} for kernel, c in zip(kernels, [1, 10, 0.1, 0.1], strict=True)
    ]
    results = table(folds, params, mean_fit_time=np.array([4.0, 3.0, 2.0, 1.0]))
    assert OneStandardError("C")(results) == 2
    assert OneStandardError("-C")(results) == 1
    assert OneStandardError(["C", "mean_fit_time"])(results) == 3
    assert OneStandardError("mean_fit_time")(results) == 3
    linear_first = ["linear", "poly", "rbf"]
    by_kernel = OneStandardError(lambda p: (linear_first.index(p["kernel"]), p["C"]))
    assert by_kernel(results) == 1


def test_a_callable_sees_only_those_that_are_near() -> None:
    asked = []

    def order(params: dict[str, Any]) -> int:
        asked.append(params["a"])
        return int(params["a"])

    results = table([[0.1] * 4, BEST, [0.84] * 4, [NAN] * 4])
    assert OneStandardError(order)(results) == 1
    assert sorted(asked) == [1, 2]


def test_failed_candidates_are_not_chosen() -> None:
    folds = [[NAN, 0.99, 0.99, 0.99], [0.84] * 4, BEST]
    assert OneStandardError("a")(table(folds)) == 1
    assert MostStable()(table(folds)) == 1
    # A number that stands for a failure may be above the best; a search ranks it last.
    errors = table([[0.0] * 4, [-0.84] * 4, [-score for score in BEST]])
    errors["rank_test_score"] = np.array([3, 1, 2], dtype=np.int32)
    assert OneStandardError("a")(errors) == 1
    assert MostStable()(errors) == 1


def test_only_rows_with_the_most_folds_compete() -> None:
    for score in (0.99, 0.845):
        results = table(
            [[score, score, NAN, NAN], [0.84] * 4, BEST], n_folds=np.array([2, 4, 4])
        )
        results["mean_test_score"][0] = score
        assert list(within_one_standard_error(results)) == [2, 1]
        assert OneStandardError("a")(results) == 1
        assert MostStable()(results) == 1


def test_where_no_candidate_ran_all_folds_the_error_is_over_those_that_were_run() -> None:
    folds = [[0.80, 0.90, NAN], [0.80, 0.81, NAN], [0.75, 0.77, NAN]]
    results = table(folds, n_folds=np.array([2, 2, 2]))
    results["mean_test_score"] = np.array([0.85, 0.805, 0.76])
    results["rank_test_score"] = np.array([1, 2, 3], dtype=np.int32)
    assert list(within_one_standard_error(results)) == [0, 1]


def test_only_rows_at_the_highest_resource_compete() -> None:
    folds = [[0.95] * 4, [0.84] * 4, BEST]
    results = table(folds, n_resources=[1, 9, 9])
    assert OneStandardError("a")(results) == 1
    assert list(within_one_standard_error(results)) == [2, 1]


def test_of_several_metrics_the_one_that_is_named() -> None:
    accuracy = table([BEST, [0.84] * 4, [0.3] * 4], metric="accuracy")
    auc = table([[0.3] * 4, [0.9, 0.9, 0.8, 0.8], [0.84] * 4], metric="auc")
    results = accuracy | auc
    assert OneStandardError("-a", metric="accuracy")(results) == 1
    assert OneStandardError("-a", metric="auc")(results) == 2
    assert MostStable(metric="auc")(results) == 2
    for rule in (OneStandardError("a"), MostStable()):
        with pytest.raises(ValueError, match=r"metric= is not given.*\['accuracy', 'auc'\]"):
            rule(results)
    with pytest.raises(ValueError, match=r"no metric 'f1'.*\['accuracy', 'auc'\]"):
        within_one_standard_error(results, "f1")
    assert list(within_one_standard_error(accuracy)) == [0, 1]


def weights(estimator: Any, X: Any, y: Any) -> int:
    return int(np.count_nonzero(estimator.coef_))


def test_fewest_parameters_counted_by_a_scorer() -> None:
    X, y = load_diabetes(return_X_y=True)
    search = GridSearchCV(
        Lasso(),
        {"alpha": [0.001, 0.01, 0.1, 0.3, 1]},
        scoring={"r2": "r2", "n_weights": weights},
        refit=OneStandardError("n_weights", metric="r2"),
    ).fit(X, y)
    n_weights = search.cv_results_["mean_test_n_weights"]
    near = within_one_standard_error(search.cv_results_, "r2")
    assert search.best_index_ in near
    assert n_weights[search.best_index_] == n_weights[near].min() < n_weights[near[0]]
    assert weights(search.best_estimator_, X, y) < 8


def test_gridsearch_takes_largest_weight_decay() -> None:
    X, y = load_diabetes(return_X_y=True)
    alphas = [1, 0.1, 0.001, 0.3, 0.01, 3]
    plain = GridSearchCV(Ridge(), {"alpha": alphas}).fit(X, y)
    search = clone(plain).set_params(refit=OneStandardError("-alpha")).fit(X, y)
    near = near_by_hand(
        np.array([plain.cv_results_[f"split{k}_test_score"] for k in range(5)]).T.tolist()
    )
    assert search.best_params_["alpha"] == max(alphas[i] for i in near) == 0.3
    assert plain.best_params_["alpha"] == 0.001


@pytest.mark.parametrize(
    "rule", [OneStandardError(["-alpha", "l1_ratio"]), MostStable(), OneStandardError(weights)]
)
def test_rules_clone_pickle_and_read_well(rule: SelectionRule) -> None:
    search = clone(GridSearchCV(SGDClassifier(), {}, refit=rule))
    assert search.refit == rule == pickle.loads(pickle.dumps(rule))
    assert "".join(repr(rule).split()) in "".join(repr(search).split())
    assert repr(OneStandardError("-alpha")) == "OneStandardError(order='-alpha', metric=None)"


@pytest.mark.parametrize("rule", [OneStandardError("-alpha"), MostStable()])
def test_our_searches_take_them_too(rule: SelectionRule) -> None:
    X, y = make_classification(120, flip_y=0.2, random_state=0)
    space = {"alpha": loguniform(1e-4, 1)}
    estimator = SGDClassifier(random_state=0)
    flat = RandomSearchCV(estimator, space, n_iter=8, refit=rule, random_state=0)
    rungs = HalvingHyperbandSearchCV(
        estimator, space, max_resources=9, brackets=1, refit=rule, random_state=0
    )
    for search in (flat, rungs):
        results = search.fit(X, y).cv_results_
        near = within_one_standard_error(results)
        assert search.best_index_ in near
        if isinstance(rule, OneStandardError):
            alphas = [results["params"][i]["alpha"] for i in near]
            assert search.best_params_["alpha"] == max(alphas)
        else:
            spread = results["std_test_score"]
            assert spread[search.best_index_] == pytest.approx(min(spread[near]))


@pytest.mark.parametrize("order", ["", "-", [], ["a", ""], ["a", 3], 3, None])
def test_an_order_must_be_names_or_a_callable(order: Any) -> None:
    with pytest.raises(ValueError, match="order must be"):
        OneStandardError(order)


@pytest.mark.parametrize("value", ["rbf", NAN, (10, 10), DecisionTreeClassifier()])
def test_values_that_are_not_numbers_need_a_callable(value: Any) -> None:
    results = table([BEST, [0.84] * 4], [{"a": 1}, {"a": value}])
    with pytest.raises(ValueError, match=r"'-a' meets the value .*not a number.*callable"):
        OneStandardError("-a")(results)


def test_errors_say_what_was_seen() -> None:
    with pytest.raises(ValueError, match=r"'alhpa' is neither .*\['a', 'score'\]"):
        OneStandardError("alhpa")(table([BEST, BEST]))
    with pytest.raises(ValueError, match="at least 2 folds; the best candidate has 1"):
        MostStable()(table([[0.8], [0.9]]))
    with pytest.raises(ValueError, match=r"No candidate has a finite score.*\[nan nan\]"):
        OneStandardError("a")(table([[NAN] * 3] * 2))


CHOICES: dict[str, list[Any]] = {"alpha": [], "kernel": ["linear", "rbf"], "depth": [3, None]}


@pytest.mark.parametrize("refit", [True, False, "accuracy", "score", weights])
def test_what_scikit_learn_does_itself(refit: Any) -> None:
    assert selection_rule(refit, CHOICES, ["score"], 1) is None


def test_strings() -> None:
    assert selection_rule("most_stable", CHOICES, ["score"], 5) == MostStable()
    assert selection_rule("most_stable", CHOICES, ["most_stable", "auc"], 5) is None
    with pytest.raises(ValueError, match=r"OneStandardError\('alpha'\).*\('-alpha'\)"):
        selection_rule("one_standard_error", CHOICES, ["score"], 5)


@pytest.mark.parametrize(
    "order", ["alpha", "-alpha", ["depth", "auc"], "mean_fit_time", "-mean_test_auc", weights]
)
def test_a_rule_that_can_choose_passes_the_check(order: Any) -> None:
    rule = OneStandardError(order, metric="auc")
    assert selection_rule(rule, CHOICES, ["auc", "f1"], 2) is rule
    assert selection_rule(OneStandardError("n_parameters"), CHOICES, None, 2) is not None


@pytest.mark.parametrize(
    ("rule", "metrics", "n_splits", "message"),
    [
        (OneStandardError("alpha"), ["score"], 1, "cv gives 1 fold"),
        (MostStable(), None, 1, "cv gives 1 fold"),
        (OneStandardError("alhpa"), ["score"], 5, r"'alhpa' is neither .*'alpha', 'depth'"),
        (OneStandardError(["alpha", "-kernel"]), ["score"], 5, "'-kernel' meets .*'linear'"),
        (MostStable(), ["auc", "f1"], 5, "metric= is not given"),
        (OneStandardError("alpha", metric="acc"), ["auc"], 5, "no metric 'acc'"),
    ],
)
def test_a_rule_that_cannot_choose_is_found_before_training(
    rule: SelectionRule, metrics: list[str] | None, n_splits: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        selection_rule(rule, CHOICES, metrics, n_splits)
