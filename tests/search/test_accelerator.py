"""`accelerator=`: how nets are trained changes nothing but the time."""

from __future__ import annotations

import pickle
import random
import sys
import warnings
from typing import ClassVar

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from search.searches import sgd
from sklearn.base import clone
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from sk_hpo import (
    ASHASearchCV,
    BayesSearchCV,
    BOHBSearchCV,
    HalvingHyperbandSearchCV,
    RandomSearchCV,
)

# As if this file were a notebook: workers cannot import its classes.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

_generator = np.random.default_rng(0)
X = _generator.normal(size=(60, 8)).astype(np.float32)
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int64) + (X[:, 2] > 1)
CV = KFold(3)
TOGETHER = [{"path": "together", "reason": ""}]


@pytest.fixture(autouse=True)
def _whatever_the_time(monkeypatch):
    monkeypatch.setattr("sk_hpo.evaluation.fused.probe._MAX_ONE_BY_ONE", float("inf"))
    monkeypatch.setattr("sk_hpo.evaluation.fused.together._probed", {})


class Net(nn.Module):
    def __init__(self, width=16, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 3)
        )

    def forward(self, X):
        return self.layers(X)


class Asking(Net):
    def forward(self, X):
        return super().forward(X / X.std().item())


class OfDoubles(Net):
    def forward(self, X):
        return super().forward(X.float())


def net(module=Net, **params):
    given = {
        "criterion": nn.CrossEntropyLoss,
        "max_epochs": 3,
        "lr": 0.1,
        "batch_size": 16,
        "iterator_train__shuffle": True,
        "train_split": None,
        "verbose": 0,
    }
    return NeuralNetClassifier(module, **(given | params))


SPACE = {"lr": [0.5, 0.3, 0.1, 0.03, 0.01], "module__width": [16, 32]}


def search(cls=RandomSearchCV, estimator=None, space=None, **params):
    own = {RandomSearchCV: {"n_iter": 4}, BayesSearchCV: {"n_iter": 4, "n_initial_points": 3}}
    own |= {kind: {"max_resources": 9} for kind in (HalvingHyperbandSearchCV, BOHBSearchCV)}
    own |= {ASHASearchCV: {"max_resources": 9, "n_candidates": 5}}
    return cls(
        net() if estimator is None else estimator,
        SPACE if space is None else space,
        **{"cv": CV, "random_state": 0, **own[cls], **params},
    )


def results(fitted):
    """Return `cv_results_` but for times."""
    return {
        name: np.asarray(column).tolist()
        for name, column in fitted.cv_results_.items()
        if not name.endswith("_time")
    }


def weights(fitted):
    module = getattr(fitted, "best_estimator_", fitted).module_
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def report(fitted):
    return [
        {name: entry[name] for name in ("path", "reason")}
        for entry in fitted.accelerator_report_
    ]


def assert_alike(one, other):
    assert repr(results(one)) == repr(results(other))
    assert one.best_params_ == other.best_params_
    assert weights(one) == weights(other)


@pytest.mark.parametrize(
    "cls", [RandomSearchCV, BayesSearchCV, HalvingHyperbandSearchCV, ASHASearchCV, BOHBSearchCV]
)
def test_every_search_is_the_same_by_every_path(cls):
    auto, loader, off, require = (
        search(cls, accelerator=accelerator).fit(X, y)
        for accelerator in ("auto", "loader", "off", "require")
    )
    for other in (loader, off, require):
        assert_alike(auto, other)
    assert report(auto) == report(require) == TOGETHER
    assert report(loader) == [{"path": "loader", "reason": ""}]
    assert report(off) == [{"path": "alone", "reason": ""}]


def test_report_counts_fits_and_trials():
    (entry,) = search().fit(X, y).accelerator_report_
    assert entry["n_fits"] == 4 * 3
    assert sorted(entry["trials"]) == [0, 1, 2, 3]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers(backend):
    alone = search(accelerator="off").fit(X, y)
    with parallel_config(backend=backend):
        together = search(n_jobs=2).fit(X, y)
    assert_alike(together, alone)
    if backend == "threading":
        assert report(together) == TOGETHER


