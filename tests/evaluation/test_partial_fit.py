from __future__ import annotations

import contextlib
import pickle
import signal
import warnings

import numpy as np
import pytest
from contracts.resource import ResourceContract
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_diabetes, load_digits, make_multilabel_classification
from sklearn.decomposition import IncrementalPCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    PassiveAggressiveClassifier,
    Perceptron,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state, shuffle
from sklearn.utils.class_weight import compute_sample_weight

from sk_hpo.evaluation.partial_fit import PartialFitEpochs
from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.rng import get_state, seeded, set_state

X_ALL, Y_ALL = load_digits(return_X_y=True)
X, Y = shuffle(X_ALL / 16, Y_ALL, n_samples=200, random_state=0)
DIGITS = TrainingData(X, Y, classes=np.arange(10))

R_X, R_Y = load_diabetes(return_X_y=True)
DIABETES = TrainingData(R_X[:120], (R_Y[:120] - 150) / 80)


def train(estimator, data, *rungs, pause=False, seed=0):
    resource = PartialFitEpochs()
    with seeded(seed):
        model = resource.begin(clone(estimator), data, rungs[-1])
        for rung in rungs:
            if pause:
                state, packed = get_state(), resource.pack(model)
                check_random_state(None).rand(3)
                model = resource.unpack(packed)
                set_state(state)
            resource.advance(model, data, rung)
        return resource.finish(model)


class EpochsContract(ResourceContract):
    def make_resource(self):
        return PartialFitEpochs()

    def data(self):
        return DIGITS


class TestSGDEpochs(EpochsContract):
    def make_estimator(self):
        return SGDClassifier(loss="log_loss")


class TestSeededSGDEpochs(EpochsContract):
    def make_estimator(self):
        return SGDClassifier(loss="log_loss", random_state=3, average=True)


class TestMLPEpochs(EpochsContract):
    def make_estimator(self):
        return MLPClassifier((8,), random_state=3)


class TestMLPRegressorEpochs(EpochsContract):
    def make_estimator(self):
        return MLPRegressor(
            hidden_layer_sizes=(8,), solver="sgd", learning_rate="adaptive", random_state=1
        )

    def data(self):
        return DIABETES


