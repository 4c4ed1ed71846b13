from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from sk_hpo.validation.alarm import Alarm, LeakageError, LeakageWarning, report
from sk_hpo.validation.fingerprint import Fingerprint, digest
from sk_hpo.validation.leakage import (
    duplicate_alarms,
    fingerprint,
    fit_alarms,
    group_alarms,
    overlap_alarms,
    score_alarms,
    time_alarms,
)
from sk_hpo.validation.row_hashes import row_hashes

FIVE = KFold(5, shuffle=True, random_state=0)


def alarms_of(X, y=None, cv=FIVE, **known):
    return fit_alarms(fingerprint(X), X, y, list(cv.split(X, y)), **known)


def only(alarms: list[Alarm]) -> Alarm:
    assert len(alarms) == 1, alarms
    return alarms[0]


# -- copies: the count ------------------------------------------------------------------------


def brute_force(keys: list, splits) -> tuple[set[int], list[int]]:
    """Return the rows that are ever held out while an equal one trains; how many per split."""
    counts, ever = [], set()
    for train, held in splits:
        trains = set(train.tolist())
        copied = {
            i
            for i in held.tolist()
            if i not in trains and any(keys[i] == keys[j] for j in trains)
        }
        counts.append(len(copied))
        ever |= copied
    return ever, counts


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize(
    "cv",
    [
        FIVE,
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(4, test_size=0.3, random_state=0),
        LeaveOneOut(),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_copies_are_counted_as_by_brute_force(cv, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, rng.integers(2, 30), (rng.integers(10, 60), rng.integers(1, 4)))
    splits = list(cv.split(X))
    copied, counts = brute_force([tuple(row) for row in X.tolist()], splits)
    rows = Fingerprint.of(X)
    telling = Fingerprint(rows.hashes, np.ones(len(X), bool))  # as if no copy were chance
    alarms = duplicate_alarms(telling, None, splits)
    if len({tuple(X[i].tolist()) for i in copied}) < 5:
        assert alarms == []
        return
    assert only(alarms).n_rows == len(copied)
    shown = ", ".join(map(str, counts[:10])) + (", ..." if len(counts) > 10 else "")
    assert f"({shown} in splits 0 to {len(counts) - 1})" in alarms[0].message


def test_the_message_tells_rows_splits_targets_and_what_to_do():
    X, y = load_digits(return_X_y=True)
    X, y = np.concatenate([X[:300], X[:40]]), np.concatenate([y[:300], y[:40]])
    y[:4] += 1
    half = np.arange(300)
    splits = [(half, half[-1] + 1 + np.arange(40)), (np.arange(40, 340), half[:40])]
    alarm = only(fit_alarms(fingerprint(X), X, y, splits))
    assert alarm == Alarm(
        "duplicates",
        80,
        "80 of 80 validation rows are exact copies of training rows (40, 40 in splits 0"
        " to 1), 72 with the same y: a model that remembers them scores too well. Drop the"
        " copies first; or keep them on one side, with a group for each distinct row and"
        " GroupKFold. If they come from oversampling, oversample within a pipeline.",
    )


def test_copies_between_the_test_set_and_the_rest():
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[90:] = X[:10]
    splits = [(np.arange(80), np.arange(80, 100))]
    alarm = only(fit_alarms(fingerprint(X), X, None, splits, held_out="test"))
    assert alarm.n_rows == 10
    assert alarm.message.startswith(
        "10 of 20 test rows are exact copies of training rows (in the only split): "
    )


def test_splits_may_be_masks_slices_or_lists():
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[50:] = X[:50]
    mask = np.arange(100) < 50
    for split in [
        (mask, ~mask),
        (slice(50), slice(50, None)),
        (list(range(50)), [*range(50, 100)]),
    ]:
        assert only(fit_alarms(fingerprint(X), X, None, [split])).n_rows == 50
    assert fit_alarms(fingerprint(X), X, None, [([], list(range(50)))]) == []


# -- copies: no false alarm -------------------------------------------------------------------


def natural_table(seed: int) -> np.ndarray:
    """Return a discrete table whose columns depend on one another."""
    rng = np.random.default_rng(seed)
    n, d, levels, shared = (
        rng.integers(20, 1500),
        rng.integers(1, 15),
        rng.integers(2, 12),
        rng.uniform(),
    )
    noise = np.sqrt(shared) * rng.normal(size=(n, 1)) + np.sqrt(1 - shared) * rng.normal(
        size=(n, d)
    )
    return np.round(noise * levels / 4)


def test_discrete_tables_that_repeat_by_nature_give_no_alarm():
    tables = [natural_table(seed) for seed in range(300)]
    assert sum(len(np.unique(X, axis=0)) < len(X) for X in tables) > 150
    assert [seed for seed, X in enumerate(tables) if alarms_of(X)] == []


RNG = np.random.default_rng(0)
ORDINARY = {
    "iris": load_iris().data,
    "wine": load_wine().data,
    "digits": load_digits().data,
    "constant": np.ones((200, 2)),
    "binary": RNG.integers(0, 2, (200, 1)),
    "three categories": RNG.integers(0, 5, (1000, 3)),
    "one-hot": np.eye(300)[RNG.integers(0, 300, 600)],
    "answers": RNG.integers(0, 3, (500, 1)) + (RNG.uniform(size=(500, 12)) < 0.1),
    "toy": np.array([[0, 0], [1, 1], [2, 2], [3, 3]] * 5),
    "one continuous column": np.repeat(RNG.normal(size=100), 2)[:, None],
    "words": sparse.random_array((800, 500), density=0.004, rng=RNG, format="csr") != 0,
    "short texts": [f"{w} {v}" for w in ("good", "bad") for v in ("film", "book")] * 50,
    "frame": pd.DataFrame({"sex": ["f", "m"] * 300, "age": [*range(60)] * 10}),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_tables_give_no_alarm(name):
    X = ORDINARY[name]
    assert alarms_of(X) == []
    n_rows = len(fingerprint(X))
    assert alarms_of(X, np.arange(n_rows) % 2) == []


RICH = {
    "digits": load_digits().data,
    "pixels": load_digits().images.astype(np.uint8),
    "breast cancer": load_breast_cancer().data,
    "two columns": make_blobs(300, random_state=0)[0],
    "sparse": sparse.csr_array(load_digits().data),
    "frame": pd.DataFrame(load_wine().data).assign(kind=["a", "b"] * 89),
}


@pytest.mark.parametrize("name", RICH)
@pytest.mark.parametrize("how", ["bootstrapped", "twice", "a tenth twice"])
def test_copies_of_rows_that_chance_does_not_repeat_give_an_alarm(name, how):
    X = RICH[name]
    n = X.shape[0]
    rows = {
        "bootstrapped": np.random.default_rng(0).integers(0, n, n),
        "twice": np.tile(np.arange(n), 2),
        "a tenth twice": np.concatenate([np.arange(n), np.arange(n // 10)]),
    }[how]
    copied = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
    splits = list(FIVE.split(rows))
    expected, _ = brute_force(rows.tolist(), splits)
    assert only(fit_alarms(fingerprint(copied), copied, rows, splits)).n_rows == len(expected)


def test_copied_texts_give_an_alarm():
    words = np.array(["the", "cat", "sat", "on", "a", "mat", "while", "dogs", "ran", "away"])
    texts = [" ".join(row) for row in words[RNG.integers(0, len(words), (100, 20))]]
    assert alarms_of(texts) == []
    alarm = only(alarms_of(texts + texts[:30]))
    assert alarm.kind == "duplicates"


def test_copies_with_other_targets_give_no_alarm():
    X = np.tile(np.random.default_rng(0).normal(size=(100, 4)), (2, 1))
    y = np.arange(200.0)
    assert alarms_of(X, y) == []
    assert len(alarms_of(X, y % 100)) == 1
    assert len(alarms_of(X, pd.Series(y % 100).astype(str))) == 1
    splits = list(FIVE.split(X))
    assert len(fit_alarms(fingerprint(X), X, object(), splits)) == 1  # a y of no known kind


def test_a_splitter_that_keeps_copies_together_gives_no_alarm():
    X = np.tile(np.random.default_rng(0).normal(size=(100, 4)), (2, 1))
    copies = np.arange(200) % 100
    splits = list(GroupKFold(5).split(X, groups=copies))
    assert fit_alarms(fingerprint(X), X, None, splits, groups=copies) == []


def test_a_few_copies_are_not_worth_an_alarm():
    X = np.random.default_rng(0).normal(size=(200, 4))
    X[:4] = X[100:104]
    assert alarms_of(X) == []
    X[:30] = X[100:130]
    assert len(alarms_of(X)) == 1


def test_rows_that_cannot_be_read_are_not_compared():
    class Dataset:
        shape = (4, 1)

    assert fingerprint(Dataset()) is None
    assert fingerprint({"a": np.zeros(2), "b": np.zeros(3)}) is None
    splits = [(np.arange(2), np.arange(2, 4))]
    assert fit_alarms(None, Dataset(), None, splits) == []
    assert fit_alarms(None, {"X": [object()] * 4}, None, splits) == []
    groups = [0, 1, 1, 2]
    assert only(fit_alarms(None, Dataset(), None, splits, groups=groups)).n_rows == 1


# -- overlap, groups, time --------------------------------------------------------------------


def test_a_row_on_both_sides_of_a_split():
    splits = [(np.arange(8), np.arange(6, 10)), (np.arange(5), np.arange(5, 10))]
    assert only(overlap_alarms([0] * 10, splits)) == Alarm(
        "overlap",
        2,
        "2 rows occur among both the training and the validation rows of a split (2, 0 in"
        " splits 0 to 1): a model that remembers them scores too well. Use a cv that keeps the"
        " two apart, such as KFold.",
    )
    assert overlap_alarms(None, splits) == []
    assert overlap_alarms([0] * 10, splits[1:]) == []
    assert overlap_alarms([0] * 10, []) == []


def test_a_row_is_not_a_copy_of_itself():
    X = np.random.default_rng(0).normal(size=(100, 3))
    everything = [(slice(None), slice(None))]
    assert fit_alarms(fingerprint(X), X, None, everything, groups=np.arange(100)) == []
    assert only(fit_alarms(fingerprint(X), X, X[:, 0], everything)).kind == "overlap"


def test_groups_that_straddle_a_split():
    groups = np.array(["a", "a", "b", "b", "c", "d"])
    splits = [
        (np.array([0, 2, 4]), np.array([1, 3, 5])),
        (np.array([0, 1, 2, 3]), np.array([4, 5])),
    ]
    assert only(group_alarms(groups, splits)) == Alarm(
        "groups",
        2,
        "2 of 4 validation rows belong to groups that have training rows in the same split (2,"
        " 0 in splits 0 to 1; number of such groups: 2): groups were given, but cv does not"
        " keep them whole. Use GroupKFold, StratifiedGroupKFold or GroupShuffleSplit.",
    )
    assert only(group_alarms(pd.Series(groups), splits)).n_rows == 2
    of_test = only(group_alarms(groups, splits[:1], "test")).message
    assert "test_size does not keep them whole" in of_test
    assert "cv" not in of_test
    assert group_alarms(groups, splits[1:]) == []
    assert group_alarms(None, splits) == []
    assert group_alarms(object(), splits) == []


@pytest.mark.parametrize("cv", [KFold(4), StratifiedKFold(4)], ids=["KFold", "Stratified"])
def test_splitters_that_ignore_groups(cv):
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    groups = np.arange(20) % 7
    splits = list(cv.split(X, y))
    straddling, _ = brute_force(groups.tolist(), splits)
    assert only(fit_alarms(fingerprint(X), X, y, splits, groups=groups)).n_rows == len(
        straddling
    )
    splits = list(GroupKFold(4).split(X, y, groups))
    assert fit_alarms(fingerprint(X), X, y, splits, groups=groups) == []


DAYS = pd.date_range("2020-01-01", periods=12, freq="D")
INDEXES = {
    "datetime": DAYS,
    "seconds": DAYS.as_unit("s"),
    "zone": DAYS.tz_localize("Europe/Berlin"),
    "period": DAYS.to_period("D"),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_rows_that_train_and_are_later(kind):
    X = pd.DataFrame({"x": np.arange(12.0)}, index=INDEXES[kind])
    splits = list(KFold(3).split(X))
    assert only(fit_alarms(fingerprint(X), X, X["x"], splits)) == Alarm(
        "time",
        8,
        "8 rows train models although the index of X says that they are later than the first"
        " validation row (8, 4, 0 in splits 0 to 2): such a model knows the future. Use"
        " TimeSeriesSplit, with the rows in order of time; or, if time has no effect,"
        " X.reset_index(drop=True).",
    )
    assert time_alarms(X, list(TimeSeriesSplit(3).split(X))) == []
    assert only(time_alarms(X[::-1], list(TimeSeriesSplit(3).split(X)))).n_rows == 9
    assert time_alarms(X.reset_index(drop=True), splits) == []
    assert only(time_alarms(X["x"], splits, "test")).message.count("first test row") == 1


@pytest.mark.parametrize("kind", INDEXES)
def test_times_of_y_or_of_a_level(kind):
    y = pd.Series(np.arange(12.0), index=INDEXES[kind])
    splits = list(KFold(3).split(y))
    of_y = only(fit_alarms(None, np.zeros((12, 2)), y, splits))
    assert "the index of y says" in of_y.message
    assert of_y.message.endswith("y.reset_index(drop=True).")
    levels = pd.MultiIndex.from_arrays([list("abcdefghijkl"), INDEXES[kind]])
    X = pd.DataFrame({"x": range(12)}, index=levels)
    assert only(time_alarms(X, splits)).n_rows == only(time_alarms(y, splits)).n_rows == 8
    assert only(fit_alarms(None, X, y, splits)).message.count("index of X") == 1
    without = X.droplevel(1)
    assert time_alarms(without, splits) == []
    assert time_alarms(X.set_axis(pd.MultiIndex.from_product([[0], range(12)])), splits) == []


@pytest.mark.parametrize("kind", ["datetime", "period"])
def test_times_that_are_missing_or_equal_are_not_later(kind):
    index = INDEXES[kind][[0, 0, 1, 1]].insert(4, pd.NaT)
    X = pd.DataFrame({"x": range(5)}, index=index)
    assert time_alarms(X, [(np.array([1, 3, 4]), np.array([2]))]) == []
    assert time_alarms(X, [(np.array([1, 3]), np.array([4]))]) == []
    assert only(time_alarms(X, [(np.array([2, 4]), np.array([0, 4]))])).n_rows == 1


@pytest.mark.parametrize("index", [range(12), list("abcdefghijkl"), np.arange(12.0)])
def test_other_indexes_say_nothing_of_time(index):
    X = pd.DataFrame({"x": np.arange(12.0)}, index=index)
    assert time_alarms(X, list(KFold(3).split(X))) == []
    assert time_alarms(list(range(12)), list(KFold(3).split(X))) == []


# -- score ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            "selection",
            "30 of 40 rows that are scored chose best_params_ or trained best_estimator_: the"
            " score is too good. Score rows that fit did not get, or let fit set some aside"
            " with test_size=.",
        ),
        (
            "test",
            "30 of 40 rows that are scored are in the held-out test set, which was looked at"
            " before: what is chosen by this score, flatters. Report test_score_, and use new"
            " rows for a second look.",
        ),
    ],
)
def test_rows_that_were_used_before(use, message):
    X = np.random.default_rng(0).normal(size=(100, 3))
    used = fingerprint(X)
    scored = np.concatenate([X[:30], X[:10] + 1])
    assert only(score_alarms(used, scored, use=use)) == Alarm("score", 30, message)
    assert only(score_alarms(used, pd.DataFrame(scored), use=use)).n_rows == 30
    assert score_alarms(used, X + 1, use=use) == []
    assert score_alarms(used, X[:4], use=use) == []
    assert score_alarms(used, object(), use=use) == []
    assert score_alarms(None, X, use=use) == []


def test_new_rows_of_a_coarse_table_give_no_alarm_but_the_same_rows_do():
    X = np.random.default_rng(0).integers(0, 4, (200, 3))
    used = fingerprint(X)
    new = np.random.default_rng(1).integers(0, 4, (200, 3))
    assert np.isin(row_hashes(new), used.hashes).sum() > 150
    assert score_alarms(used, new) == []
    assert only(score_alarms(used, X)).n_rows == 200
    part = used.take(np.arange(60))
    assert score_alarms(part, X) == []
    assert digest(X) == used.digest == fingerprint(pd.DataFrame(X)).digest
    assert digest(X[::-1]) != used.digest
    assert only(score_alarms(part, X, whole=True)).message.startswith("60 of 200 rows")
    assert score_alarms(fingerprint(X[:0]), X[:0]) == []


# -- what is done -----------------------------------------------------------------------------

TWO = [Alarm("time", 3, "Three rows."), Alarm("groups", 4, "Four rows.")]


def test_alarms_warn_one_by_one_where_they_are_told_to():
    with pytest.warns(LeakageWarning) as caught:
        report(TWO, "warn")
    assert [str(w.message) for w in caught] == ["Three rows.", "Four rows."]
    assert {w.filename for w in caught} == {__file__}


def test_alarms_raise_all_at_once():
    with pytest.raises(LeakageError, match=re.escape("Three rows.\nFour rows.")):
        report(TWO, "raise")


def test_nothing_is_done_without_an_alarm_or_if_told_so():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report(TWO, "ignore")
        report([], "raise")
        report([], "warn")
