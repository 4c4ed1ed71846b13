from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from contracts.resource import ResourceContract
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.utils import check_random_state, shuffle
from sklearn.utils.validation import check_is_fitted

from sk_hpo.evaluation.partial_fit import PartialFitEpochs
from sk_hpo.evaluation.pipeline import PipelineResource
from sk_hpo.evaluation.pipeline import _same as same_rows
from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.rng import get_state, seeded, set_state
from sk_hpo.evaluation.warm_start import WarmStart

X, Y = shuffle(*load_digits(return_X_y=True), n_samples=200, random_state=0)
DIGITS = TrainingData(X, Y, classes=np.arange(10))
BITS = TrainingData((X[:, 20:30] // 6).astype(int), Y, classes=np.arange(10))
TWO = TrainingData(BITS.X, (Y % 2), classes=np.arange(2))


class Noise(TransformerMixin, BaseEstimator):
    """Adds noise to what it is fitted on, and draws as much elsewhere for nothing."""

    def fit(self, X, y=None):
        return self

    def fit_transform(self, X, y=None):
        return X + check_random_state(None).normal(size=X.shape)

    def transform(self, X):
        check_random_state(None).normal(size=X.shape)
        return X


class Counting(StandardScaler):
    """Counts its calls in a list that clones share."""

    calls: list[str] = []  # noqa: RUF012

    def fit(self, X, y=None, sample_weight=None):
        self.calls.append("fit")
        return super().fit(X, y, sample_weight)

    def transform(self, X, copy=None):
        self.calls.append("transform")
        return super().transform(X, copy)


@pytest.fixture
def calls():
    Counting.calls.clear()
    return Counting.calls


FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
EPOCHS = PipelineResource(PartialFitEpochs())


def train(estimator, data, *rungs, pause=False, resource=EPOCHS, seed=0):
    with seeded(seed):
        model = resource.begin(clone(estimator), data, rungs[-1])
        for rung in rungs:
            if pause:
                state, packed = get_state(), resource.pack(model)
                np.testing.assert_equal(get_state(), state)
                model = resource.unpack(packed)
                check_random_state(None).rand(3)
                set_state(state)
            resource.advance(model, data, rung)
        return resource.finish(model)


def by_hand(transformers, last, data, epochs, seed=0):
    """Return the coefficients that a loop of `partial_fit` comes to."""
    with seeded(seed):
        Xt = clone(transformers).fit_transform(data.X, data.y)
        last = clone(last).set_params(random_state=np.random.RandomState(last.random_state))
        for _ in range(epochs):
            last.partial_fit(Xt, data.y, classes=data.classes)
    return last.coef_


class PipelineContract(ResourceContract):
    def make_resource(self):
        return PipelineResource(PartialFitEpochs())

    def make_estimator(self):
        return make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss"))

    def data(self):
        return DIGITS


class TestScaledSGD(PipelineContract):
    pass


class TestNoisyMLP(PipelineContract):
    def make_estimator(self):
        return make_pipeline(StandardScaler(), Noise(), MLPClassifier((6,)))


class TestEncodedSGD(PipelineContract):
    def make_estimator(self):
        return make_pipeline(
            TargetEncoder(cv=FOLDS), SGDClassifier(loss="log_loss", random_state=1)
        )

    def data(self):
        return TWO


class TestNestedPipeline(PipelineContract):
    def make_resource(self):
        return PipelineResource(PipelineResource(PartialFitEpochs()))

    def make_estimator(self):
        return make_pipeline(StandardScaler(), super().make_estimator())


class TestTreesInPipeline(PipelineContract):
    def make_resource(self):
        return PipelineResource(WarmStart("n_estimators"), "clf__n_estimators")

    def make_estimator(self):
        return Pipeline([("pca", PCA(5)), ("clf", RandomForestClassifier(max_depth=5))])


SGD = SGDClassifier(random_state=4)


@pytest.mark.parametrize("pause", [False, True], ids=["live", "paused"])
@pytest.mark.parametrize(
    ("transformers", "data"),
    [
        (make_pipeline(StandardScaler()), DIGITS),
        (make_pipeline(PCA(7, random_state=0)), DIGITS),
        (make_pipeline(StandardScaler(), Noise()), DIGITS),
        (make_pipeline(OneHotEncoder()), BITS),
        (make_pipeline(TargetEncoder(cv=FOLDS)), TWO),
    ],
    ids=lambda v: v.steps[-1][0] if isinstance(v, Pipeline) else "",
)
def test_it_is_a_loop_of_partial_fit_on_the_transformed_rows(transformers, data, pause):
    pipeline = Pipeline([*transformers.steps, ("clf", SGD)])
    ours = train(pipeline, data, 1, 3, 6, pause=pause)
    np.testing.assert_array_equal(ours["clf"].coef_, by_hand(transformers, SGD, data, 6))


def test_trees_behind_a_transformer_are_those_of_fit():
    pipeline = Pipeline(
        [("pca", PCA(5, random_state=0)), ("clf", RandomForestClassifier(random_state=0))]
    )
    resource = PipelineResource(WarmStart("n_estimators"), "clf__n_estimators")
    ours = train(pipeline, DIGITS, 1, 3, 9, resource=resource, pause=True)
    theirs = clone(pipeline).set_params(clf__n_estimators=9).fit(X, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours["clf"].n_estimators == 9
    assert not ours["clf"].warm_start


def test_a_finished_pipeline_is_a_fitted_pipeline():
    frame = pd.DataFrame(X).add_prefix("pixel")
    pipeline = make_pipeline(StandardScaler(), SGD).set_output(transform="pandas")
    ours = train(pipeline, TrainingData(frame, Y, classes=DIGITS.classes), 1, 4, pause=True)
    check_is_fitted(ours)
    assert type(ours) is Pipeline
    assert ours.feature_names_in_.tolist() == frame.columns.tolist()
    assert ours["sgdclassifier"].feature_names_in_.tolist() == frame.columns.tolist()
    assert ours.n_features_in_ == 64
    assert ours.classes_.tolist() == list(range(10))
    assert ours.score(frame, Y) > 0.9
    assert clone(ours).get_params()["sgdclassifier__random_state"] == 4


def test_transformers_are_fitted_once(calls):
    train(make_pipeline(Counting(), SGD), DIGITS, 1, 3, 9)
    assert calls == ["fit", "transform"]


def test_transformed_rows_are_carried_only_if_transform_does_not_give_them_again(calls):
    def packed(*steps):
        model = EPOCHS.begin(make_pipeline(*steps, clone(SGD)), DIGITS, 9)
        EPOCHS.advance(model, DIGITS, 1)
        first = EPOCHS.pack(model)
        model = EPOCHS.unpack(first)
        EPOCHS.advance(model, DIGITS, 2)
        assert abs(len(EPOCHS.pack(model)) - len(first)) < 1000
        return len(first)

    assert packed(Counting()) < X.nbytes / 2
    # To fit, to see that it gives the same again, and after the pause.
    assert calls == ["fit", "transform", "transform", "transform"]
    assert packed(Counting(), Noise()) > X.nbytes


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), True),
        (np.array([1.0]), np.array([1.0 + 1e-15]), False),
        (np.array([1.0]), np.array([1.0], np.float32), False),
        (np.ones((2, 2)), np.ones((2, 2), order="F"), False),
        (np.ones((2, 2)), [[1.0, 1.0], [1.0, 1.0]], False),
        (sparse.eye_array(3).tocsr(), sparse.eye_array(3).tocsr(), True),
        (sparse.eye_array(3).tocsr(), 2 * sparse.eye_array(3).tocsr(), False),
        (sparse.eye_array(3).tocsr(), sparse.eye_array(3).tocsc(), False),
        (pd.DataFrame({"a": [1, None]}), pd.DataFrame({"a": [1, None]}), True),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 3]}), False),
        (["text"], ["text"], False),
    ],
)
def test_the_same_rows(one, other, same):
    assert same_rows(one, other) is same


