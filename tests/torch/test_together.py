"""All spaces, one net, real searches."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from skorch import NeuralNetClassifier
from torch import nn

import sk_hpo.torch
from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, Space
from sk_hpo.torch import (
    MLP,
    Schedule,
    TensorLoader,
    mlp_space,
    optimizer_space,
    schedule_space,
    without_conditions,
)
from sk_hpo.torch.optimizers import OPTIMIZERS

SPACE = {**mlp_space(64, 10, max_units=64), **optimizer_space(), **schedule_space()}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    images = (X / 16).astype(np.float32).reshape(-1, 8, 8)
    return train_test_split(images, y, test_size=0.25, random_state=0, stratify=y)


def net(**params):
    params = {
        "callbacks": [("schedule", Schedule())],
        "iterator_train": TensorLoader,
        "iterator_valid": TensorLoader,
        "iterator_train__shuffle": True,
        "batch_size": 32,
        "train_split": None,
        "verbose": 0,
    } | params
    return NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss, **params)


def test_hyperband_finds_a_good_net(digits):
    X, X_test, y, y_test = digits
    search = HalvingHyperbandSearchCV(
        net(), SPACE, max_resources=9, resource="epochs", cv=2, random_state=0
    )
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).mean() > 0.9
    assert search.best_score_ > 0.95
    assert search.score(X_test, y_test) > 0.95
    best = search.best_estimator_
    kind = search.best_params_["callbacks__schedule__kind"]
    if kind != "performance":
        names = ("start", "peak", "final", "n_drops")
        found = {n: search.best_params_.get(f"callbacks__schedule__{n}") for n in names}
        schedule = Schedule(kind, **{n: v for n, v in found.items() if v is not None})
        own = search.best_params_.get("lr", search.best_params_.get("optimizer__lr"))
        assert best.history[:, "event_lr"] == schedule.simulate(9, own).tolist()


def test_no_config_has_a_parameter_of_another():
    space = Space(SPACE)
    rng = np.random.default_rng(0)
    for _ in range(200):
        params = space.params(space.sample(rng))
        optimizers = optimizer_space(
            [name for name, made in OPTIMIZERS.items() if made is params["optimizer"]]
        )
        schedules = schedule_space(kinds=[params["callbacks__schedule__kind"]])
        assert set(params) == {*mlp_space(64, 10), *optimizers, *schedules}


def test_a_model_of_the_space_can_be_made(digits):
    X, _, y, _ = digits
    search = BayesSearchCV(
        net(max_epochs=2), SPACE, n_iter=14, cv=2, random_state=0, refit=False
    )
    search.fit(X[:200], y[:200])
    assert "model" in search.cv_results_["suggested_by"]


def test_random_search_of_scikit_learn(digits):
    X, _, y, _ = digits
    dicts = without_conditions(SPACE)
    assert len(dicts) == 9 * 8
    search = RandomizedSearchCV(
        net(max_epochs=1), dicts, n_iter=6, cv=2, random_state=0, refit=False
    )
    search.fit(X[:200], y[:200])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_package_does_not_load_torch_and_this_room_does():
    code = "import sys, sk_hpo; assert 'torch' not in sys.modules; import sk_hpo.torch"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    assert all(hasattr(sk_hpo.torch, name) for name in sk_hpo.torch.__all__)