SPACES = {
    "max_epochs": {"max_epochs": [1, 2, 3, 4], "lr": [0.1, 0.01]},
    "dropout": {"module__dropout": [0.0, 0.2, 0.5], "lr": [0.1, 0.01]},
    "optimizers": {"optimizer": [torch.optim.SGD, torch.optim.Adam], "lr": [0.1, 0.01]},
    "hyperparameters": {"optimizer__momentum": [0.0, 0.9], "optimizer__weight_decay": [0, 0.1]},
    "batch_size": {"batch_size": [8, 16, 64], "lr": [0.1, 0.01]},
    "callbacks": {"callbacks__schedule__gamma": [0.5, 0.9, 1.0], "lr": [0.1, 0.01]},
    "criterion": {"criterion__weight": [torch.ones(3), torch.arange(1.0, 4.0)], "lr": [0.1, 1]},
    "split": {"train_split": [None, ValidSplit(3)], "lr": [0.1, 0.01]},
}


@pytest.mark.parametrize("name", SPACES)
def test_spaces(name):
    schedule = ("schedule", LRScheduler("ExponentialLR", gamma=0.9))
    make = [search(estimator=net(callbacks=[schedule]), space=SPACES[name], accelerator=a)
            for a in ("auto", "off")]  # fmt: skip
    auto, off = (s.fit(X, y) for s in make)
    assert_alike(auto, off)
    assert report(auto) == TOGETHER


def test_early_stopping_within_a_search():
    def silent(*args):
        pass

    stopping = EarlyStopping(patience=2, sink=silent)
    estimator = net(callbacks=[stopping], train_split=ValidSplit(3), max_epochs=9)
    auto, off = (
        search(HalvingHyperbandSearchCV, estimator, accelerator=a).fit(X, y)
        for a in ("auto", "off")
    )
    assert_alike(auto, off)


@pytest.mark.parametrize("cls", [RandomSearchCV, HalvingHyperbandSearchCV])
def test_pipeline(cls):
    prefix = "neuralnetclassifier__"
    space = {prefix + name: values for name, values in SPACE.items()}
    pipeline = make_pipeline(StandardScaler(), net())
    auto, off = (search(cls, pipeline, space, accelerator=a).fit(X, y) for a in ("auto", "off"))
    assert repr(results(auto)) == repr(results(off))
    assert report(auto) == TOGETHER
    assert weights(auto.best_estimator_[-1]) == weights(off.best_estimator_[-1])


def test_winner_is_what_the_user_would_have_trained():
    fitted = search().fit(X, y)
    assert fitted.best_estimator_.iterator_train is DataLoader
    assert fitted.best_estimator_.iterator_valid is DataLoader
    assert fitted.best_estimator_.max_epochs == 3
    assert len(fitted.best_estimator_.history) == 3
    again = pickle.loads(pickle.dumps(fitted))
    assert weights(again) == weights(fitted)
    assert (again.predict(X) == fitted.predict(X)).all()


def test_search_is_fitted_anew():
    first = search().fit(X, y)
    second = clone(first).fit(X, y)
    assert second.accelerator == "auto"
    assert_alike(first, second)
    assert_alike(first.fit(X, y), second)


# -- data --------------------------------------------------------------------------------------


def read_only(X, y):
    X = X.copy()
    X.flags.writeable = False
    return X, y


