"""Devices with names that are not there: the parameter is what counts."""

from __future__ import annotations

import json
import os
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV
from sk_hpo.evaluation.devices import has_device, move, place
from sk_hpo.evaluation.resources import Model

X, y = make_classification(60, 5, random_state=0)


class OnDevice(ClassifierMixin, BaseEstimator):
    """Notes where it trains and when."""

    def __init__(self, alpha=1.0, device="own", log=None):
        self.alpha = alpha
        self.device = device
        self.log = log

    def fit(self, X, y):
        begin = time.monotonic()
        time.sleep(0.02)
        line = json.dumps([self.device, begin, time.monotonic()]) + "\n"
        fd = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, line.encode())
        os.close(fd)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def search(log, **params):
    space = {"alpha": [1, 2, 3, 4, 5, 6]}
    given = {"n_iter": 6, "cv": 2, "random_state": 0}
    return RandomSearchCV(OnDevice(log=str(log)), space, **(given | params))


def noted(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_fit_that_is_running_has_a_device_of_its_own(tmp_path, n_jobs):
    log = tmp_path / "log"
    search(log, devices=["fake:0", "fake:1"], n_jobs=n_jobs).fit(X, y)
    *fits, (refit, _, _) = noted(log)
    assert refit == "fake:0"
    assert len(fits) == 12
    assert {device for device, _, _ in fits} <= {"fake:0", "fake:1"}
    if n_jobs == 2:
        assert {device for device, _, _ in fits} == {"fake:0", "fake:1"}
    for name in ("fake:0", "fake:1"):
        times = sorted((begin, end) for device, begin, end in fits if device == name)
        for (_, end), (begin, _) in pairwise(times):
            assert end <= begin


def test_without_devices_it_is_the_estimators_own(tmp_path):
    search(tmp_path / "log").fit(X, y)
    assert {device for device, _, _ in noted(tmp_path / "log")} == {"own"}


def test_a_device_needs_a_parameter_for_it():
    with pytest.raises(ValueError, match=r"parameter 'device'.*StandardScaler has none"):
        RandomSearchCV(StandardScaler(), {"with_mean": [True, False]}, devices=["a"]).fit(X, y)
    with pytest.raises(ValueError, match="at least one device"):
        search("log", devices=[]).fit(X, y)


def test_devices_within_a_pipeline():
    pipe = make_pipeline(StandardScaler(), OnDevice())
    assert has_device(pipe)
    place(pipe, "fake:3")
    assert pipe[-1].device == "fake:3"
    place(pipe, None)
    assert pipe[-1].device == "fake:3"
    assert not has_device(make_pipeline(StandardScaler()))


def net():
    return NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=5,
        module__out_features=2,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        max_epochs=3,
        verbose=0,
    )


def test_a_net_in_training_is_moved_with_its_optimizer():
    trained = net().fit(X.astype(np.float32), y)
    move(Model(trained), "meta")  # the one other device that every torch has
    assert trained.device == "meta"
    assert {p.device.type for p in trained.module_.parameters()} == {"meta"}
    moved = [
        (key, value.device.type)
        for state in trained.optimizer_.state.values()
        for key, value in state.items()
    ]
    assert {device for key, device in moved if key != "step"} == {"meta"}
    assert {device for key, device in moved if key == "step"} == {"cpu"}


def test_a_search_over_nets_on_named_devices_is_the_same():
    def fit(**params):
        return HalvingHyperbandSearchCV(
            net(), {"lr": [0.1, 0.01, 0.001, 0.3]}, max_resources=4, factor=2, cv=2,
            random_state=0, **params,
        ).fit(X.astype(np.float32), y)  # fmt: skip

    plain, placed = fit(), fit(devices=["cpu:0"])
    for name in ("mean_test_score", "rank_test_score", "param_lr"):
        np.testing.assert_array_equal(plain.cv_results_[name], placed.cv_results_[name])
    assert placed.best_estimator_.device == "cpu:0"
