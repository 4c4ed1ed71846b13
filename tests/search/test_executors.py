"""Where a search trains: whatever it is, the results are the same."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from search.searches import data, make
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import cross_validate

from sk_hpo import RandomSearchCV

X, y = data()


@pytest.fixture(scope="module")
def expected():
    return make("epochs").fit(X, y).cv_results_


def same(search, expected):
    for name, column in expected.items():
        if "_time" not in name:
            np.testing.assert_array_equal(search.cv_results_[name], column, err_msg=name)


def test_a_pool_of_the_standard_library(expected):
    with ThreadPoolExecutor(2) as pool:
        same(make("epochs", executor=pool).fit(X, y), expected)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        same(make("epochs", executor=pool).fit(X, y), expected)
        assert pool.submit(os.getpid).result() != os.getpid()  # it is left as it was


def test_a_dask_client(expected):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        same(make("epochs", executor=client).fit(X, y), expected)


def test_a_clone_trains_in_the_same_place_and_a_pickle_nowhere():
    with ThreadPoolExecutor(1) as pool:
        search = make("random", executor=pool).set_params(verbose=0)
        assert clone(search).executor is pool
        assert clone(make("random")).executor is None
        assert pickle.loads(pickle.dumps(search)).executor is None
        assert search.executor is pool
        cross_validate(search, X, y, cv=2, error_score="raise")


class Trouble(ClassifierMixin, BaseEstimator):
    """Dies, or hangs, for some of its values."""

    def __init__(self, value=0, how="die"):
        self.value = value
        self.how = how

    def fit(self, X, y):
        if self.value == 2 and self.how == "die":
            os._exit(3)
        if self.value == 2:
            time.sleep(600)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return self.value


@pytest.mark.parametrize(
    ("how", "n_jobs", "told"),
    [("die", 2, "WorkerLost"), ("hang", 2, "TimedOut"), ("hang", 1, "TimedOut")],
)
def test_a_candidate_that_kills_its_worker_or_hangs_ranks_last(how, n_jobs, told):
    search = RandomSearchCV(
        Trouble(how=how),
        {"value": [1, 2, 3]},
        n_iter=3,
        cv=2,
        n_jobs=n_jobs,
        max_retries=1,
        trial_timeout=2.0 if how == "hang" else None,
        random_state=0,
    )
    with (
        pytest.warns(UserWarning, match="test scores are non-finite"),
        pytest.warns(RuntimeWarning, match="2 fits failed out of a total of 6") as heard,
    ):
        search.fit(X, y)
    assert told in str(heard[0].message)
    if how == "hang":
        assert "2 fits failed with the following error" in str(heard[0].message)  # as one
        assert "test_executors.py" in str(heard[0].message)  # where it hung
    assert search.best_params_ == {"value": 3}
    values = list(search.cv_results_["param_value"])
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], [np.nan if v == 2 else v for v in values]
    )
    assert search.cv_results_["rank_test_score"][values.index(2)] == 3
