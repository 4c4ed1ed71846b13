"""What a search refuses because its resource would not mean the same for all candidates."""

from __future__ import annotations

import numpy as np
import pytest
from contracts.nets import X, net, y
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from sk_hpo import HalvingHyperbandSearchCV


def search(estimator, space, **params):
    return HalvingHyperbandSearchCV(
        estimator, space, max_resources=4, cv=KFold(2), scoring="accuracy", **params
    )


def test_the_resource_is_that_of_the_searched_last_step():
    pipeline = Pipeline([("model", SGDClassifier())])
    halving = search(pipeline, {"model": [net(), net(lr=0.1)]}, random_state=0).fit(X, y)
    assert len(halving.best_estimator_["model"].history) == 4  # and not 2 an epoch
    assert halving.resource_spent_ == halving.plan(X, y).cost
    placeholder = Pipeline([("model", "passthrough")])
    again = search(placeholder, {"model": [net(), net(lr=0.1)]}, random_state=0).fit(X, y)
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], halving.cv_results_["mean_test_score"]
    )


def test_steps_that_train_in_different_ways_are_refused():
    halving = search(Pipeline([("model", net())]), {"model": [net(), SGDClassifier()]})
    with pytest.raises(ValueError, match="candidates for the step 'model' do not all train"):
        halving.plan(X, y)


def test_a_net_inside_a_meta_estimator_cannot_go_on():
    with pytest.raises(ValueError, match="the skorch net in it begins a new training"):
        search(OneVsRestClassifier(net()), {"estimator__lr": [0.1, 0.2]}).fit(X, y)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (net(), "max_epochs"),
        (SGDClassifier(), "max_iter"),
        (Pipeline([("model", net())]), "model__max_epochs"),
    ],
)
def test_what_the_resource_overrides_cannot_be_searched(estimator, name):
    with pytest.raises(ValueError, match=f"'{name}' is set by the resource 'epochs'"):
        search(estimator, {name: [1, 2, 3]}).fit(X, y)


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
def test_candidates_that_start_again_cost_all_of_it():
    halving = search(
        LogisticRegression(max_iter=4),
        {"solver": ["liblinear"], "C": loguniform(0.1, 1)},
        resource="max_iter",
        factor=2,
        brackets=1,
        random_state=0,
    ).fit(X, y)
    # 4 to 1, 2 of them again to 2, one again to 4; on 2 folds.
    assert halving.n_candidates_ == [4, 2, 1]
    assert halving.resource_spent_ == 2 * (4 * 1 + 2 * 2 + 1 * 4)


def test_masks_are_folds_too():
    folds = [(np.arange(60) % 2 == i, np.arange(60) % 2 != i) for i in range(2)]
    given = {"resource": "n_samples", "random_state": 0}
    masks = HalvingHyperbandSearchCV(SGDClassifier(), {"alpha": [1e-3]}, cv=folds, **given)
    rows = [tuple(map(np.flatnonzero, fold)) for fold in folds]
    numbers = HalvingHyperbandSearchCV(SGDClassifier(), {"alpha": [1e-3]}, cv=rows, **given)
    assert masks.fit(X, y).n_resources_[-1] == 30
    assert numbers.fit(X, y).cv_results_["mean_test_score"].tolist() == (
        masks.cv_results_["mean_test_score"].tolist()
    )


def test_a_plan_uses_nothing_up():
    state = np.random.RandomState(3)
    halving = search(SGDClassifier(), {"alpha": loguniform(1e-4, 1)}, random_state=state)
    before = state.get_state()[2]
    halving.plan(X, y)
    assert state.get_state()[2] == before
    halving.set_params(cv=iter([(np.arange(30), np.arange(30, 60))]))
    with pytest.raises(ValueError, match="cv is an iterator"):
        halving.plan(X, y)
