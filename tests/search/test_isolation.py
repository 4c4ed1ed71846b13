"""Threads share torch's and numpy's global generators: what may draw from them takes turns."""

from __future__ import annotations

import threading

import joblib
import numpy as np
import pytest
from contracts.nets import X, net, y
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from sk_hpo import RandomSearchCV


class Dice(ClassifierMixin, BaseEstimator):
    """Predicts what numpy's global generator says."""

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.random.choice(self.classes_, len(X))  # noqa: NPY002


def shuffling():
    return CalibratedClassifierCV(LinearSVC(), cv=KFold(2, shuffle=True))


CASES = {
    "net": (net(), {"lr": uniform(0.01, 0.1)}),
    "searched net": (
        Pipeline([("model", "passthrough")]),
        {"model": [net(), net(module__hidden=7)], "model__lr": uniform(0.01, 0.1)},
    ),
    "global numpy": (Dice(), {"x": uniform()}),
    "unseeded splitter": (shuffling(), {"estimator__C": uniform(0.1, 1)}),
}


def fitted(case, n_jobs, backend="loky"):
    estimator, space = CASES[case]
    search = RandomSearchCV(
        estimator, space, n_iter=4, cv=3, n_jobs=n_jobs, random_state=0, scoring="accuracy"
    )
    with joblib.parallel_config(backend=backend):
        return search.fit(X, y)


@pytest.mark.parametrize("case", CASES)
def test_threads_agree_with_one_job_and_leave_the_generator(case):
    alone = fitted(case, 1)
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    threads = fitted(case, 3, "threading")
    np.testing.assert_array_equal(np.random.random(3), expected)  # noqa: NPY002
    for key in ("mean_test_score", "split2_test_score"):
        np.testing.assert_array_equal(threads.cv_results_[key], alone.cv_results_[key])
    assert str(threads.best_params_) == str(alone.best_params_)


@pytest.mark.timeout(120)
def test_a_search_over_nets_inside_a_search_in_threads_ends():
    def scores(n_jobs):
        inner = RandomSearchCV(net(), {"lr": [0.01, 0.1]}, n_iter=2, cv=2, n_jobs=n_jobs)
        space = {"estimator__batch_size": [8, 16]}
        outer = RandomSearchCV(inner, space, n_iter=2, cv=2, n_jobs=n_jobs, random_state=0)
        return outer.fit(X, y).cv_results_["mean_test_score"]

    with joblib.parallel_config(backend="threading"):
        np.testing.assert_array_equal(scores(2), scores(1))


def test_scikit_learn_s_own_estimators_run_side_by_side():
    running, most, lock = set(), [0], threading.Lock()
    barrier = threading.Barrier(2, timeout=60)

    def scorer(estimator, X, y):
        with lock:
            running.add(threading.get_ident())
            most[0] = max(most[0], len(running))
        barrier.wait()
        with lock:
            running.discard(threading.get_ident())
        return 0.5

    with joblib.parallel_config(backend="threading"):
        RandomSearchCV(
            LinearSVC(), {"C": [0.1, 1.0]}, n_iter=2, cv=2, n_jobs=2, scoring=scorer
        ).fit(X, y)
    assert most == [2]
