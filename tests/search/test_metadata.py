"""groups, sample_weight and routed metadata arrive where scikit-learn's searches take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.tests.test_metaestimators_metadata_routing as theirs
from search.searches import (
    ALL,
    CLASSES,
    Calls,
    EpochRecorder,
    data,
    exhaustive,
    make,
    sgd,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, RandomSearchCV

X, y = data()
groups = np.repeat(np.arange(9), 10)
weights = np.random.default_rng(0).integers(1, 9, len(X)).astype(float)


def splits(results: dict[str, Any]) -> np.ndarray:
    names = sorted(name for name in results if name.startswith("split"))
    return np.array([results[name] for name in names]).T


def recorder(kind: str, calls: Calls, **options: Any) -> Any:
    """Return a search whose estimator notes what it is given, unweighted scorers apart."""
    resource = {"resource": "size"} if kind == "max_iter" else {}
    return make(
        kind, EpochRecorder(calls), {"x": [1.0, 2.0, 3.0, 4.0, 5.0]}, **resource, **options
    )


@pytest.fixture
def routing() -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut(), StratifiedGroupKFold(3)])
@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_groups_decide_the_folds(kind: str, cv: Any) -> None:
    search = make(kind, cv=cv).fit(X, y, groups=groups)
    assert search.n_splits_ == cv.get_n_splits(X, y, groups)
    oracle = exhaustive(search, search.cv_results_["params"], refit=False)
    expected = splits(oracle.fit(X, y, groups=groups).cv_results_)
    top = slice(None)
    if kind == "samples":
        resources = search.cv_results_["n_resources"]
        top = resources == resources.max()
    np.testing.assert_array_equal(splits(search.cv_results_)[top], expected[top])


@pytest.mark.parametrize("kind", ALL)
def test_missing_groups_are_one_message_before_training(kind: str) -> None:
    calls = Calls()
    search = recorder(kind, calls, cv=GroupKFold(3))
    for method in (search.fit, search.plan):
        with pytest.raises(ValueError, match="'groups' parameter should not be None"):
            method(X, y)
    assert not calls.noted


@pytest.mark.parametrize("kind", ALL)
def test_a_plan_takes_groups_too(kind: str) -> None:
    make(kind, cv=GroupKFold(3)).plan(X, y, groups=groups)


@pytest.mark.parametrize("kind", ALL)
def test_weights_reach_every_fit_and_score(kind: str) -> None:
    calls = Calls()
    scored: list[np.ndarray] = []

    def scorer(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        scored.append(sample_weight)
        return -estimator.x

    recorder(kind, calls, scoring=scorer).fit(X, y, sample_weight=weights)
    trained = [call for call in calls.noted if call[0] != "score"]
    assert trained
    for _, rows, given in trained:
        assert len(given) == rows
        assert set(given) <= set(weights)
    assert all(weight is not None and len(weight) == 30 for weight in scored)
    np.testing.assert_array_equal(trained[-1][2], weights)  # the refit


@pytest.mark.parametrize("kind", ["random", "bayes"])
def test_weighted_scores_are_scikit_learns(kind: str) -> None:
    search = make(kind).fit(X, y, sample_weight=weights)
    oracle = exhaustive(search, search.cv_results_["params"]).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(splits(search.cv_results_), splits(oracle.cv_results_))
    np.testing.assert_array_equal(search.best_estimator_.coef_, oracle.best_estimator_.coef_)
    unweighted = make(kind).fit(X, y)
    assert (splits(search.cv_results_) != splits(unweighted.cv_results_)).any()


@pytest.mark.parametrize("kind", CLASSES)
def test_a_scorer_without_weights_is_warned_about(kind: str) -> None:
    def blind(estimator: Any, X: Any, y: Any) -> float:
        return 1.0

    with pytest.warns(UserWarning, match="does not support sample_weight") as caught:
        make(kind, scoring=blind).fit(X, y, sample_weight=weights)
    assert len(caught) == 1


@pytest.mark.parametrize("kind", ["epochs", "max_iter"])
def test_weights_of_a_rung_belong_to_its_rows(kind: str) -> None:
    """Rows of weight zero may hold any label: the model must not see them."""
    poisoned = y.copy()
    rng = np.random.default_rng(1)
    zero = rng.random(len(y)) < 0.3
    poisoned[zero] = (y[zero] + 1) % 3
    weight = np.where(zero, 0.0, 1.0)
    forest = RandomForestClassifier(n_estimators=5, bootstrap=False, random_state=0)
    estimator, space = (
        (sgd(shuffle=False), {"alpha": [1e-4, 1e-3, 1e-2]})
        if kind != "max_iter"
        else (forest, {"max_depth": [2, 3]})
    )
    options: dict[str, Any] = {"resource": "n_estimators"} if kind == "max_iter" else {}
    folds = [(np.arange(60), np.arange(60, 90)), (np.arange(30, 90), np.arange(30))]
    one, other = (
        make(kind, estimator, space, cv=folds, **options).fit(X, labels, sample_weight=weight)
        for labels in (y, poisoned)
    )
    np.testing.assert_array_equal(splits(one.cv_results_), splits(other.cv_results_))


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_routed_metadata_scores_as_in_scikit_learn(kind: str) -> None:
    estimator = sgd().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight="test_weight")
    cv = GroupKFold(3)  # requests groups by itself
    given = {"sample_weight": weights, "test_weight": weights[::-1].copy(), "groups": groups}
    search = make(kind, estimator, cv=cv, scoring=scorer).fit(X, y, **given)
    oracle = exhaustive(search, search.cv_results_["params"]).fit(X, y, **given)
    top = slice(None)
    if kind == "samples":
        resources = search.cv_results_["n_resources"]
        top = resources == resources.max()
    np.testing.assert_array_equal(
        splits(search.cv_results_)[top], splits(oracle.cv_results_)[top]
    )
    best = search.best_params_
    alone = sgd(**best).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(search.best_estimator_.coef_, alone.coef_)
    assert search.score(X, y, test_weight=weights) == accuracy_score(
        y, alone.predict(X), sample_weight=weights
    )


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", ["random", "bayes", "epochs"])
def test_routing_through_a_pipeline(kind: str) -> None:
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=True),
        sgd()
        .set_fit_request(sample_weight=True)
        .set_partial_fit_request(sample_weight=True, classes=True),
    )
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=False)
    space = {"sgdclassifier__alpha": [1e-4, 1e-3, 1e-2], "sgdclassifier__penalty": ["l1", "l2"]}
    search = make(kind, pipeline, space, scoring=scorer).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(
        search.best_estimator_[0].mean_, StandardScaler().fit(X, sample_weight=weights).mean_
    )
    unweighted = make(kind, pipeline, space, scoring=scorer).fit(X, y)
    assert (splits(search.cv_results_) != splits(unweighted.cv_results_)).any()
    if kind != "epochs":
        oracle = exhaustive(search, search.cv_results_["params"])
        oracle.fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(splits(search.cv_results_), splits(oracle.cv_results_))


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", CLASSES)
def test_metadata_that_nobody_asked_for(kind: str) -> None:
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        make(kind).fit(X, y, sample_weight=weights)
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        make(kind).plan(X, y, sample_weight=weights)
    with pytest.raises(TypeError, match="unexpected argument"):
        make(kind).fit(X, y, nonsense=weights)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", CLASSES)
def test_a_search_passes_metadata_on_when_nested(kind: str) -> None:
    inner = make(
        kind,
        sgd().set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
        cv=GroupKFold(2),
    )
    outer = cross_validate(
        inner, X, y, cv=GroupKFold(3), params={"groups": groups, "sample_weight": weights}
    )
    assert np.isfinite(outer["test_score"]).all()


SEARCHES: list[dict[str, Any]] = [
    {
        "metaestimator": cls,
        "estimator_name": "estimator",
        "estimator": "classifier",
        "init_args": {"param_distributions": {"alpha": [0.1, 0.2]}, **args},
        "X": theirs.X,
        "y": theirs.y,
        "estimator_routing_methods": ["fit"],
        "preserves_metadata": "subset",
        "scorer_name": "scoring",
        "scorer_routing_methods": ["fit", "score"],
        "cv_name": "cv",
        "cv_routing_methods": ["fit"],
    }
    for cls, args in [
        (RandomSearchCV, {"n_iter": 2}),
        (BayesSearchCV, {"n_iter": 2}),
        (HalvingHyperbandSearchCV, {"resource": "n_samples", "random_state": 0}),
    ]
]


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    "search", SEARCHES, ids=[row["metaestimator"].__name__ for row in SEARCHES]
)
@pytest.mark.parametrize(
    "check",
    [
        theirs.test_default_request,
        theirs.test_error_on_missing_requests_for_sub_estimator,
        theirs.test_setting_request_on_sub_estimator_removes_error,
        theirs.test_non_consuming_estimator_works,
        theirs.test_metadata_is_routed_correctly_to_scorer,
        theirs.test_metadata_is_routed_correctly_to_splitter,
        theirs.test_metadata_routed_to_sub_estimator_in_pipeline,
        theirs.test_metadata_routed_to_group_splitter,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_own_tests_of_routing(check: Any, search: dict[str, Any]) -> None:
    check(search)
