from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import RandomSearchCV, Space
from sk_hpo.torch import MLP, nesterov, optimizer_space, sgd_momentum, without_conditions
from sk_hpo.torch.optimizers import OPTIMIZERS

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
y = (X[:, 0] > 0).astype(np.int64)


def net(**params):
    return NeuralNetClassifier(
        MLP, criterion=nn.CrossEntropyLoss, module__n_features=4, module__n_outputs=2,
        module__hidden_units=4, max_epochs=1, verbose=0, **params,
    )  # fmt: skip


def configs(space, n=400):
    space = Space(space)
    rng = np.random.default_rng(0)
    return [space.params(space.sample(rng)) for _ in range(n)]


# Written out by hand: what a search over each of them may set.
OWN = {
    "sgd": {"lr", "weight_decay"},
    "momentum": {"lr", "momentum", "weight_decay"},
    "nesterov": {"lr", "momentum", "weight_decay"},
    "adagrad": {"lr", "eps"},
    "rmsprop": {"lr", "alpha", "eps"},
    "adam": {"lr", "betas", "eps"},
    "adamax": {"lr", "betas", "eps"},
    "nadam": {"lr", "betas", "eps"},
    "adamw": {"lr", "betas", "eps", "weight_decay"},
}
TORCHS = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "nesterov": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "adamw": torch.optim.AdamW,
}


def test_every_optimizer_has_its_own_parameters_and_no_other():
    seen = {}
    for params in configs(optimizer_space()):
        optimizer = params.pop("optimizer")
        name = next(n for n, value in OPTIMIZERS.items() if value is optimizer)
        assert len(params) == len(OWN[name])
        seen[name] = {parameter.removeprefix("optimizer__") for parameter in params}
    assert seen == OWN


@pytest.mark.parametrize("name", OWN)
def test_each_reaches_torch(name):
    for params in configs(optimizer_space([name]), n=5):
        trained = clone(net()).set_params(**clone(params, safe=False)).fit(X, y)
        optimizer = trained.optimizer_
        assert type(optimizer) is TORCHS[name]
        (group,) = optimizer.param_groups
        for parameter, value in params.items():
            if parameter != "optimizer":
                assert group[parameter.removeprefix("optimizer__")] == value
        if TORCHS[name] is torch.optim.SGD:
            assert group["nesterov"] == (name == "nesterov")
            assert (group["momentum"] > 0) == (name != "sgd")


def test_the_choice_is_even():
    chosen = [params["optimizer"] for params in configs(optimizer_space(), n=1800)]
    counts = [chosen.count(optimizer) for optimizer in OPTIMIZERS.values()]
    assert min(counts) > 150
    assert sum(counts) == 1800


def test_ranges():
    drawn = configs(optimizer_space(), n=3000)
    for name, low, high in (
        ("lr", 1e-3, 1),
        ("optimizer__lr", 1e-4, 3e-2),
        ("optimizer__momentum", 0.5, 0.99),
        ("optimizer__weight_decay", 1e-6, 0.1),
        ("optimizer__eps", 1e-10, 1e-3),
        ("optimizer__alpha", 0.9, 0.999),
    ):
        values = np.array([params[name] for params in drawn if name in params])
        assert low <= values.min() < values.max() <= high
        minus = 1 - values if name in ("optimizer__momentum", "optimizer__alpha") else values
        ends = (1 - low, 1 - high) if minus is not values else (low, high)
        assert np.median(minus) == pytest.approx(np.sqrt(np.prod(ends)), rel=0.35)


def test_a_choice_of_optimizers():
    space = optimizer_space(("adam", "sgd"))
    assert space["optimizer"] == [torch.optim.Adam, torch.optim.SGD]
    assert "optimizer__momentum" not in space
    assert "optimizer__alpha" not in space


@pytest.mark.parametrize("names", [[], ["adam", "adamx"]])
def test_unknown(names):
    with pytest.raises(ValueError, match="optimizers must be some of"):
        optimizer_space(names)


def test_functions_are_pickled_by_name():
    for function in (nesterov, sgd_momentum):
        assert pickle.loads(pickle.dumps(function)) is function


def test_our_searches_take_it():
    search = RandomSearchCV(net(), optimizer_space(), n_iter=12, cv=2, random_state=0)
    search.fit(X, y)
    results = search.cv_results_
    assert np.isfinite(results["mean_test_score"]).all()
    for params in results["params"]:
        name = next(n for n, value in OPTIMIZERS.items() if value is params["optimizer"])
        assert len(params) == 1 + len(OWN[name])


def test_so_do_scikit_learns():
    dicts = without_conditions(optimizer_space())
    assert len(dicts) == len(OWN)
    search = RandomizedSearchCV(net(), dicts, n_iter=12, cv=2, random_state=0)
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_in_a_pipeline():
    pipeline = make_pipeline(FunctionTransformer(), net())
    space = optimizer_space(prefix="neuralnetclassifier__")
    search = RandomSearchCV(pipeline, space, n_iter=4, cv=2, random_state=0).fit(X, y)
    optimizer = search.best_params_["neuralnetclassifier__optimizer"]
    assert search.best_estimator_[-1].optimizer is optimizer