FORMS = {
    "float64": (OfDoubles, lambda X, y: (X.astype(np.float64), y), "together"),
    "fortran": (Net, lambda X, y: (np.asfortranarray(X), y), "together"),
    "read_only": (Net, read_only, "together"),
    "tensors": (Net, lambda X, y: (torch.from_numpy(X), torch.from_numpy(y)), "together"),
    "series": (Net, lambda X, y: (X, pd.Series(y)), None),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_data(name):
    module, form, path = FORMS[name]
    own = form(X, y)
    auto, off = (
        search(estimator=net(module), refit=False, accelerator=a).fit(*own)
        for a in ("auto", "off")
    )
    assert repr(results(auto)) == repr(results(off))
    if path:
        assert {entry["path"] for entry in auto.accelerator_report_} == {path}


def test_rows_of_a_fold_are_there_once(monkeypatch):
    """However many candidates train together, they share their rows."""
    from sk_hpo.evaluation.fused import together

    seen = []
    inner = together.train

    def train(members):
        datasets = [member.loaders[0].dataset for member in members]
        seen.append({d.X.__array_interface__["data"][0] for d in datasets})
        return inner(members)

    monkeypatch.setattr(together, "train", train)
    search(space={"lr": SPACE["lr"]}, n_iter=5, sampler="grid", refit=False).fit(X, y)
    assert [len(addresses) for addresses in seen] == [3]


# -- surroundings ------------------------------------------------------------------------------


def test_nothing_is_left_behind():
    generators = random.getstate(), torch.get_rng_state(), np.random.get_state(legacy=False)  # noqa: NPY002
    settings = (
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )  # fmt: skip
    search().fit(X, y)
    assert random.getstate() == generators[0]
    assert torch.equal(torch.get_rng_state(), generators[1])
    assert repr(np.random.get_state(legacy=False)) == repr(generators[2])  # noqa: NPY002
    assert settings == (
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )  # fmt: skip


class Failing(Callback):
    def on_epoch_end(self, net, **kwargs):
        if net.lr == 0.3 and len(net.history) == 2:
            raise ValueError("not with this rate")


def test_candidate_that_fails():
    estimator = net(callbacks=[Failing()])
    space = {"lr": [0.5, 0.3, 0.1]}
    fitted = []
    for accelerator in ("auto", "off"):
        own = search(
            estimator=estimator, space=space, sampler="grid", n_iter=3, accelerator=accelerator
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted.append(own.fit(X, y))
        assert any("not with this rate" in str(warning.message) for warning in caught)
    assert_alike(*fitted)
    scores = fitted[0].cv_results_["mean_test_score"]
    assert np.isnan(scores).sum() == 1


def test_candidate_whose_failure_is_raised():
    make = search(estimator=net(callbacks=[Failing()]), space={"lr": [0.5, 0.3]},
                  sampler="grid", n_iter=2, error_score="raise")  # fmt: skip
    with pytest.raises(ValueError, match="not with this rate"):
        make.fit(X, y)


def test_fit_parameters_fall_back():
    class WithScale(Net):
        def forward(self, X, scale=1):
            return super().forward(X * scale)

    auto, off = (
        search(estimator=net(WithScale), accelerator=a).fit(X, y, scale=2)
        for a in ("auto", "off")
    )
    assert_alike(auto, off)
    assert report(auto) == [{"path": "loader", "reason": "fit parameters go to its forward"}]


# -- require -----------------------------------------------------------------------------------


def test_require_raises_for_a_net_that_must_be_alone():
    with pytest.raises(RuntimeError, match=r"accelerator='require'.*item\(\)"):
        search(estimator=net(Asking), accelerator="require").fit(X, y)


def test_a_single_net_is_trained_by_itself_whatever_is_required():
    one = search(cv=ShuffleSplit(1, random_state=0), n_iter=1, accelerator="require")
    assert report(one.fit(X, y)) == [{"path": "plan", "reason": "no other net is like it"}]


@pytest.mark.parametrize("resource", ["n_samples", "max_epochs"])
def test_require_raises_for_a_resource_for_which_nets_are_alone(resource):
    with pytest.raises(ValueError, match=f"'require' cannot be had with resource='{resource}'"):
        HalvingHyperbandSearchCV(net(), SPACE, accelerator="require", resource=resource).fit(
            X, y
        )


def test_a_misspelt_resource_is_named_whatever_is_required():
    with pytest.raises(ValueError, match="did you mean 'epochs'"):
        HalvingHyperbandSearchCV(net(), SPACE, accelerator="require", resource="epoch").fit(
            X, y
        )


def test_require_raises_for_what_is_no_net():
    with pytest.raises((ValueError, RuntimeError), match="require"):
        search(estimator=sgd(), space={"alpha": [1e-3, 1e-2]}, accelerator="require",
               n_iter=2).fit(X, y)  # fmt: skip


def test_unknown_accelerator():
    with pytest.raises(ValueError, match="accelerator"):
        search(accelerator="fast").fit(X, y)


def test_report_of_what_is_no_net():
    fitted = search(estimator=sgd(), space={"alpha": [1e-3, 1e-2]}, n_iter=2).fit(X, y)
    assert report(fitted) == [{"path": "alone", "reason": ""}]


class Noting(Callback):
    """Notes when a training begins and ends."""

    notes: ClassVar[list[str]] = []

    def on_train_begin(self, net, **kwargs):
        self.notes.append("begin")

    def on_train_end(self, net, **kwargs):
        self.notes.append("end")


class OwnStep(NeuralNetClassifier):
    def train_step(self, batch, **fit_params):
        return super().train_step(batch, **fit_params)


@pytest.mark.parametrize(("kind", "alone"), [(NeuralNetClassifier, False), (OwnStep, True)])
def test_nets_that_train_alone_are_not_in_memory_together(kind, alone):
    Noting.notes.clear()
    made = kind(**net(callbacks=[Noting()]).get_params(deep=False))
    fitted = search(estimator=made, space={"lr": SPACE["lr"]}, refit=False).fit(X, y)
    n_fits = sum(row["n_fits"] for row in fitted.accelerator_report_)
    one_by_one = ["begin", "end"] * n_fits
    together = ["begin"] * n_fits + ["end"] * n_fits
    assert Noting.notes == (one_by_one if alone else together)
