"""Section "Resources": nothing is trained twice, and pausing changes nothing."""

from __future__ import annotations

import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from contracts.recording import (
    CV,
    LR,
    SEED,
    Recorder,
    RecordingSGD,
    RecordingTransformer,
    X,
    by_model,
    halving,
    hyperband,
    net,
    read,
    y,
)
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LRScheduler
from skorch.dataset import ValidSplit
from torch.optim import lr_scheduler as schedules

from sk_hpo.evaluation import fold as folds
from sk_hpo.evaluation.rng import seeded
from sk_hpo.execution.base import Done, Executor

pytestmark = pytest.mark.usefixtures("temporary")


class Forking(Executor):
    """Runs every call in a process of its own."""

    def share(self, context):
        self.context, self.queue = context, []

    def submit(self, key, function, *args, limit=None):
        self.queue.append((key, function, args))

    def cancel(self):
        return []

    def wait(self):
        key, function, args = self.queue.pop(0)
        reader, writer = os.pipe()
        with warnings.catch_warnings(action="ignore"):  # loky's threads may be about
            pid = os.fork()
        if not pid:
            try:
                os.close(reader)
                result = pickle.dumps(function(self.context, *args))
                with os.fdopen(writer, "wb") as file:
                    file.write(result)
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            value = file.read()
        os.waitpid(pid, 0)
        return [Done(key, pickle.loads(value))]

    def close(self):
        self.queue = []


@pytest.fixture
def forking(monkeypatch):
    monkeypatch.setattr("sk_hpo.search.running.make_executor", lambda *_, **__: Forking())


def splits(search, row):
    return [search.cv_results_[f"split{i}_test_score"][row] for i in range(search.n_splits_)]


def seed_of(search_seed, trial, fold):
    problem = int(np.random.RandomState(search_seed).randint(np.iinfo(np.int32).max))
    return folds._seed(problem, trial, fold)


def reached(search):
    """Return {trial: resource it was brought to}."""
    return {trial.id: trial.resource for trial in search.history_}


# -- nothing is trained twice --------------------------------------------------------------


