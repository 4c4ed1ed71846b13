"""Alarms of a search: before any training, and when rows are scored that it has used."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from contracts.recording import read
from search.searches import CLASSES, make
from search.test_test_set import watched
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from sk_hpo import (
    HoldoutValidation,
    LeakageError,
    LeakageWarning,
    RandomSearchCV,
    RepeatedTestWarning,
)

X, y = load_digits(return_X_y=True)
X, y = X[:200], y[:200]
# Each row twice, in an order that folds do not keep together.
TWICE = np.random.default_rng(0).permutation(np.r_[np.arange(100), np.arange(100)])


def apart(folds):
    """Return how many rows have their copy in another of so many folds in a row."""
    fold = np.empty(200, int)
    for k, rows in enumerate(np.array_split(np.arange(200), folds)):
        fold[rows] = k
    return sum(len(set(fold[row == TWICE])) == 2 for row in range(100)) * 2


@pytest.mark.parametrize("kind", CLASSES)
def test_copies_on_both_sides_of_a_split(kind):
    with pytest.warns(LeakageWarning, match=f"{apart(3)} of 200 validation rows are exact"):
        make(kind, cv=KFold(3)).fit(X[TWICE], y[TWICE])


def test_raised_before_any_training(tmp_path):
    log = tmp_path / "log"
    search = watched("random", log, leakage="raise").set_params(test_size=None)
    with pytest.raises(LeakageError, match="of 200 validation rows are exact copies"):
        search.fit(X[TWICE], y[TWICE])
    assert read(log) == []
    search.set_params(leakage="ignore").fit(X[TWICE], y[TWICE])
    assert read(log)


def test_copies_in_the_test_set():
    search = make("random", cv=GroupKFold(3), test_size=ShuffleSplit(1, random_state=0))
    with pytest.warns(LeakageWarning, match="test"):
        search.fit(X[TWICE], y[TWICE], groups=TWICE)


def test_groups_that_keep_copies_together_are_quiet():
    make("random", cv=GroupKFold(3), test_size=0.2).fit(X[TWICE], y[TWICE], groups=TWICE)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_groups_that_the_splitter_did_not_heed():
    with pytest.warns(LeakageWarning, match="group"):
        make("random", cv=KFold(3)).fit(X, y, groups=np.arange(200) % 40)


def test_time_that_goes_backwards():
    frame = pd.DataFrame(X, index=pd.date_range("2020-01-01", periods=200))
    with pytest.warns(LeakageWarning, match="TimeSeriesSplit"):
        make("random").fit(frame, y)


@pytest.mark.parametrize("kind", CLASSES)
def test_score_of_rows_that_were_used(kind):
    search = make(kind).fit(X[:150], y[:150])
    search.score(X[150:], y[150:])  # new rows: no warning, which were an error
    with pytest.warns(LeakageWarning, match="60 of 60 rows"):
        search.score(X[:60], y[:60])
    search.set_params(leakage="raise")
    with pytest.raises(LeakageError):
        search.score(X[:60].tolist(), y[:60])


def test_second_looks_at_the_test_set_are_counted():
    search = make("random", test_size=0.25).fit(X, y)
    assert search.n_test_evaluations_ == 1
    test = search.test_indices_
    with pytest.warns(RepeatedTestWarning, match="50 of 50 rows"):
        assert search.score(X[test], y[test]) == search.test_score_
    assert search.n_test_evaluations_ == 2
    with pytest.warns(RepeatedTestWarning, match="20 of 20 rows"):
        search.score(X[test[:20]], y[test[:20]])
    assert search.n_test_evaluations_ == 3
    assert search.fit(X, y).n_test_evaluations_ == 1


def test_a_search_remembers_over_a_pickle():
    search = pickle.loads(pickle.dumps(make("random", test_size=0.25).fit(X, y)))
    with pytest.warns(RepeatedTestWarning):
        search.score(X[search.test_indices_], y[search.test_indices_])


COARSE = np.random.default_rng(0).integers(0, 3, (200, 3)).astype(float)


@pytest.mark.parametrize("leakage", ["warn", "raise", "ignore"])
def test_all_rows_of_a_coarse_table_with_a_test_set(leakage):
    """Their parts look like any new rows; but the whole, in its order, is no accident."""
    search = make("random", test_size=50, leakage=leakage).fit(COARSE, y)
    new = np.random.default_rng(1).integers(0, 3, (200, 3))
    search.score(new, y)
    assert search.n_test_evaluations_ == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if leakage == "raise":
            with pytest.raises(LeakageError, match="150 of 200 rows"):
                search.score(COARSE, y)
        else:
            search.score(pd.DataFrame(COARSE), y)
    told = {w.category: str(w.message) for w in caught}
    assert "50 of 200 rows" in told[RepeatedTestWarning]
    assert search.n_test_evaluations_ == 2
    assert (LeakageWarning in told) == (leakage == "warn")
    if leakage == "warn":
        assert "150 of 200 rows" in told[LeakageWarning]


def test_all_training_rows_of_a_coarse_table_beside_a_validation_set():
    own = HoldoutValidation(COARSE[150:], y[150:])
    search = make("random", cv=own).fit(COARSE[:150], y[:150])
    with pytest.warns(LeakageWarning, match="150 of 150 rows"):
        search.score(COARSE[:150], y[:150])


def test_rows_of_the_test_set_that_the_last_model_was_trained_on():
    search = make("random", test_size=0.25, refit_on_all=True).fit(X, y)
    test = search.test_indices_
    with pytest.warns(RepeatedTestWarning, match=r"was trained in the end \(refit_on_all=True"):
        search.score(X[test], y[test])


def test_groups_that_the_test_splitter_did_not_heed():
    search = make("random", cv=GroupKFold(3), test_size=ShuffleSplit(1, random_state=0))
    with pytest.warns(LeakageWarning, match="test_size does not keep them whole"):
        search.fit(X, y, groups=np.arange(200) % 40)


def test_time_in_the_index_of_y():
    target = pd.Series(y, index=pd.date_range("2020-01-01", periods=200))
    with pytest.warns(LeakageWarning, match="index of y .* y.reset_index"):
        make("random").fit(X, target)


def test_new_rows_and_clusters_are_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = RandomSearchCV(KMeans(n_init=1), {"n_clusters": [2, 3]}, n_iter=2).fit(X)
        search.score(X)  # nothing was chosen by targets
        make("random", test_size=0.2, leakage="raise").fit(X, y)
