from __future__ import annotations

from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sk_hpo.evaluation.folds import Folds
from sk_hpo.evaluation.kinds import resource_for
from sk_hpo.evaluation.resources import TrainingData


def test_a_fold_is_one_plain_fit_whatever_is_trained():
    for estimator in (LinearRegression(), make_pipeline(LinearRegression())):
        resource = resource_for("folds", estimator, seed=0)
        assert isinstance(resource, Folds)
        data = TrainingData([[0.0], [1.0]], [1.0, 3.0])
        model = resource.begin(estimator, data, 1)
        resource.advance(model, data, 1)
        assert resource.finish(model).predict([[2.0]]).round(6) == [5.0]
        assert model.resource == 1


def test_the_refit_is_one_fit_too():
    assert Folds().for_refit(selected=5, n_samples=100) == 1


def test_no_parameter_is_taken_from_the_search():
    assert Folds().parameter is None
    assert Folds().overrides == ()
