from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.evaluation.records import FoldResult
from sk_hpo.rungs import Rung
from sk_hpo.search import results
from sk_hpo.trial import Outcome, Trial

SCORES = st.one_of(
    st.integers(-3, 3).map(float), st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -1e300])
)


@given(st.lists(SCORES, min_size=1, max_size=12))
def test_ranks_are_by_counting_who_is_better(scores):
    table = {"mean_test_score": np.array(scores), "rank_test_score": np.zeros(len(scores))}
    value = [s if np.isfinite(s) else -np.inf for s in scores]
    brute = [1 + sum(other > mine for other in value) for mine in value]
    results.rank(table)
    assert table["rank_test_score"].tolist() == brute


@given(st.lists(st.tuples(st.integers(1, 3), SCORES), min_size=1, max_size=12))
def test_ranks_put_more_folds_first(rows):
    n, scores = map(list, zip(*rows, strict=True))
    table = {
        "mean_test_score": np.array(scores),
        "rank_test_score": np.zeros(len(scores)),
        "n_folds": np.array(n),
    }
    value = [row if np.isfinite(row[1]) else (0, 0) for row in rows]
    results.rank(table)
    brute = [1 + sum(other > mine for other in value) for mine in value]
    assert table["rank_test_score"].tolist() == brute


def test_infinite_scores_rank_last_where_scikit_learn_would_rank_them_first():
    table = {
        "mean_test_a": np.array([np.inf, 0.5, np.nan, 0.7, -np.inf]),
        "rank_test_a": np.array([1, 3, 5, 2, 5]),
        "mean_test_b": np.array([0.1, np.nan]),
        "rank_test_b": np.array([1, 2]),
    }
    results.rank(table)
    assert table["rank_test_a"].tolist() == [3, 2, 3, 1, 3]
    assert table["rank_test_b"].tolist() == [1, 2]


def fold(score=0.5, error=None):
    return FoldResult(score, None, 0.0, 0.0, error=error)


def test_rows_stand_bracket_by_bracket_and_rung_by_rung():
    def outcome(score):
        return Outcome(score, folds=(fold(score),))

    trials = [
        Trial(0, (1,), 0, {1: outcome(0.1), 3: outcome(0.2)}),
        Trial(1, (2,), 0, {1: outcome(0.3)}),
        Trial(2, (3,), 1, {3: outcome(0.4)}),
        Trial(3, (4,), 1, {}),
    ]
    rungs = [Rung(0, 0, 2, 0, 1), Rung(0, 1, 1, 1, 3), Rung(1, 0, 2, 0, 3)]
    table = results.rows(trials, rungs)
    assert [(row.trial.id, row.rung, row.resource) for row in table] == [
        (0, 0, 1), (1, 0, 1), (0, 1, 3), (2, 0, 3),
    ]  # fmt: skip
    assert results.more_results(table)["n_resources"] == [1, 1, 3, 3]
    assert results.candidates(table, lambda config: {"x": config[0]}, "n") == [
        {"x": 1, "n": 1}, {"x": 2, "n": 1}, {"x": 1, "n": 3}, {"x": 3, "n": 3},
    ]  # fmt: skip


def test_between_two_rungs_only_where_a_trial_was_stopped_is_a_row():
    def outcome(score):
        return Outcome(score, folds=(fold(score),))

    trials = [
        Trial(0, (), 0, {1: outcome(0.1), 2: outcome(0.2), 3: outcome(0.3)}),
        Trial(1, (), 0, {1: outcome(0.1), 2: outcome(0.2)}),
        Trial(2, (), 1, {1: outcome(0.1), 2: outcome(0.2), 3: outcome(0.3)}),
        Trial(3, (), 1, {1: outcome(0.1)}),
    ]
    rungs = [Rung(0, 0, 2, 0, 1), Rung(0, 1, 2, 1, 3), Rung(1, 0, 2, 0, 3)]
    assert [(r.trial.id, r.rung, r.resource) for r in results.rows(trials, rungs)] == [
        (0, 0, 1), (1, 0, 1), (0, 1, 3), (1, 1, 2), (2, 0, 3), (3, 0, 1),
    ]  # fmt: skip