def fitted_at_once(estimator, data, epochs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(estimator).set_params(max_iter=epochs).fit(data.X, data.y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("pause", [False, True])
def test_mlp_in_rungs_is_mlp_fitted_at_once(solver, pause):
    # Shuffled, `fit` permutes the last epoch's order, `partial_fit` the rows' own.
    mlp = MLPClassifier((8,), solver=solver, random_state=5, batch_size=32, shuffle=False)
    epochs = train(mlp, DIGITS, 1, 3, 9, pause=pause)
    at_once = fitted_at_once(mlp, DIGITS, 9)
    for ours, theirs in zip(epochs.coefs_, at_once.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert epochs.loss_curve_ == at_once.loss_curve_
    assert epochs.get_params() == mlp.get_params()


def test_shuffled_mlp_is_a_loop_of_partial_fit_with_one_stream():
    ours = train(MLPClassifier((8,), random_state=5, batch_size=32), DIGITS, 1, 6, pause=True)
    theirs = MLPClassifier((8,), random_state=np.random.RandomState(5), batch_size=32)
    for _ in range(6):
        theirs.partial_fit(X, Y, classes=np.arange(10))
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("random_state", [7, None, np.random.RandomState(7)])
def test_sgd_is_a_loop_of_partial_fit_with_one_stream(random_state):
    sgd = SGDClassifier(random_state=random_state)
    ours = train(sgd, DIGITS, 2, 5, pause=True, seed=11)
    with seeded(11):
        stream = None if random_state is None else np.random.RandomState(7)
        theirs = SGDClassifier(random_state=stream)
        for _ in range(5):
            theirs.partial_fit(X, Y, classes=np.arange(10))
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    assert type(ours.random_state) is type(random_state)


def test_epochs_see_the_rows_in_different_orders():
    sgd = SGDRegressor(random_state=0)
    same_order = clone(sgd)
    for _ in range(3):
        same_order.partial_fit(DIABETES.X, DIABETES.y)
    ours = train(sgd, DIABETES, 3)
    assert ours.random_state == 0
    assert not np.array_equal(ours.coef_, same_order.coef_)
    first = train(sgd, DIABETES, 1)
    np.testing.assert_array_equal(
        first.coef_, clone(sgd).partial_fit(DIABETES.X, DIABETES.y).coef_
    )


@pytest.mark.parametrize("estimator", [BernoulliNB(binarize=0.5), MultinomialNB()])
def test_naive_bayes_counts_every_epoch(estimator):
    ours = train(estimator, DIGITS, 1, 3, pause=True)
    np.testing.assert_array_equal(ours.class_count_, 3 * np.bincount(Y))


def test_perceptron():
    perceptron = Perceptron(random_state=2)
    assert train(perceptron, DIGITS, 3, 20).score(X, Y) > 0.9


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
def test_passive_aggressive_takes_balanced_weights_but_no_sample_weight():
    estimator = PassiveAggressiveClassifier(random_state=2, class_weight="balanced")
    assert train(estimator, DIGITS, 20).score(X, Y) > 0.9
    weighted = TrainingData(X, Y, {"sample_weight": np.ones(200)}, DIGITS.classes)
    with pytest.raises(ValueError, match="does not take sample_weight"):
        train(estimator, weighted, 1)


def test_a_class_that_the_fold_lacks():
    rows = Y != 4
    ours = train(
        SGDClassifier(random_state=0, class_weight="balanced"),
        TrainingData(X[rows], Y[rows], classes=np.arange(10)),
        5,
    )
    assert ours.classes_.tolist() == list(range(10))
    assert 4 not in ours.predict(X)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_balanced_weights_are_those_of_fit(n_classes):
    rows = np.flatnonzero(n_classes > Y)[: 15 * n_classes]
    rows = rows[(Y[rows] != 1) | (np.arange(len(rows)) % 3 == 0)]
    data = TrainingData(X[rows], Y[rows], classes=np.arange(n_classes))
    sgd = SGDClassifier(random_state=4, class_weight="balanced", tol=None, max_iter=1)
    ours = train(sgd, data, 1)
    np.testing.assert_array_equal(ours.coef_, clone(sgd).fit(data.X, data.y).coef_)
    assert ours.class_weight == "balanced"


def test_sample_weight_reaches_partial_fit():
    weight = compute_sample_weight({0: 3.0}, Y)
    data = TrainingData(X, Y, {"sample_weight": weight}, DIGITS.classes)
    ours = train(BernoulliNB(binarize=0.5), data, 2)
    np.testing.assert_allclose(ours.class_count_, 2 * np.bincount(Y, weights=weight))


def test_columns_with_classes_of_their_own():
    y = np.column_stack([Y, Y % 3])
    data = TrainingData(X, y, classes=[np.arange(10), np.arange(3)])
    ours = train(MultiOutputClassifier(SGDClassifier(random_state=0)), data, 1, 4, pause=True)
    for column, fitted in enumerate(ours.estimators_):
        theirs = SGDClassifier(random_state=np.random.RandomState(0))
        for _ in range(4):
            theirs.partial_fit(X, y[:, column], classes=np.unique(y[:, column]))
        np.testing.assert_array_equal(fitted.coef_, theirs.coef_)
    assert ours.estimator.random_state == 0


def test_multilabel_mlp():
    ml_x, ml_y = make_multilabel_classification(80, n_classes=3, random_state=0)
    mlp = MLPClassifier((6,), random_state=0, shuffle=False)
    data = TrainingData(ml_x, ml_y, classes=[np.arange(2)] * 3)
    at_once = fitted_at_once(mlp, data, 6)
    ours = train(mlp, data, 2, 6)
    np.testing.assert_array_equal(ours.predict_proba(ml_x), at_once.predict_proba(ml_x))


def test_without_targets():
    kmeans = MiniBatchKMeans(3, random_state=0, n_init=1)
    ours = train(kmeans, TrainingData(X, None), 1, 4, pause=True)
    theirs = MiniBatchKMeans(3, random_state=np.random.RandomState(0), n_init=1)
    for _ in range(4):
        theirs.partial_fit(X)
    np.testing.assert_array_equal(ours.cluster_centers_, theirs.cluster_centers_)
    pca = train(IncrementalPCA(2), TrainingData(X, None), 3)
    assert pca.n_samples_seen_ == 600


def test_limit_is_max_iter():
    resource = PartialFitEpochs()
    assert resource.limit(SGDClassifier(max_iter=np.int64(17)), 100) == 17
    with pytest.raises(ValueError, match="BernoulliNB does not have: give max_resources"):
        resource.limit(BernoulliNB(), 100)
    with pytest.raises(ValueError, match="is None: set max_iter"):
        resource.limit(SGDClassifier(max_iter=None), 100)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (MLPClassifier(early_stopping=True), "MLPClassifier cannot .* early_stopping=False"),
        (SGDClassifier(early_stopping=True), "SGDClassifier cannot .* early_stopping=False"),
        (MLPClassifier(solver="lbfgs"), "solver='lbfgs'.* has no partial_fit"),
    ],
)
def test_what_cannot_train_in_epochs_says_so_before_training(estimator, message):
    with pytest.raises(ValueError, match=message):
        PartialFitEpochs().begin(estimator, DIGITS, 9)


class Recorder(BaseEstimator):
    """Counts the calls that it gets, whatever else it is told."""

    def partial_fit(self, X, y=None, **told):
        self.calls_ = [*getattr(self, "calls_", []), (len(X), y is None, sorted(told))]
        return self


def test_what_any_partial_fit_accepts_is_passed_on():
    data = TrainingData(X, None, {"sample_weight": np.ones(200)})
    assert train(Recorder(), data, 2).calls_ == [(200, True, ["sample_weight"])] * 2


def test_a_picture_holds_classes_that_cannot_be_imported():
    class Local(Recorder):
        shout = staticmethod(lambda: "hey")

    resource = PartialFitEpochs()
    model = resource.begin(Local(), DIGITS, 2)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(model.estimator)
    assert resource.unpack(resource.pack(model)).estimator.shout() == "hey"


def test_a_ctrl_c_that_the_estimator_swallows_ends_the_training():
    class Swallowing(Recorder):
        def partial_fit(self, X, y=None):
            super().partial_fit(X, y)
            if len(self.calls_) == 2:
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            return self

    estimator = Swallowing()
    model = PartialFitEpochs().begin(estimator, DIGITS, 9)
    with pytest.raises(KeyboardInterrupt):
        PartialFitEpochs().advance(model, DIGITS, 9)
    assert len(estimator.calls_) == 2