def trained_once(search, log, candidate):
    """Assert that each fold model had epochs 1, 2, ... up to where its trial got."""
    models = by_model(log)
    expected = {
        (trial.config[0], tuple(sorted(train))): list(range(1, trial.resource + 1))
        for trial in search.history_
        for train, _ in CV.split(X, y)
    }
    assert models == expected
    assert search.resource_spent_ == search.plan(X, y).cost == len(read(log))
    values = [params[candidate] for params in search.cv_results_["params"]]
    assert {value for value, _ in models} == set(values)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_epoch_of_every_net_is_trained_once(log, n_jobs):
    search = hyperband(net(callbacks=[Recorder(log)]), refit=False, n_jobs=n_jobs).fit(X, y)
    trained_once(search, log, "lr")
    assert set(reached(search).values()) == {1, 3, 9}
    pids = {record["pid"] for record in read(log)}
    assert (pids == {os.getpid()}) == (n_jobs == 1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_epoch_of_sgd_is_trained_once(log, n_jobs):
    space = {"alpha": loguniform(1e-6, 1)}
    search = hyperband(RecordingSGD(log), space, refit=False, n_jobs=n_jobs).fit(X, y)
    trained_once(search, log, "alpha")


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", ["net", "sgd"])
def test_transformers_of_a_pipeline_are_fitted_once_on_the_training_rows(log, n_jobs, kind):
    last = net(callbacks=[Recorder(log)]) if kind == "net" else RecordingSGD(log)
    name = {"net": "neuralnetclassifier__lr", "sgd": "recordingsgd__alpha"}[kind]
    pipeline = make_pipeline(RecordingTransformer(log), last)
    space = {name: loguniform(1e-4, 0.1), "recordingtransformer__tag": uniform(0, 1)}
    search = hyperband(pipeline, space, refit=False, n_jobs=n_jobs).fit(X, y)
    train_rows = [tuple(sorted(train)) for train, _ in CV.split(X, y)]
    tags = [trial.config[1] for trial in search.history_]
    assert by_model(log, "transformer") == {(t, r): [1] for t in tags for r in train_rows}
    epochs = by_model(log)
    assert epochs == {
        (trial.config[0], r): list(range(1, trial.resource + 1))
        for trial in search.history_
        for r in train_rows
    }
    assert search.resource_spent_ == search.plan(X, y).cost == sum(map(len, epochs.values()))


def test_trees_are_grown_once(monkeypatch):
    grown = []
    fit = RandomForestClassifier.fit

    def counting(self, *args, **kwargs):
        before = len(getattr(self, "estimators_", ()))
        fit(self, *args, **kwargs)
        grown.append(len(self.estimators_) - before)
        return self

    monkeypatch.setattr(RandomForestClassifier, "fit", counting)
    search = hyperband(
        RandomForestClassifier(),
        {"max_features": uniform(0.2, 0.7)},
        resource="n_estimators",
        refit=False,
    ).fit(X, y)
    assert sum(grown) == search.resource_spent_ == search.plan(X, y).cost


def early(model, X, y):
    """Prefer those that stop."""
    return -len(model.history) - dict(model.callbacks_)["stop"].at


class StopAt(Callback):
    """Ends the training as EarlyStopping does."""

    def __init__(self, at=99):
        self.at = at

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_stopped_candidate_keeps_its_score_and_costs_no_more(log, n_jobs):
    estimator = net(callbacks=[("recorder", Recorder(log)), ("stop", StopAt())])
    space = {**LR, "callbacks__stop__at": [2, 99]}
    search = halving(estimator, space, scoring=early, refit=False, n_jobs=n_jobs).fit(X, y)
    results = search.cv_results_
    stops = np.flatnonzero(results["param_callbacks__stop__at"] == 2)
    stopped = {results["trial"][row]: results["params"][row]["lr"] for row in stops}
    top = results["trial"][results["n_resources"] == 9]
    assert set(top) <= set(stopped)
    for (candidate, _), epochs in by_model(log).items():
        if candidate in stopped.values():
            assert epochs in ([1], [1, 2])  # [1]: it did not leave the lowest rung
    for row in np.flatnonzero(np.isin(results["trial"], top)):
        assert splits(search, row) == [-min(2, results["n_resources"][row]) - 2] * 2
    assert search.resource_spent_ == len(read(log)) < search.plan(X, y).cost
    assert results["mean_fit_time"][results["n_resources"] == 9] == 0


class FailAt(Callback):
    def __init__(self, at):
        self.at = at

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.at and net.lr < 0.02:
            raise FloatingPointError("diverged")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of scores that are not finite
def test_what_a_failed_candidate_spent_is_counted(log):
    estimator = net(callbacks=[Recorder(log), FailAt(2)])
    with pytest.warns(FitFailedWarning):
        search = hyperband(estimator, refit=False, error_score=np.nan).fit(X, y)
    assert any(trial.outcome.failure for trial in search.history_)
    assert search.resource_spent_ == len(read(log)) < search.plan(X, y).cost


# -- pausing changes nothing ---------------------------------------------------------------

STEPS = 9 * 2  # of 30 training rows in batches of 16

NETS = {
    "adam": net(optimizer=torch.optim.Adam),
    "momentum": net(optimizer__momentum=0.9, optimizer__weight_decay=1e-3),
    "step": net(callbacks=[LRScheduler(schedules.StepLR, step_size=2, gamma=0.5)]),
    "cosine": net(callbacks=[LRScheduler(schedules.CosineAnnealingLR, T_max=9)]),
    "one_cycle": net(
        optimizer__momentum=0.9,
        callbacks=[
            LRScheduler(schedules.OneCycleLR, max_lr=0.2, total_steps=STEPS, step_every="batch")
        ],
    ),
    "plateau": net(
        train_split=ValidSplit(3),
        callbacks=[LRScheduler(schedules.ReduceLROnPlateau, patience=0, threshold=0.05)],
    ),
    "early": net(
        train_split=ValidSplit(3),
        callbacks=[EarlyStopping(patience=2, threshold=0.02, load_best=True)],
    ),
    "checkpoint": net(
        train_split=ValidSplit(3), callbacks=[Checkpoint(load_best=True, dirname="user")]
    ),
    "random_split": net(train_split=ValidSplit(ShuffleSplit(1, test_size=0.3))),
}


def straight(search, trial, fold, params, resource):
    """Return the score of a net that skorch trained at once."""
    train, test = list(CV.split(X, y))[fold]
    model = clone(search.estimator).set_params(**params, max_epochs=resource)
    with seeded(seed_of(SEED, trial, fold)):
        model.fit(X[train], y[train])
    return float(model.score(X[test], y[test])), float(loss(model, X[test], y[test]))


def loss(model, X, y):
    """Return a score that no two models share."""
    return -float(torch.nn.functional.nll_loss(
        torch.from_numpy(np.log(model.predict_proba(X).astype(np.float64))),
        torch.from_numpy(y),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "how"), [*((name, "forking") for name in NETS), ("one_cycle", "loky")]
)
def test_a_paused_net_scores_as_one_trained_at_once(name, how, request):
    if how == "forking":
        request.getfixturevalue("forking")
    scoring = {"score": "accuracy", "loss": loss}
    search = halving(NETS[name], scoring=scoring, refit=False, n_jobs=2).fit(X, y)
    results = search.cv_results_
    top = np.flatnonzero(results["n_resources"] == 9)
    assert len(top) == 1
    for row in np.flatnonzero(results["trial"] == results["trial"][top[0]]):
        trial, resource = int(results["trial"][row]), int(results["n_resources"][row])
        if resource < 9 and name in ("one_cycle", "checkpoint", "early", "plateau"):
            continue  # a net with max_epochs=3 may differ in what depends on max_epochs
        for fold in range(2):
            found = [results[f"split{fold}_test_{m}"][row] for m in scoring]
            params = results["params"][row]
            assert tuple(found) == straight(search, trial, fold, params, resource)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("scaled", [False, True])
def test_paused_sgd_scores_as_a_loop_of_partial_fit(n_jobs, scaled):
    estimator = SGDClassifier(loss="log_loss", learning_rate="adaptive", eta0=0.1)
    name = "alpha"
    if scaled:
        estimator, name = make_pipeline(StandardScaler(), estimator), "sgdclassifier__alpha"
    space = {name: loguniform(1e-6, 1)}
    search = hyperband(
        estimator, space, scoring="neg_log_loss", refit=False, n_jobs=n_jobs
    ).fit(X, y)
    for row, params in enumerate(search.cv_results_["params"]):
        trial = int(search.cv_results_["trial"][row])
        for fold, (train, test) in enumerate(CV.split(X, y)):
            model = folds._seeded_clone(estimator, params, seed_of(SEED, trial, fold))
            last, X_train, X_test = model, X[train], X[test]
            if scaled:
                scaler, last = StandardScaler().fit(X_train), model[-1]
                X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
            last.set_params(random_state=np.random.RandomState(last.random_state))
            for _ in range(search.cv_results_["n_resources"][row]):
                last.partial_fit(X_train, y[train], classes=[0, 1, 2])
            p = last.predict_proba(X_test)
            assert splits(search, row)[fold] == -log_loss(y[test], p, labels=[0, 1, 2])


def test_paused_forest_is_the_forest():
    space = {"max_features": uniform(0.2, 0.7)}
    search = hyperband(
        RandomForestClassifier(), space, resource="n_estimators", scoring="neg_log_loss"
    ).fit(X, y)
    for row, params in enumerate(search.cv_results_["params"]):
        trial = int(search.cv_results_["trial"][row])
        assert params["n_estimators"] == search.cv_results_["n_resources"][row]
        for fold, (train, test) in enumerate(CV.split(X, y)):
            seed = seed_of(SEED, trial, fold)
            model = folds._seeded_clone(RandomForestClassifier(), params, seed)
            model.fit(X[train], y[train])
            assert splits(search, row)[fold] == search.scorer_(model, X[test], y[test])
