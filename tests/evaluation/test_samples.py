from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from contracts.resource import ResourceContract
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.samples import Samples, nested_order

X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]
DIGITS = TrainingData(X, Y, classes=np.arange(10))

labels = st.one_of(
    st.lists(st.integers(0, 6), min_size=1, max_size=120),
    st.lists(st.sampled_from(["a"] * 20 + ["b", "c"]), min_size=1, max_size=120),
).map(np.array)
seeds = st.integers(0, 2**32 - 1)


class TestSamples(ResourceContract):
    rungs = (30, 90, 270)

    def make_resource(self):
        return Samples(5)

    def make_estimator(self):
        return DecisionTreeClassifier()

    def data(self):
        return DIGITS


class Memory(BaseEstimator):
    """Remembers what it was fitted on."""

    def fit(self, X, y=None, **params):
        self.X_, self.y_, self.params_ = X, y, params
        return self


def fitted_on(data, to, seed=0):
    resource = Samples(seed)
    model = resource.begin(Memory(), data, to)
    resource.advance(model, data, to)
    return resource.finish(model)


@given(labels, seeds)
@example(np.array([0] * 97 + [1, 2, 3]), 0)
def test_every_beginning_is_a_fair_sample(y, seed):
    order = nested_order(y, seed)
    assert sorted(order) == list(range(len(y)))
    classes, sizes = np.unique(y, return_counts=True)
    counts = np.cumsum(y[order][:, None] == classes, axis=0)
    taken = np.arange(1, len(y) + 1)[:, None]
    share = taken * sizes / len(y)
    assert (counts[len(classes) - 1 :] >= 1).all()
    complete = taken[:, 0] >= math.ceil(len(y) / sizes.min())
    assert (np.abs(counts - share)[complete] < 1).all()
    assert ((counts < share + 1) | (counts == 1)).all()


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=50), seeds)
def test_continuous_targets_are_only_permuted(y, seed):
    y = np.array(y) + 0.123
    assert sorted(nested_order(y, seed)) == list(range(len(y)))


@given(st.integers(1, 50), seeds)
def test_without_targets_rows_are_only_permuted(n, seed):
    assert sorted(nested_order(None, seed, n)) == list(range(n))


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=2, max_size=60), seeds)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_multilabel_rows_keep_label_sets_in_proportion(container, y, seed):
    dense = np.array(y)
    order = nested_order(container(dense), seed)
    assert sorted(order) == list(range(len(y)))
    for labels in {*y}:
        is_set = (dense == labels).all(axis=1)
        share = np.arange(1, len(y) + 1) * is_set.mean()
        assert (np.abs(np.cumsum(is_set[order]) - share) < 1 + 1e-9).all()


def test_the_seed_decides_which_rows():
    assert nested_order(Y, 1).tolist() == nested_order(Y, 1).tolist()
    assert nested_order(Y, 1).tolist() != nested_order(Y, 2).tolist()
    assert set(nested_order(Y, 1)[:50]) != set(nested_order(Y, 2)[:50])
    without = [nested_order(None, seed, 50).tolist() for seed in (1, 1, 2)]
    assert without[0] == without[1] != without[2]


def test_rows_of_a_class_are_shuffled():
    y = np.repeat([0, 1], 50)
    first = nested_order(y, 0)[:20]
    assert sorted(first[first < 50]) != list(range(10))


def test_a_number_of_rows_is_needed_without_targets():
    with pytest.raises(ValueError, match="n_samples is needed"):
        nested_order(None, 0)


@pytest.mark.parametrize("frame", [np.asarray, pd.DataFrame, pl.DataFrame, sparse.csr_array])
def test_rungs_are_nested_and_keep_their_order(frame):
    column = np.arange(300.0)[:, None]
    data = TrainingData(frame(column), Y, classes=np.arange(10))
    rows = []
    for to in (20, 60, 180):
        memory = fitted_on(data, to)
        taken = memory.X_.toarray() if sparse.issparse(memory.X_) else np.asarray(memory.X_)
        assert type(memory.X_) is type(data.X)
        assert len(taken) == to
        assert (np.diff(taken[:, 0]) > 0).all()
        np.testing.assert_array_equal(memory.y_, Y[taken[:, 0].astype(int)])
        assert set(memory.y_) == set(range(10))
        rows.append({*taken[:, 0]})
    assert rows[0] < rows[1] < rows[2]


def test_integer_targets_of_a_regressor_are_not_strata():
    counts = np.arange(100)
    data = TrainingData(X[:100], counts)
    np.testing.assert_array_equal(
        fitted_on(data, 30).y_, np.sort(np.random.default_rng(0).permutation(100)[:30])
    )


def test_only_fit_params_of_the_rows_are_cut():
    params = {"sample_weight": np.arange(300.0), "alpha": [1, 2, 3], "flag": True}
    memory = fitted_on(TrainingData(np.arange(300)[:, None], Y, params, np.arange(10)), 40)
    np.testing.assert_array_equal(memory.params_["sample_weight"], memory.X_[:, 0])
    assert memory.params_["alpha"] == [1, 2, 3]
    assert memory.params_["flag"] is True


@pytest.mark.parametrize("to", [300, 1000])
def test_all_rows_are_all_rows(to):
    memory = fitted_on(DIGITS, to)
    assert memory.X_ is X
    assert memory.y_ is Y


def test_without_targets():
    memory = fitted_on(TrainingData(X, None), 17)
    assert memory.X_.shape == (17, 64)
    assert memory.y_ is None


def test_it_trains_on_the_sample_from_scratch():
    resource = Samples(3)
    model = resource.begin(GaussianNB(), DIGITS, 300)
    resource.advance(model, DIGITS, 50)
    resource.advance(model, DIGITS, 100)
    rows = np.sort(nested_order(Y, 3)[:100])
    theirs = GaussianNB().fit(X[rows], Y[rows])
    np.testing.assert_array_equal(resource.finish(model).theta_, theirs.theta_)


def test_ladder():
    resource = Samples(0)
    assert not resource.continues
    assert resource.limit(DecisionTreeRegressor(), 240) == 240
    assert resource.lowest(10) == 20
    assert resource.lowest(0) == 1
    assert resource.for_refit(80, 300) == 300


def test_a_kernel_matrix_cannot_be_cut():
    with pytest.raises(ValueError, match="pairwise"):
        Samples(0).begin(SVC(kernel="precomputed"), DIGITS, 9)
