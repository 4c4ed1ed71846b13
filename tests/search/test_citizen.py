"""A search is an estimator: cloned, pickled, nested, piped, asked for its tags."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform
from search.searches import ALL, CLASSES, WIDE, data, exhaustive, make, sgd
from sklearn.base import clone, is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, SGDRegressor
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags

X, y = data(60)


@pytest.mark.parametrize("kind", ALL)
def test_clone_get_params_and_set_params(kind: str) -> None:
    search = make(kind)
    twin = clone(search)
    assert twin is not search
    ours, theirs = search.get_params(deep=False), twin.get_params(deep=False)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert repr(theirs[name]) == repr(value), name
    search.set_params(estimator__alpha=0.5, cv=4, error_score="raise")
    assert (search.estimator.alpha, search.cv, search.error_score) == (0.5, 4, "raise")
    assert search.get_params()["estimator__alpha"] == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'n_itre'"):
        search.set_params(n_itre=3)


@pytest.mark.parametrize("kind", [*CLASSES, "samples"])
def test_fit_leaves_the_constructor_arguments_alone(kind: str) -> None:
    search = make(kind, space=WIDE)
    before = {name: repr(value) for name, value in search.get_params().items()}
    kept = search.get_params(deep=False)
    assert search.fit(X, y) is search
    for name, value in search.get_params().items():
        assert repr(value) == before[name], name
    for name, value in kept.items():
        assert getattr(search, name) is value, name
    assert not hasattr(search.estimator, "coef_")
    refitted = search.best_estimator_
    assert search.fit(X, y).best_estimator_ is not refitted
    np.testing.assert_array_equal(search.best_estimator_.coef_, refitted.coef_)
    assert not hasattr(clone(search), "best_params_")


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("fitted", [False, True])
def test_repr_and_html(kind: str, fitted: bool) -> None:
    search = make(kind)
    if fitted:
        search.fit(X, y)
    name = type(search).__name__
    assert repr(search).startswith(f"{name}(")
    assert "n_jobs" not in repr(search)  # only what is not the default
    html = search._repr_html_()
    assert name in html
    assert "SGDClassifier" in html
    assert name in make_pipeline(StandardScaler(), search)._repr_html_()
    if fitted:
        assert "best_estimator_" in html


@pytest.mark.parametrize("kind", CLASSES)
def test_pickle(kind: str) -> None:
    search = make(kind, space=WIDE)
    again = pickle.loads(pickle.dumps(search)).fit(X, y)
    search.fit(X, y)
    back = pickle.loads(pickle.dumps(search))
    for twin in (again, back):
        np.testing.assert_array_equal(twin.predict(X), search.predict(X))
        assert twin.best_params_ == search.best_params_
        np.testing.assert_array_equal(
            twin.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
        )
    assert [t.config for t in back.history_] == [t.config for t in search.history_]


@pytest.mark.parametrize("kind", CLASSES)
def test_what_kind_of_estimator_it_is(kind: str) -> None:
    assert is_classifier(make(kind))
    assert not is_regressor(make(kind))
    assert is_regressor(make(kind, SGDRegressor()))
    assert not is_classifier(make(kind, make_pipeline(StandardScaler(), SGDRegressor())))
    assert is_classifier(make(kind, make_pipeline(StandardScaler(), sgd())))
    assert is_clusterer(make(kind, KMeans()))
    assert is_outlier_detector(make(kind, IsolationForest()))
    for estimator in (sgd(), SVC(kernel="precomputed"), GaussianNB(), KernelDensity()):
        ours = get_tags(make(kind, estimator))
        theirs = get_tags(GridSearchCV(estimator, {"x": [1]}))
        assert ours == theirs


@pytest.mark.parametrize("kind", CLASSES)
def test_fitted_attributes_come_from_the_best_estimator(kind: str) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    labels = np.array(["a", "b", "c"])[y]
    search = make(kind)
    for name in ("classes_", "n_features_in_", "feature_names_in_"):
        assert not hasattr(search, name)
    search.fit(frame, labels)
    assert list(search.classes_) == ["a", "b", "c"]
    assert search.n_features_in_ == X.shape[1]
    assert list(search.feature_names_in_) == list(frame.columns)
    assert set(search.predict(frame)) <= {"a", "b", "c"}
    with pytest.raises(ValueError, match="feature names should match"):
        search.predict(frame.rename(columns=str.upper))
    assert not hasattr(make(kind).fit(X, y), "feature_names_in_")


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
@pytest.mark.parametrize("kind", CLASSES)
def test_methods_are_those_of_the_estimator(kind: str) -> None:
    search = make(kind, sgd(loss="log_loss"), {"alpha": loguniform(0.1, 1)})
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        assert hasattr(search, method)
        with pytest.raises(NotFittedError):
            getattr(search, method)(X)
    with pytest.raises(NotFittedError):
        search.score(X, y)
    search.fit(X, y)
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        np.testing.assert_array_equal(
            getattr(search, method)(X), getattr(search.best_estimator_, method)(X)
        )
    assert not hasattr(search, "transform")
    assert not hasattr(make(kind, sgd(loss="hinge")), "predict_proba")
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    f1 = make(kind, scoring="f1_macro").fit(X, y)
    assert f1.score(X, y) != f1.best_estimator_.score(X, y)
    unfit = make(kind, refit=False).fit(X, y)
    with pytest.raises(AttributeError, match="no attribute 'predict'") as caught:
        unfit.predict(X)
    assert "refit=False" in str(caught.value.__cause__)
    with pytest.raises(AttributeError, match="refit=False"):
        unfit.score(X, y)
    with pytest.raises(AttributeError):
        _ = unfit.classes_


@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_transformers_transform(kind: str) -> None:
    search = make(kind, PCA(random_state=0), {"n_components": [2, 3]}, **cap(kind)).fit(X)
    transformed = search.transform(X)
    assert transformed.shape[1] == search.best_params_["n_components"]
    np.testing.assert_array_equal(
        search.inverse_transform(transformed),
        search.best_estimator_.inverse_transform(transformed),
    )
    assert not hasattr(search, "predict")
    np.testing.assert_array_equal(
        search.score_samples(X), search.best_estimator_.score_samples(X)
    )


def cap(kind: str) -> dict[str, Any]:
    """Return what keeps a search within a space of two."""
    return {"n_iter": 2} if "n_iter" in make(kind).get_params() else {}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_search_inside_a_pipeline(kind: str) -> None:
    search = make(kind)
    pipeline = make_pipeline(StandardScaler(), search).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    alone = clone(search).fit(scaled, y)
    np.testing.assert_array_equal(pipeline.predict(X), alone.predict(scaled))
    assert pipeline[-1].best_params_ == alone.best_params_


@pytest.mark.parametrize("kind", CLASSES)
def test_a_search_inside_cross_validation(kind: str) -> None:
    search = make(kind)
    scores = cross_val_score(search, X, y, cv=2)
    predictions = cross_val_predict(search, X, y, cv=2)
    assert scores.shape == (2,)
    assert 0 < scores.mean() < 1
    assert predictions.shape == y.shape
    outer = GridSearchCV(search, {"estimator__loss": ["hinge", "log_loss"]}, cv=2).fit(X, y)
    assert outer.best_estimator_.best_params_


@pytest.mark.parametrize(
    ("outer", "inner"), [("random", "epochs"), ("bayes", "random"), ("random", "bayes")]
)
def test_a_search_inside_a_search(outer: str, inner: str) -> None:
    nested = make(
        outer, make(inner), {"estimator__loss": ["hinge", "log_loss"]}, n_iter=2, cv=2
    )
    nested.fit(X, y)
    assert set(nested.best_params_) == {"estimator__loss"}
    assert nested.best_estimator_.best_params_
    assert nested.predict(X).shape == y.shape


@pytest.mark.parametrize("kind", ["random", "sobol", "bayes", "samples"])
def test_several_estimators_compete_for_a_step(kind: str) -> None:
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("pick", "passthrough"), ("model", sgd())]
    )
    space = [
        {"model": [LogisticRegression()], "model__C": loguniform(1e-2, 1e2)},
        {
            "model": [GaussianNB(), BernoulliNB()],
            "scale": [MinMaxScaler(), None, "passthrough"],
        },
        {
            "pick": [SelectKBest(k=3), PCA(2)],
            "model": [SVC()],
            "model__kernel": ["rbf", "linear"],
        },
    ]
    search = make(kind, pipeline, space, **({"n_iter": 12} if kind != "samples" else {}))
    search.fit(X, y)
    candidates = search.cv_results_["params"]
    assert len({type(params["model"]).__name__ for params in candidates}) >= 2
    for params in candidates:
        assert ("model__C" in params) == isinstance(params["model"], LogisticRegression)
        assert ("pick" in params) == isinstance(params["model"], SVC)
        assert not hasattr(params["model"], "classes_")  # fitted were clones
    if kind != "samples":
        oracle = exhaustive(search, candidates).fit(X, y)
        for fold in range(3):
            np.testing.assert_array_equal(
                search.cv_results_[f"split{fold}_test_score"],
                oracle.cv_results_[f"split{fold}_test_score"],
            )
        np.testing.assert_array_equal(search.predict(X), oracle.predict(X))
    assert search.best_estimator_["model"] is not search.best_params_["model"]


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
@pytest.mark.parametrize("kind", ["epochs", "max_iter"])
def test_a_halving_of_a_pipeline(kind: str) -> None:
    pipeline = Pipeline([("scale", StandardScaler()), ("model", sgd())])
    space = {
        "model__alpha": loguniform(1e-5, 1e-1),
        "scale": [StandardScaler(), MinMaxScaler()],
    }
    resource = {"resource": "model__max_iter"} if kind == "max_iter" else {}
    search = make(kind, pipeline, space, **resource).fit(X, y)
    assert search.best_estimator_["model"].t_ == 1 + 9 * len(X)
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    assert is_classifier(search)
    assert search.n_features_in_ == X.shape[1]


def test_estimators_with_randomness_of_their_own_are_repeatable() -> None:
    estimator = sgd(random_state=None)
    for kind in CLASSES:
        first, second = (make(kind, estimator).fit(X, y) for _ in range(2))
        np.testing.assert_array_equal(
            first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"]
        )
        assert first.best_params_ == second.best_params_
        np.testing.assert_array_equal(first.best_estimator_.coef_, second.best_estimator_.coef_)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_callers_random_numbers_are_left_alone(kind: str) -> None:
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    make(kind, sgd(random_state=None)).fit(X, y)
    assert np.random.rand() == expected  # noqa: NPY002


@pytest.mark.parametrize("kind", CLASSES)
def test_a_random_state_object_is_accepted(kind: str) -> None:
    results = [
        make(kind, space=WIDE, random_state=np.random.RandomState(5)).fit(X, y).cv_results_
        for _ in range(2)
    ]
    assert results[0]["params"] == results[1]["params"]
    other = make(kind, space=WIDE, random_state=None).fit(X, y).cv_results_
    assert other["params"] != results[0]["params"]
