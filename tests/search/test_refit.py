"""The refit trains on everything, for the resource that was selected."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from contracts.recording import (
    LR,
    SEED,
    Net,
    Recorder,
    X,
    by_model,
    halving,
    hyperband,
    net,
    read,
    write,
    y,
)
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint

from sk_hpo.evaluation import fold as folds
from sk_hpo.evaluation.rng import seeded

pytestmark = pytest.mark.usefixtures("temporary")


def seed_of(search_seed, trial, fold):
    problem = int(np.random.RandomState(search_seed).randint(np.iinfo(np.int32).max))
    return folds._seed(problem, trial, fold)


def test_refit_of_a_net_trains_on_everything_for_the_selected_resource(log):
    estimator = net(callbacks=[Recorder(log)])
    search = hyperband(estimator).fit(X, y)
    assert search.cv_results_["n_resources"][search.best_index_] == 9
    assert [len(search.best_estimator_.history)] == [9]
    whole = {key: v for key, v in by_model(log).items() if len(key[1]) == len(X)}
    assert whole == {(search.best_params_["lr"], tuple(range(60))): list(range(1, 10))}
    again = clone(estimator).set_params(**search.best_params_, max_epochs=9)
    with seeded(seed_of(SEED, int(search.cv_results_["trial"][search.best_index_]), 2)):
        again.fit(X, y)
    assert np.array_equal(again.predict_proba(X), search.predict_proba(X))
    assert isinstance(again.module_, Net)


def test_refit_of_sgd_and_of_a_pipeline():
    space = {"sgdclassifier__alpha": loguniform(1e-6, 1)}
    pipeline = make_pipeline(StandardScaler(), SGDClassifier(random_state=0))
    search = hyperband(pipeline, space).fit(X, y)
    last = search.best_estimator_[-1]
    assert last.t_ == 9 * len(X) + 1
    assert last.random_state == 0
    scaler = StandardScaler().fit(X)
    assert np.array_equal(search.best_estimator_[0].mean_, scaler.mean_)
    again = clone(pipeline).set_params(**search.best_params_)[-1]
    again.set_params(random_state=np.random.RandomState(0))
    for _ in range(9):
        again.partial_fit(scaler.transform(X), y, classes=[0, 1, 2])
    assert np.array_equal(again.coef_, last.coef_)


def test_refit_of_a_forest_is_the_forest():
    space = {"max_features": uniform(0.2, 0.7)}
    forest = RandomForestClassifier(random_state=0)
    search = hyperband(forest, space, resource="n_estimators").fit(X, y)
    assert len(search.best_estimator_.estimators_) == search.best_params_["n_estimators"] == 9
    again = clone(forest).set_params(**search.best_params_).fit(X, y)
    assert np.array_equal(again.predict_proba(X), search.predict_proba(X))
    assert search.best_estimator_.get_params() == again.get_params()


class WatchedCheckpoint(Checkpoint):
    def save_model(self, net):
        write(os.environ["WATCH"], dirname=str(self.dirname))
        super().save_model(net)


@pytest.mark.parametrize("piped", [False, True])
def test_checkpoints_go_to_the_users_folder_in_the_refit_only(
    log, temporary, monkeypatch, piped
):
    monkeypatch.setenv("WATCH", log)
    estimator = net(callbacks=[WatchedCheckpoint(monitor=None, dirname="user")])
    space = LR
    if piped:
        estimator = make_pipeline(StandardScaler(), estimator)
        space = {"neuralnetclassifier__lr": LR["lr"]}
    search = halving(estimator, space, refit=False).fit(X, y)
    written = [record["dirname"] for record in read(log)]
    assert len(written) == search.plan(X, y).cost
    assert all(str(temporary) in dirname for dirname in written)
    assert not Path("user").exists()
    search.set_params(refit=True).fit(X, y)
    written = [record["dirname"] for record in read(log)][len(written) :]
    assert written[-9:] == ["user"] * 9
    assert "user" not in written[:-9]
    assert {path.name for path in Path("user").iterdir()} >= {"params.pt", "optimizer.pt"}
    assert list(temporary.iterdir()) == []