def test_folds_that_were_not_run_are_left_out():
    def partial(*scores):
        folds = [None if score is None else fold(score) for score in scores]
        return Outcome(0.0, folds=tuple(folds))

    trials = [
        Trial(0, (), 0, {1: partial(0.25, 0.5, 0.75)}),
        Trial(1, (), 0, {1: partial(0.5, 0.75, None)}),
    ]
    table = results.rows(trials, [Rung(0, 0, 2, 0, 1)])
    out = results.records(table, np.nan)
    assert len(out) == 6
    found = {
        "mean_fit_time": np.zeros(2),
        "std_fit_time": np.ones(2),
        "mean_test_score": np.zeros(2),
        "std_test_score": np.zeros(2),
        **{
            f"split{i}_test_score": np.array([out[i]["test_scores"], out[3 + i]["test_scores"]])
            for i in range(3)
        },
    }
    results.leave_out_what_was_not_run(found, table, out)
    assert results.n_folds(table).tolist() == [3, 2]
    np.testing.assert_array_equal(found["split2_test_score"], [0.75, np.nan])
    assert found["mean_test_score"].tolist() == [0.0, 0.625]  # whole rows are left alone
    assert found["std_test_score"].tolist() == [0.0, 0.125]
    assert found["std_fit_time"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("n_folds", "scores", "expected"),
    [([1, 3, 3], [0.9, 0.1, 0.2], [1, 2]), ([1, 3], [0.9, np.nan], [0])],
)
def test_the_best_is_sought_among_those_with_most_folds(n_folds, scores, expected):
    table = {
        "params": [{}] * len(scores),
        "n_folds": np.array(n_folds),
        "mean_test_score": np.array(scores),
    }
    assert results.best_rows(table, "score").tolist() == expected


@pytest.mark.parametrize(
    ("resources", "scores", "expected"),
    [
        ([1, 1, 3, 9], [0.9, 0.8, 0.7, 0.1], [3]),
        ([1, 9, 9], [0.9, np.nan, 0.1], [2]),
        ([1, 3, 9], [0.9, 0.2, np.nan], [1]),
        ([1, 3, 9], [0.9, 0.2, np.inf], [1]),
        ([1, 3], [np.nan, np.nan], [1]),
    ],
)
def test_the_best_is_sought_at_the_highest_resource_with_a_score(resources, scores, expected):
    table = {
        "params": [{}] * len(scores),
        "n_resources": np.array(resources),
        "mean_test_score": np.array(scores),
    }
    assert results.best_rows(table, "score").tolist() == expected


def test_of_a_search_that_was_stopped_all_may_be_the_best():
    table = {
        "params": [{}] * 5,
        "trial": np.array([0, 1, 2, 2, 3]),
        "n_resources": np.array([1, 1, 1, 3, 9]),
        "n_folds": np.array([2, 3, 3, 3, 3]),
        "mean_test_score": np.array([0.9, 0.8, 0.9, 0.7, 0.1]),
    }
    assert results.best_rows(table, "score", at_the_top=False).tolist() == [1, 3, 4]


def test_without_resources_every_row_is_a_candidate_for_the_best():
    assert results.best_rows({"params": [{}, {}]}, "score").tolist() == [0, 1]


def test_the_commonest_error_is_quoted_first():
    folds = [fold(np.nan, "rare"), *[fold(np.nan, "common")] * 2]
    trial = Trial(0, (), 0, {1: Outcome(np.nan, folds=tuple(folds))})
    table = results.rows([trial], [Rung(0, 0, 1, 0, 1)])
    with pytest.raises(ValueError, match=r"(?s)2 fits failed.*common.*1 fits failed.*rare"):
        results.records(table, np.nan)
    with pytest.raises(ValueError, match="No fits were performed"):
        results.records([], np.nan)