def test_a_picture_of_an_untrained_model_can_be_taken_twice():
    for steps in ([StandardScaler()], [Noise()]):
        model = EPOCHS.begin(make_pipeline(*steps, clone(SGD)), DIGITS, 9)
        again = EPOCHS.unpack(EPOCHS.pack(model))
        again = EPOCHS.unpack(EPOCHS.pack(again))
        for m in (model, again):
            EPOCHS.advance(m, DIGITS, 2)
        np.testing.assert_array_equal(
            EPOCHS.finish(model)[-1].coef_, EPOCHS.finish(again)[-1].coef_
        )


@pytest.mark.parametrize("skipped", ["passthrough", None])
def test_transformers_may_be_skipped_or_missing(skipped):
    plain = PartialFitEpochs()
    model = plain.begin(clone(SGD), DIGITS, 3)
    plain.advance(model, DIGITS, 3)
    coef = plain.finish(model).coef_
    alone = train(Pipeline([("clf", SGD)]), DIGITS, 1, 3, pause=True)
    np.testing.assert_array_equal(alone["clf"].coef_, coef)
    with_hole = Pipeline([("hole", skipped), ("clf", SGD)])
    np.testing.assert_array_equal(train(with_hole, DIGITS, 1, 3)["clf"].coef_, coef)


