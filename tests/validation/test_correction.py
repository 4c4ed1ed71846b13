"""The winner's score pays for its selection: oracles in plain loops, and known truths."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score, roc_auc_score

from sk_hpo.validation.correction import CorrectedScore, bbc_cv, bbc_cv_of_rows, tibshirani
from sk_hpo.validation.pooled import ByRow, draw

RNG = np.random.RandomState(0)
Y = RNG.randint(3, size=40)
LABELS = np.where(RNG.rand(40, 6) < 0.6, Y[:, None], RNG.randint(3, size=(40, 6)))
TARGET = RNG.randn(40)
REALS = TARGET[:, None] + RNG.randn(40, 6)
WEIGHT = RNG.randint(1, 4, size=40).astype(float)
PATIENT = RNG.randint(15, size=40)


def right(labels):
    return labels == Y[:, None]


def minus_error(y, pred, **kwargs):
    return -mean_absolute_error(y, pred, **kwargs)


def assert_same(one, other, **changes):
    """Same numbers up to rounding, the same winner."""
    other = replace(other, **changes)
    assert one.candidate == other.candidate
    assert (one.method, one.n_bootstraps) == (other.method, other.n_bootstraps)
    numbers = [[s.estimate, *s.interval, s.confidence, s.naive] for s in (one, other)]
    assert_allclose(*numbers, rtol=1e-9, atol=1e-11)


def oracle(columns, y, metric, seed, n_bootstraps, weight=None, groups=None):
    """Algorithm BBC-CV in plain Python: estimate, sorted draws, score on all, winner."""
    n_rows, rng = len(y), np.random.RandomState(seed)
    units = sorted(set(groups)) if groups is not None else list(range(n_rows))
    unit_of = list(groups) if groups is not None else list(range(n_rows))

    def score(j, rows):
        kwargs = {} if weight is None else {"sample_weight": [weight[i] for i in rows]}
        return metric([y[i] for i in rows], [columns[j][i] for i in rows], **kwargs)

    def first_best(rows):
        winner, top = 0, -math.inf
        for j in range(len(columns)):
            found = score(j, rows)
            if found > top:
                winner, top = j, found
        return winner

    draws = []
    for _ in range(n_bootstraps):
        drawn = [units[k] for k in rng.randint(len(units), size=len(units))]
        in_bag = [i for unit in drawn for i in range(n_rows) if unit_of[i] == unit]
        out_of_bag = [i for i in range(n_rows) if unit_of[i] not in drawn]
        winner = first_best(in_bag)
        if out_of_bag:
            draws.append(score(winner, out_of_bag))
    everything = list(range(n_rows))
    winner = first_best(everything)
    return statistics.fmean(draws), sorted(draws), score(winner, everything), winner


CASES = {
    "accuracy": (LABELS, Y, accuracy_score, {}),
    "absolute error": (REALS, TARGET, minus_error, {}),
    "r2": (REALS, TARGET, r2_score, {}),
    "weights": (LABELS, Y, accuracy_score, {"sample_weight": WEIGHT}),
    "groups": (REALS, TARGET, r2_score, {"groups": PATIENT}),
    "both": (REALS, TARGET, minus_error, {"sample_weight": WEIGHT, "groups": PATIENT}),
}


@pytest.mark.parametrize("case", CASES)
def test_bbc_cv_is_its_algorithm(case):
    predictions, y, metric, kwargs = CASES[case]
    score = bbc_cv(predictions, y, metric, n_bootstraps=70, random_state=3, **kwargs)
    weight, groups = kwargs.get("sample_weight"), kwargs.get("groups")
    estimate, draws, naive, winner = oracle(
        predictions.T.tolist(), y.tolist(), metric, 3, 70, weight, groups
    )
    low, high = (stats.scoreatpercentile(draws, q) for q in (2.5, 97.5))
    assert_same(score, CorrectedScore(estimate, (low, high), 0.95, "bbc_cv", naive, winner, 70))


@pytest.mark.parametrize("kwargs", [{}, {"sample_weight": WEIGHT}, {"groups": PATIENT}])
def test_row_scores_give_what_their_metric_gives(kwargs):
    common = {"n_bootstraps": 90, "confidence": 0.8, "random_state": 1} | kwargs
    assert_same(
        bbc_cv_of_rows(right(LABELS), **common),
        bbc_cv(LABELS, Y, accuracy_score, **common),
    )
    assert_same(
        bbc_cv_of_rows(-np.abs(REALS - TARGET[:, None]), **common),
        bbc_cv(REALS, TARGET, minus_error, **common),
    )


def test_outputs_reach_the_metric_together():
    y = np.column_stack([TARGET, -TARGET])
    predictions = np.stack([REALS, -REALS], axis=2)
    assert_same(
        bbc_cv(predictions, y, minus_error, n_bootstraps=20, random_state=0),
        bbc_cv(REALS, TARGET, minus_error, n_bootstraps=20, random_state=0),
    )


def test_a_single_candidate_is_not_corrected():
    row_scores = REALS[:, [0]]
    score = bbc_cv_of_rows(row_scores, n_bootstraps=20_000, random_state=0)
    assert score.naive == pytest.approx(row_scores.mean())
    # Rows not drawn are a random part of all: their mean spreads around that of all.
    spread = math.sqrt(row_scores.var(ddof=1) * (math.e - 1) / 40 / 20_000)
    assert abs(score.optimism) < 4 * spread


def test_the_interval_lies_between_percentiles_at_its_level():
    common = {"n_bootstraps": 500, "random_state": 0}
    narrow, wide = (bbc_cv_of_rows(REALS, confidence=c, **common) for c in (0.5, 0.95))
    assert wide.interval[0] < narrow.interval[0] < narrow.estimate
    assert narrow.estimate < narrow.interval[1] < wide.interval[1]
    assert wide.estimate == narrow.estimate


SCORES = arrays(
    float,
    st.tuples(st.integers(2, 12), st.integers(1, 5)),
    elements=st.integers(-8, 8).map(float),
)
SEEDS = st.integers(0, 2**32 - 1)
# Few draws could all be of all rows.
MANY = {"n_bootstraps": 80}


@given(SCORES, SEEDS)
@settings(deadline=None)
def test_copies_of_candidates_change_nothing(scores, seed):
    once = bbc_cv_of_rows(scores, random_state=seed, **MANY)
    twice = bbc_cv_of_rows(np.hstack([scores, scores]), random_state=seed, **MANY)
    assert_same(twice, once)


@given(SCORES, SEEDS)
@settings(deadline=None)
def test_a_candidate_that_always_loses_changes_nothing(scores, seed):
    loser = scores.min(axis=1, keepdims=True) - 1
    once = bbc_cv_of_rows(scores, random_state=seed, **MANY)
    more = bbc_cv_of_rows(np.hstack([loser, scores]), random_state=seed, **MANY)
    assert_same(more, once, candidate=once.candidate + 1)


@given(SCORES, SEEDS)
@settings(deadline=None)
def test_a_candidate_that_always_wins_is_scored_as_if_alone(scores, seed):
    winner = scores.max(axis=1, keepdims=True) + 1
    alone = bbc_cv_of_rows(winner, random_state=seed, **MANY)
    more = bbc_cv_of_rows(np.hstack([scores, winner]), random_state=seed, **MANY)
    assert_same(more, alone, candidate=scores.shape[1])


@given(SCORES, SEEDS, st.sampled_from([0.25, 2.0, 16.0]), st.integers(-9, 9))
@settings(deadline=None)
def test_units_of_the_metric_are_those_of_the_result(scores, seed, factor, shift):
    plain = bbc_cv_of_rows(scores, random_state=seed, **MANY)
    other = bbc_cv_of_rows(factor * scores + shift, random_state=seed, **MANY)
    low, high = (factor * end + shift for end in plain.interval)
    assert_same(
        other,
        plain,
        estimate=factor * plain.estimate + shift,
        naive=factor * plain.naive + shift,
        interval=(low, high),
    )


class Fixed:
    """A random state that draws these indices."""

    def __init__(self, drawn):
        self.drawn = drawn

    def randint(self, high, size):
        assert size == self.drawn.shape
        assert self.drawn.max() < high
        return self.drawn


@given(SCORES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_does_not_matter(scores, random):
    n_rows = len(scores)
    order = np.array(random.sample(range(n_rows), n_rows))
    drawn = np.array([random.choices(range(n_rows), k=n_rows) for _ in range(20)])
    unit = np.arange(n_rows)
    plain = draw(ByRow(scores.T, None), unit, 20, Fixed(drawn))
    moved = draw(ByRow(scores[order].T, None), unit, 20, Fixed(np.argsort(order)[drawn]))
    assert_allclose(moved, plain, rtol=1e-12)


def test_the_order_of_candidates_only_renames_the_winner():
    order = RNG.permutation(6)
    plain = bbc_cv_of_rows(REALS, random_state=0)
    moved = bbc_cv_of_rows(REALS[:, order], random_state=0)
    assert_same(moved, plain, candidate=int(np.argsort(order)[plain.candidate]))


def test_of_equals_the_first_is_selected():
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.3, 0.6], [0.6, 0.3]])
    assert bbc_cv_of_rows(scores, random_state=0).candidate == 0
    # Equal; all for the second; equal, and nothing left to score on.
    drawn = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [3, 0, 2, 1]])
    found = draw(ByRow(scores.T, None), np.arange(4), 3, Fixed(drawn))
    assert_allclose(found, [0.45, 0.3, np.nan])


def test_draws_do_not_depend_on_how_many_follow():
    def draws(n):
        return draw(ByRow(REALS.T, None), np.arange(40), n, np.random.RandomState(5))

    assert_allclose(draws(150)[:70], draws(70), rtol=1e-12)


def test_the_same_seed_gives_the_same_score_and_another_another():
    one, again, other = (bbc_cv_of_rows(REALS, random_state=s).estimate for s in (0, 0, 1))
    assert one == again != other
    state = np.random.RandomState(0)
    assert bbc_cv_of_rows(REALS, random_state=state).estimate == one
    assert bbc_cv_of_rows(REALS, random_state=state).estimate != one


def test_repeats_of_a_row_are_drawn_with_it():
    repeats = np.repeat(REALS, 3, axis=0) + RNG.randn(120, 6)
    means = repeats.reshape(40, 3, 6).mean(axis=1)
    assert_same(
        bbc_cv_of_rows(repeats, groups=np.repeat(np.arange(40), 3), random_state=0),
        bbc_cv_of_rows(means, random_state=0),
    )


def test_groups_of_one_are_no_groups_and_large_ones_tell_less():
    plain = bbc_cv_of_rows(REALS, random_state=0)
    assert_same(bbc_cv_of_rows(REALS, groups=np.arange(40), random_state=0), plain)
    names = np.repeat(np.array(["b", "a", "d", "c"], dtype=object), 10)
    same_within = np.repeat(RNG.randn(4, 6), 10, axis=0)
    rows, grouped = (
        bbc_cv_of_rows(same_within, groups=g, random_state=0).interval for g in (None, names)
    )
    assert grouped[1] - grouped[0] > 2 * (rows[1] - rows[0])


def test_a_weight_counts_a_row_that_often():
    times = WEIGHT.astype(int)
    assert_same(
        bbc_cv_of_rows(REALS, sample_weight=WEIGHT, random_state=0),
        bbc_cv_of_rows(
            np.repeat(REALS, times, axis=0),
            groups=np.repeat(np.arange(40), times),
            random_state=0,
        ),
    )


def test_rows_of_weight_zero_are_out():
    weight = np.where(np.arange(40) < 30, WEIGHT, 0.0)
    assert_same(
        bbc_cv_of_rows(REALS, sample_weight=weight, random_state=0),
        bbc_cv_of_rows(REALS[:30], sample_weight=WEIGHT[:30], random_state=0),
    )


def gaps(table, missing):
    """Candidate 1 failed, candidate 3 did so on one fold; rows from 30 are never scored."""
    table = table.astype(object if missing is None else float)
    table[:, 1] = missing
    table[5:10, 3] = missing
    table[30:] = missing
    return table


def test_failed_candidates_and_rows_that_were_never_scored_are_out():
    whole = [0, 2, 4, 5]
    expected = bbc_cv_of_rows(REALS[:30][:, whole], random_state=0)
    assert_same(
        bbc_cv_of_rows(gaps(REALS, np.nan), random_state=0),
        expected,
        candidate=whole[expected.candidate],
    )
    common = {"n_bootstraps": 10, "random_state": 0}
    for missing in (np.nan, None):
        assert_same(
            bbc_cv(gaps(REALS, missing), TARGET, minus_error, **common),
            expected := bbc_cv(REALS[:30][:, whole], TARGET[:30], minus_error, **common),
            candidate=whole[expected.candidate],
        )


def test_names_as_predictions_may_be_missing():
    names = np.array(["ant", "bee", "cat"], dtype=object)
    almost_perfect = Y[:, None]
    table = names[np.hstack([almost_perfect, LABELS])]
    table[3, 0] = math.nan
    common = {"n_bootstraps": 10, "random_state": 0}
    expected = bbc_cv(LABELS, Y, accuracy_score, **common)
    assert_same(
        bbc_cv(table, names[Y], lambda y, pred: float(np.mean(y == pred)), **common),
        expected,
        candidate=expected.candidate + 1,
    )


def test_draws_without_a_score_are_left_out():
    y = np.array([1, 1] + 18 * [0])
    ranks = RNG.randn(20, 4)
    score = bbc_cv(ranks, y, roc_auc_score, n_bootstraps=200, random_state=0)
    rng, draws = np.random.RandomState(0), []
    for _ in range(200):
        drawn = rng.randint(20, size=20)
        rest = np.setdiff1d(np.arange(20), drawn)
        if len(set(y[drawn])) == len(set(y[rest])) == 2:
            aucs = [roc_auc_score(y[drawn], rank[drawn]) for rank in ranks.T]
            draws.append(roc_auc_score(y[rest], ranks[rest, np.argmax(aucs)]))
    assert 20 < len(draws) < 180
    assert score.n_bootstraps == len(draws)
    assert score.estimate == pytest.approx(statistics.fmean(draws))


def test_draws_of_all_rows_leave_none_to_score_on():
    common = {"n_bootstraps": 60, "random_state": 0}
    few = bbc_cv(LABELS[:3], Y[:3], accuracy_score, **common)
    assert 30 < few.n_bootstraps < 60
    assert_same(few, bbc_cv_of_rows(right(LABELS)[:3], **common))


def test_a_candidate_whose_metric_is_nan_is_not_selected():
    def metric(y, pred):
        return math.nan if pred[0] == -1 else float(np.mean(y == pred))

    failed = np.column_stack([np.full(40, -1), LABELS[:, 0]])
    score = bbc_cv(failed, Y, metric, n_bootstraps=10, random_state=0)
    alone = bbc_cv(LABELS[:, :1], Y, metric, n_bootstraps=10, random_state=0)
    assert_same(score, alone, candidate=1)


BAD = {
    "flat": (lambda: bbc_cv_of_rows(Y), r"shape \(n_rows, n_candidates\); got \(40,\)"),
    "flat predictions": (lambda: bbc_cv(Y, Y, accuracy_score), r"n_outputs\); got \(40,\)"),
    "lengths": (lambda: bbc_cv(LABELS, Y[:9], accuracy_score), "inconsistent numbers"),
    "weights": (lambda: bbc_cv_of_rows(REALS, sample_weight=-WEIGHT), "sample_weight must"),
    "groups": (lambda: bbc_cv_of_rows(REALS, groups=Y[:9]), "inconsistent numbers"),
    "one group": (lambda: bbc_cv_of_rows(REALS, groups=0 * Y), "at least 2 rows"),
    "infinite": (lambda: bbc_cv_of_rows(REALS / 0.0), "row_scores holds 240 infinite"),
    "draws": (lambda: bbc_cv_of_rows(REALS, n_bootstraps=0), "whole number >= 1; got 0"),
    "level": (lambda: bbc_cv_of_rows(REALS, confidence=95), "between 0 and 1; got 95"),
    "no score": (
        lambda: bbc_cv(LABELS, Y, lambda y, pred: math.nan, n_bootstraps=2),
        "metric is NaN in each of 2 draws of 40 rows",
    ),
    "nothing": (lambda: bbc_cv_of_rows(np.full((9, 2), np.nan)), "none of 2 candidates"),
    "no candidate": (
        lambda: bbc_cv_of_rows(np.where(np.eye(9), np.nan, 1.0)),
        r"none of 9 candidates has a score on all of 9 rows",
    ),
    "one fold": (lambda: tibshirani([[0.5], [0.6]]), "at least 2 folds .* got 1"),
    "flat folds": (lambda: tibshirani([0.5, 0.6]), r"\(n_candidates, n_folds\); got \(2,\)"),
    "ratio": (lambda: tibshirani([[0.5, 0.6]], test_train_ratio=0), "positive; got 0"),
    "infinite fold": (lambda: tibshirani([[0.5, -math.inf]]), "fold_scores holds 1 inf"),
    "level of folds": (lambda: tibshirani([[0.5, 0.6]], confidence=0), "got 0"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_errors_say_what_was_seen(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_scorer_name_is_no_metric():
    with pytest.raises(TypeError, match=r"accuracy_score; got 'accuracy'"):
        bbc_cv(LABELS, Y, "accuracy")


FOLDS = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(2, 8)),
    elements=st.integers(0, 64).map(lambda n: n / 64),
)


@given(FOLDS)
def test_tibshirani_is_its_formula(scores):
    n_candidates, n_folds = scores.shape
    errors = (1 - scores).tolist()
    curve = [statistics.fmean(row) for row in errors]
    winner = curve.index(min(curve))
    bias = 0.0
    for k in range(n_folds):
        lowest = min(errors[j][k] for j in range(n_candidates))
        bias += (errors[winner][k] - lowest) / n_folds
    score = tibshirani(scores)
    assert score.candidate == winner
    assert score.naive == pytest.approx(1 - curve[winner])
    assert score.estimate == pytest.approx(1 - (curve[winner] + bias))
    assert score.optimism == pytest.approx(bias)
    assert score.optimism >= -1e-12


@given(FOLDS, st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_of_folds_is_that_of_nadeau_and_bengio(scores, level):
    n_folds = scores.shape[1]
    best = scores[scores.mean(axis=1).argmax()]
    corrected = 2 * best - scores.max(axis=0)
    # (1 / n + ratio) in place of 1 / n in the squared error of a mean.
    error = stats.sem(corrected) * math.sqrt(1 + n_folds / (n_folds - 1))
    half = stats.t.isf((1 - level) / 2, n_folds - 1) * error
    score = tibshirani(scores, confidence=level)
    middle = corrected.mean()
    assert_allclose(score.interval, (middle - half, middle + half), atol=1e-12)
    assert (score.confidence, score.method, score.n_bootstraps) == (level, "tibshirani", None)


def test_more_rows_to_train_on_narrow_the_interval_of_folds():
    scores = [[0.7, 0.75, 0.86], [0.8, 0.82, 0.8]]
    usual, repeated = tibshirani(scores), tibshirani(scores, test_train_ratio=1 / 9)
    assert usual.estimate == repeated.estimate
    widths = [s.interval[1] - s.interval[0] for s in (usual, repeated)]
    assert widths[1] / widths[0] == pytest.approx(math.sqrt((1 / 3 + 1 / 9) / (1 / 3 + 1 / 2)))


@given(FOLDS, st.data())
def test_how_hard_a_fold_is_does_not_matter_to_the_correction(scores, data):
    ease = data.draw(arrays(float, scores.shape[1], elements=st.integers(-64, 64).map(float)))
    plain, moved = tibshirani(scores), tibshirani(scores + ease)
    assert moved.candidate == plain.candidate
    assert moved.optimism == pytest.approx(plain.optimism, abs=1e-9)


@given(FOLDS)
def test_a_candidate_that_leads_on_every_fold_keeps_its_score(scores):
    leader = scores.max(axis=0, keepdims=True) + 1
    score = tibshirani(np.vstack([scores, leader, leader]))
    assert score.candidate == len(scores)
    assert score.estimate == score.naive == pytest.approx(leader.mean())


def test_failed_candidates_and_folds_that_were_never_run_are_out():
    scores = RNG.rand(6, 5)
    gappy = scores.copy()
    gappy[0] = gappy[:, 4] = gappy[2, 1] = np.nan
    expected = tibshirani(scores[[1, 3, 4, 5]][:, :4])
    candidate = [1, 3, 4, 5][expected.candidate]
    assert tibshirani(gappy) == replace(expected, candidate=candidate)


def test_a_score_is_plain_numbers_and_prints_itself():
    for score in (bbc_cv_of_rows(REALS, n_bootstraps=10), tibshirani(REALS.T)):
        assert type(score.estimate) is type(score.naive) is type(score.interval[0]) is float
        assert type(score.candidate) is int
        assert eval(repr(score)) == score
        assert f"{score.estimate:.4f} (95% interval" in str(score)
        assert score.method in str(score)
