from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sk_hpo.evaluation.kinds import resource_for
from sk_hpo.evaluation.partial_fit import PartialFitEpochs
from sk_hpo.evaluation.pipeline import PipelineResource
from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.samples import Samples
from sk_hpo.evaluation.warm_start import WarmStart
from sk_hpo.evaluation.whole import Whole


def piped(last):
    return Pipeline([("pca", PCA(2)), ("clf", last)])


def test_none_is_one_plain_fit():
    resource = resource_for(None, SVC(), seed=0)
    assert type(resource) is Whole
    assert not resource.continues
    assert resource.limit(SVC(), 100) == resource.lowest(3) == 1


def test_a_plain_fit():
    X, y, weight = np.arange(4.0)[:, None], np.array([0.0, 1, 4, 9]), np.array([1.0, 2, 1, 0])
    data = TrainingData(X, y, {"sample_weight": weight})
    resource = resource_for(None, LinearRegression(), seed=0)
    model = resource.begin(LinearRegression(), data, 1)
    assert model.resource == 0
    resource.advance(model, data, 1)
    coefficients = resource.finish(model).coef_
    resource.advance(model, TrainingData(X, -y), 1)
    theirs = LinearRegression().fit(X, y, sample_weight=weight)
    assert model.estimator.coef_ == coefficients == theirs.coef_


def test_samples_for_every_estimator():
    resource = resource_for("n_samples", SVC(), seed=3)
    assert type(resource) is Samples
    assert resource.seed == 3
    assert type(resource_for("n_samples", piped(SVC()), seed=3)) is Samples


def test_epochs():
    assert type(resource_for("epochs", SGDClassifier(), seed=0)) is PartialFitEpochs
    resource = resource_for("epochs", piped(piped(MLPClassifier())), seed=0)
    assert type(resource) is PipelineResource
    assert type(resource.inner) is PipelineResource
    assert type(resource.inner.inner) is PartialFitEpochs
    assert (resource.name, resource.continues) == ("epochs", True)


def test_epochs_of_skorch_nets():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    from sk_hpo.evaluation.skorch import SkorchEpochs

    class Net(skorch.NeuralNetClassifier):
        pass

    net = Net(torch.nn.Linear)
    assert type(resource_for("epochs", net, seed=0)) is SkorchEpochs
    assert type(resource_for("epochs", piped(net), seed=0).inner) is SkorchEpochs


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            RandomForestClassifier(),
            "RandomForestClassifier cannot train.*may be 'n_samples', 'n_estimators'$",
        ),
        (piped(SVC()), "SVC cannot train in epochs.*resource may be 'n_samples'$"),
        (piped("passthrough"), "the last step 'clf' of the Pipeline is 'passthrough'"),
        (piped(None), "the last step 'clf' of the Pipeline is None"),
        (MLPClassifier(early_stopping=True), "early_stopping=False.*'n_samples'"),
    ],
)
def test_what_cannot_train_in_epochs(estimator, message):
    with pytest.raises(ValueError, match=message):
        resource_for("epochs", estimator, seed=0)


class Resampler(BaseEstimator):
    def fit_resample(self, X, y):
        return X, y


def test_a_pipeline_that_resamples_cannot_continue():
    pipeline = make_pipeline(Resampler(), SGDClassifier())
    with pytest.raises(ValueError, match=r"'resampler' .* resamples the rows"):
        resource_for("epochs", pipeline, seed=0)


@pytest.mark.parametrize(
    ("estimator", "name", "continues"),
    [
        (RandomForestClassifier(), "n_estimators", True),
        (LogisticRegression(), "max_iter", True),
        (RandomForestClassifier(), "max_depth", False),
        (AdaBoostClassifier(), "n_estimators", False),
        (KNeighborsClassifier(), "n_neighbors", False),
        (TransformedTargetRegressor(RandomForestRegressor()), "regressor__n_estimators", False),
        (piped(RandomForestClassifier()), "pca__n_components", False),
        (piped(RandomForestClassifier()), "clf__max_depth", False),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_integer_parameters(estimator, name, continues):
    resource = resource_for(name, estimator, seed=0)
    assert type(resource) is WarmStart
    assert (resource.name, resource.continues) == (name, continues)


def test_a_parameter_of_the_last_step_is_continued():
    resource = resource_for("clf__n_estimators", piped(RandomForestClassifier(7)), seed=0)
    assert type(resource) is PipelineResource
    assert type(resource.inner) is WarmStart
    assert (resource.name, resource.inner.name) == ("clf__n_estimators", "n_estimators")
    assert resource.limit(piped(RandomForestClassifier(7)), 100) == 7
    nested = piped(piped(RandomForestClassifier(7)))
    resource = resource_for("clf__clf__n_estimators", nested, seed=0)
    assert resource.inner.inner.name == "n_estimators"
    assert resource.limit(nested, 100) == 7


@pytest.mark.parametrize(
    ("estimator", "name", "message"),
    [
        (RandomForestClassifier(), "n_estimator", "did you mean 'n_estimators'"),
        (RandomForestClassifier(), "epoch", "did you mean 'epochs'"),
        (
            RandomForestClassifier(),
            "zzz",
            "not a parameter of RandomForestClassifier; ",
        ),
        (make_pipeline(StandardScaler(), SVC()), "svc__max_ite", "'svc__max_iter'"),
        (SGDClassifier(), "alpha", "must be an integer parameter.*alpha=0.0001"),
        (SGDClassifier(), "shuffle", "must be an integer parameter.*shuffle=True"),
    ],
)
def test_what_is_no_resource(estimator, name, message):
    with pytest.raises(ValueError, match=message):
        resource_for(name, estimator, seed=0)