def test_memory_is_respected(tmp_path, calls):
    pipeline = Pipeline([("scale", Counting()), ("clf", SGD)], memory=str(tmp_path))
    first = train(pipeline, DIGITS, 1, 2)
    second = train(pipeline, DIGITS, 1, 2)
    assert calls == ["fit", "transform"]
    np.testing.assert_array_equal(first["clf"].coef_, second["clf"].coef_)
    pipeline.fit(X, Y)
    assert calls == ["fit", "transform"]
    assert not hasattr(pipeline["scale"], "mean_") or first["scale"] is not pipeline["scale"]


def weighted(step_weight, last_weight):
    return {"scale__sample_weight": step_weight, "clf__sample_weight": last_weight}


WEIGHT = np.random.default_rng(0).uniform(0.1, 5, 200)


@pytest.mark.parametrize("pause", [False, True])
def test_fit_params_reach_their_steps(pause):
    params = weighted(WEIGHT, WEIGHT[::-1].copy())
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", SGD)])
    ours = train(pipeline, TrainingData(X, Y, params, DIGITS.classes), 1, 3, pause=pause)
    scaler = StandardScaler().fit(X, sample_weight=WEIGHT)
    np.testing.assert_array_equal(ours["scale"].mean_, scaler.mean_)
    last = clone(SGD).set_params(random_state=np.random.RandomState(4))
    for _ in range(3):
        last.partial_fit(
            scaler.transform(X), Y, classes=DIGITS.classes, sample_weight=WEIGHT[::-1]
        )
    np.testing.assert_array_equal(ours["clf"].coef_, last.coef_)


@pytest.mark.parametrize("pause", [False, True])
def test_metadata_routing(pause):
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [
                ("scale", StandardScaler().set_fit_request(sample_weight="of_scale")),
                ("clf", clone(SGD).set_fit_request(sample_weight=True)),
            ]
        )
        params = {"of_scale": WEIGHT, "sample_weight": WEIGHT[::-1].copy()}
        ours = train(pipeline, TrainingData(X, Y, params, DIGITS.classes), 1, 3, pause=pause)
    params = weighted(WEIGHT, WEIGHT[::-1].copy())
    plain = Pipeline([("scale", StandardScaler()), ("clf", SGD)])
    theirs = train(plain, TrainingData(X, Y, params, DIGITS.classes), 3)
    np.testing.assert_array_equal(ours["clf"].coef_, theirs["clf"].coef_)


class Shift(TransformerMixin, BaseEstimator):
    """A transformer that wants metadata in both of its methods."""

    def fit(self, X, y=None, by=0.0):
        self.by_ = by
        return self

    def fit_transform(self, X, y=None, by=0.0):
        return self.fit(X, y, by).transform(X, by)

    def transform(self, X, by=0.0):
        return X + by


class Validated(ClassifierMixin, BaseEstimator):
    """Remembers the validation rows that it was given, epoch by epoch."""

    def partial_fit(self, X, y, X_val=None):
        self.seen_ = [*getattr(self, "seen_", []), X_val]
        return self

    def fit(self, X, y, X_val=None):
        self.seen_ = [X_val]
        return self


@pytest.mark.parametrize("pause", [False, True])
def test_transform_input_and_metadata_for_transform(pause):
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [
                ("shift", Shift().set_fit_request(by=True).set_transform_request(by=True)),
                ("clf", Validated().set_fit_request(X_val=True)),
            ],
            transform_input=["X_val"],
        )
        params = {"by": 5.0, "X_val": X[:3]}
        ours = train(pipeline, TrainingData(X, Y, params), 1, 2, pause=pause)
        theirs = clone(pipeline).fit(X, Y, **params)
    for seen in ours["clf"].seen_:
        np.testing.assert_array_equal(seen, theirs["clf"].seen_[0])
    assert len(ours["clf"].seen_) == 2


def test_transform_input_needs_routing():
    pipeline = Pipeline([("clf", SGD)], transform_input=["X_val"])
    with pytest.raises(ValueError, match="metadata routing"):
        EPOCHS.begin(pipeline, DIGITS, 3)


def test_fit_params_for_nobody_are_refused_as_by_pipeline():
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", SGD)])
    data = TrainingData(X, Y, {"sample_weight": WEIGHT})
    with pytest.raises(ValueError, match="stepname__parameter"):
        EPOCHS.begin(pipeline, data, 3)


@pytest.mark.parametrize("last", ["passthrough", None])
def test_a_last_step_that_does_not_train(last):
    with pytest.raises(ValueError, match=f"last step 'clf' of the Pipeline is {last!r}"):
        EPOCHS.begin(Pipeline([("scale", StandardScaler()), ("clf", last)]), DIGITS, 3)


def test_early_stopping_of_the_last_step_shows():
    pipeline = make_pipeline(StandardScaler(), SGDClassifier(tol=10.0, random_state=0))
    resource = PipelineResource(WarmStart("max_iter"), "sgdclassifier__max_iter")
    model = resource.begin(pipeline, DIGITS, 100)
    resource.advance(model, DIGITS, 50)
    assert model.stopped
    assert 1 <= model.resource < 50


def test_ladder_is_that_of_the_last_step():
    pipeline = make_pipeline(StandardScaler(), SGDClassifier(max_iter=12))
    assert EPOCHS.limit(pipeline, 100) == 12
    assert EPOCHS.lowest(10) == 1
    assert EPOCHS.for_refit(5, 100) == 5
    assert EPOCHS.name == "epochs"


def test_float64_before_a_net_is_explained():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    from sk_hpo.evaluation.skorch import SkorchEpochs

    net = skorch.NeuralNetClassifier(
        torch.nn.Linear, module__in_features=64, module__out_features=10, verbose=0
    )
    pipeline = make_pipeline(StandardScaler(), net)
    resource = PipelineResource(SkorchEpochs())
    model = resource.begin(clone(pipeline), DIGITS, 2)
    with pytest.raises(RuntimeError) as caught:
        resource.advance(model, DIGITS, 1)
    assert any("float64" in note for note in caught.value.__notes__)
    data = TrainingData(X.astype(np.float32), Y.astype(np.int64), classes=DIGITS.classes)
    trained = train(pipeline, data, 1, 2, resource=resource, pause=True)
    assert len(trained[-1].history) == 2
    assert trained.predict(data.X).shape == (200,)
