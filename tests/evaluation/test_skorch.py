"""The oracle is skorch: whatever the rungs, a net must end as ``net.fit`` leaves it."""

from __future__ import annotations

import gc
import os
import pickle
import random
import signal
import sys
import threading
import warnings
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import numpy as np
import pytest
import torch
from contracts.resource import ResourceContract, Run, elsewhere
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    InputShapeSetter,
    LRScheduler,
    TrainEndCheckpoint,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import SliceDataset, predefined_split
from torch import nn
from torch.optim import lr_scheduler as schedules

from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.rng import get_state, seeded
from sk_hpo.evaluation.skorch import SkorchEpochs

# As if this file were a notebook: workers cannot import its classes.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

generator = np.random.default_rng(0)
X = generator.normal(size=(60, 5)).astype(np.float32)
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int64) + (X[:, 2] > 1)
DATA = TrainingData(X, y)
SEED, RUNGS, EPOCHS = 3, (1, 3, 9), SkorchEpochs()


@pytest.fixture(autouse=True)
def _in_private_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))


class Net(nn.Module):
    def __init__(self, dropout=0.0, batchnorm=False, n_features=5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 8),
            nn.BatchNorm1d(8) if batchnorm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(8, 3),
        )

    def forward(self, X):
        return self.layers(X)


def classifier(cls=NeuralNetClassifier, **params):
    params = {
        "module": Net,
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "lr": 0.05,
        "max_epochs": RUNGS[-1],
        "batch_size": 16,
        "iterator_train__shuffle": True,
        "verbose": 0,
    } | params
    return cls(**params)


def by_skorch(net, data=DATA):
    """Return the net, trained at once by skorch itself."""
    random.seed(SEED), np.random.seed(SEED), torch.manual_seed(SEED)  # noqa: NPY002
    return net.fit(data.X, data.y, **data.fit_params)


def by_rungs(net, data=DATA, how="pause", rungs=RUNGS, resource=EPOCHS):
    """Return the net, brought to the last rung from rung to rung."""
    run = Run(resource, net, data, rungs[-1], SEED)
    for to in rungs:
        if how == "elsewhere":
            run.advance_elsewhere(to)
        else:
            run.advance(to)
        if how == "pause":
            run.pause()
    return run.finish()


def assert_equal(a, b, where=""):
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            if key != "dur":
                assert_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_equal(one, other, f"{where}[{i}]")
    else:
        np.testing.assert_equal(a, b, where)


STATES = ("best_score_", "misses_", "dynamic_threshold_", "best_epoch_", "batch_idx_")


def assert_same_net(net, oracle):
    assert len(oracle.history) > 0
    assert_equal(list(net.history), list(oracle.history), "history")
    for name in oracle._modules + oracle._criteria + oracle._optimizers:
        one, other = getattr(net, name + "_"), getattr(oracle, name + "_")
        assert_equal(one.state_dict(), other.state_dict(), name)
    for (_, callback), (name, other) in zip(net.callbacks_, oracle.callbacks_, strict=True):
        for key in (
            "best_score_",
            "misses_",
            "dynamic_threshold_",
            "best_epoch_",
            "batch_idx_",
        ):
            assert_equal(vars(callback).get(key), vars(other).get(key), f"{name}.{key}")


# --- the matrix

OPTIMIZERS = {
    "sgd": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9},
    "adam": {"optimizer": torch.optim.Adam, "lr": 0.01},
    "adamw": {"optimizer": torch.optim.AdamW, "lr": 0.01, "optimizer__weight_decay": 0.1},
}
N_BATCHES = 3  # of the 48 rows that ValidSplit(5) leaves


def one_schedule(**params):
    return {"callbacks": [LRScheduler(**params)]}


def stops(patience, **params):
    """Return an EarlyStopping that fires after ``1 + patience`` epochs: the loss only falls."""
    return EarlyStopping("train_loss", lower_is_better=False, patience=patience, **params)


def in_first_epoch(net):
    return len(net.history) == 1


CASES = {
    "plain": {},
    "in order": {"iterator_train__shuffle": False},
    "dropout": {"module__dropout": 0.5},
    "batchnorm": {"module__batchnorm": True, "module__dropout": 0.2},
    "step": one_schedule(policy=schedules.StepLR, step_size=2, gamma=0.5),
    "cosine": one_schedule(policy=schedules.CosineAnnealingLR, T_max=RUNGS[-1]),
    "one cycle per epoch": one_schedule(
        policy=schedules.OneCycleLR, max_lr=0.2, total_steps=RUNGS[-1] + 1
    ),
    "one cycle per batch": one_schedule(
        policy=schedules.OneCycleLR,
        max_lr=0.2,
        total_steps=RUNGS[-1] * N_BATCHES + 1,
        step_every="batch",
    ),
    "plateau": one_schedule(
        policy=schedules.ReduceLROnPlateau,
        monitor="valid_loss",
        patience=0,
        threshold=0.05,
        factor=0.5,
    ),
    "early stopping fires": {"callbacks": [stops(4)]},
    "early stopping fires at a rung": {"callbacks": [stops(2)]},
    "early stopping does not fire": {"callbacks": [stops(20)]},
    "early stopping loads best": {"callbacks": [stops(4, load_best=True)]},
    "early stopping loads best at the end": {"callbacks": [stops(20, load_best=True)]},
    "checkpoint": {"callbacks": [Checkpoint()]},
    "checkpoint loads best": {"callbacks": [Checkpoint(in_first_epoch, load_best=True)]},
    "random split": {"train_split": ValidSplit(0.25)},
    "random stratified split": {"train_split": ValidSplit(0.25, stratified=True)},
    "no split": {"train_split": None},
}
MOVED = (
    "dropout",
    "one cycle per batch",
    "plateau",
    "early stopping fires",
    "early stopping loads best",
    "checkpoint loads best",
    "random split",
)


@pytest.fixture(scope="module")
def oracles():
    """Nets trained at once by skorch, by the name of their case; made when asked for."""
    return {}


def case(name, optimizer):
    return classifier(**{**OPTIMIZERS[optimizer], **CASES[name]})


@pytest.mark.parametrize(
    ("optimizer", "how"), [("sgd", "stay"), *((name, "pause") for name in OPTIMIZERS)]
)
@pytest.mark.parametrize("name", CASES)
def test_rungs_leave_no_trace(name, optimizer, how, oracles):
    if (name, optimizer) not in oracles:
        oracles[name, optimizer] = by_skorch(clone(case(name, optimizer)))
    net = by_rungs(clone(case(name, optimizer)), how=how)
    assert_same_net(net, oracles[name, optimizer])


@pytest.mark.parametrize("name", MOVED)
def test_moves_between_processes_leave_no_trace(name):
    net = by_rungs(clone(case(name, "adam")), how="elsewhere")
    assert_same_net(net, by_skorch(clone(case(name, "adam"))))


def test_the_cases_are_what_they_say():
    def epochs(name):
        return len(by_skorch(clone(case(name, "sgd"))).history)

    assert epochs("early stopping fires") == 5
    assert epochs("early stopping fires at a rung") == RUNGS[1]
    assert epochs("early stopping does not fire") == RUNGS[-1]
    loss = {n: by_skorch(clone(case(n, "sgd"))) for n in ("early stopping fires", "plain")}
    assert (
        loss["plain"].history[4, "train_loss"]
        == loss["early stopping fires"].history[-1, "train_loss"]
    )
    plateau = by_skorch(clone(case("plateau", "sgd")))
    assert len(set(plateau.history[:, "event_lr"])) > 1
    # Loading a checkpoint takes the history back to the epoch of the checkpoint.
    assert epochs("checkpoint loads best") == 1


class TestContract(ResourceContract):
    def make_resource(self):
        return SkorchEpochs()

    def make_estimator(self):
        return clone(case("dropout", "adam"))

    def data(self):
        return TrainingData(X, y, classes=np.unique(y))


# --- more nets


class TwoParts(NeuralNetClassifier):
    """Two modules with an optimizer each, trained in turns."""

    def initialize_module(self):
        super().initialize_module()
        self.module2_ = nn.Linear(3, 3)
        return self

    def initialize_optimizer(self):
        super().initialize_optimizer()
        self.optimizer_ = torch.optim.Adam(self.module_.parameters(), lr=self.lr)
        self.optimizer2_ = torch.optim.SGD(self.module2_.parameters(), lr=0.1, momentum=0.9)
        return self

    def infer(self, x, **fit_params):
        return self.module2_(super().infer(x, **fit_params))


class Accumulates(NeuralNetClassifier):
    """Steps at every other batch, as skorch's documentation does it: 3 batches per epoch."""

    def train_step(self, batch, **fit_params):
        n_batches = sum(len(epoch["batches"]) for epoch in self.history)
        step = self.train_step_single(batch, **fit_params)
        if n_batches % 2 == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


class SplitsByItself(NeuralNetClassifier):
    def get_split_datasets(self, X, y=None, **fit_params):
        rows = torch.randperm(len(X)).numpy()
        return self.get_dataset(X[rows[9:]], y[rows[9:]]), self.get_dataset(
            X[rows[:9]], y[rows[:9]]
        )


class LoopsByItself(NeuralNetClassifier):
    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        X = X + torch.rand(1).item()
        return super().fit_loop(X, y, epochs=epochs, **fit_params)


class LearntLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, logits, target):
        return nn.functional.cross_entropy(logits / self.temperature, target)


class Parametrized(Net):
    def __init__(self):
        super().__init__()
        nn.utils.parametrizations.weight_norm(self.layers[0])
        nn.utils.parametrizations.spectral_norm(self.layers[4])


class Watches(Callback):
    """Refers to parts of the net."""

    def on_train_begin(self, net, X, y, **kwargs):
        self.weight_ = net.module_.layers[0].weight
        self.mean_ = nn.Parameter(self.weight_.detach().clone())

    def on_batch_end(self, net, **kwargs):
        with torch.no_grad():
            self.mean_.lerp_(self.weight_, 0.3)

    def on_train_end(self, net, X, y, **kwargs):
        with torch.no_grad():
            net.module_.layers[0].weight.copy_(self.mean_)
            assert self.weight_ is net.module_.layers[0].weight


def in_sequence(optimizer, last_epoch):
    warm_up = schedules.LinearLR(optimizer, 0.2, total_iters=2)
    parts = [warm_up, schedules.ExponentialLR(optimizer, 0.9), schedules.StepLR(optimizer, 2)]
    return schedules.SequentialLR(optimizer, parts, milestones=[2, 5])


def chained(optimizer, last_epoch):
    return schedules.ChainedScheduler(
        [schedules.ExponentialLR(optimizer, 0.9), schedules.StepLR(optimizer, 2)]
    )


LINEAR = nn.Linear(5, 3)
MORE = {
    "two optimizers": lambda: classifier(TwoParts),
    "accumulated gradients": lambda: classifier(Accumulates),
    "own split": lambda: classifier(SplitsByItself),
    "lbfgs": lambda: classifier(
        optimizer=torch.optim.LBFGS, optimizer__max_iter=4, batch_size=-1, lr=0.2
    ),
    "learnt loss": lambda: classifier(criterion=LearntLoss),
    "class weights": lambda: classifier(criterion__weight=torch.tensor([1.0, 2.0, 5.0])),
    "groups of parameters": lambda: classifier(
        optimizer__param_groups=[("layers.0.*", {"lr": 0.2})], optimizer__momentum=0.9
    ),
    "sequential schedule": lambda: classifier(callbacks=[LRScheduler(in_sequence)]),
    "chained schedule": lambda: classifier(callbacks=[LRScheduler(chained)]),
    "lambda schedule": lambda: classifier(
        callbacks=[LRScheduler(schedules.LambdaLR, lr_lambda=lambda epoch: 0.8**epoch)]
    ),
    "warm restarts": lambda: classifier(callbacks=[LRScheduler(base_period=2)]),
    "references from callbacks": lambda: classifier(callbacks=[Watches()]),
    "input shape": lambda: classifier(
        module__n_features=2, callbacks=[InputShapeSetter(param_name="n_features")]
    ),
    "clipping and freezing": lambda: classifier(
        callbacks=[GradientNormClipping(0.1), Freezer("layers.0.*", at=4)]
    ),
    "scores of epochs": lambda: classifier(
        callbacks=[
            EpochScoring("f1_macro", lower_is_better=False, on_train=True),
            EpochScoring("neg_log_loss", lower_is_better=False, use_caching=False),
            EarlyStopping("f1_macro", lower_is_better=False, patience=2),
        ]
    ),
    "no callbacks": lambda: classifier(callbacks="disable"),
    "all files": lambda: classifier(
        callbacks=[
            Checkpoint("train_loss_best", f_params="e{last_epoch[epoch]}.pt", load_best=True),
            TrainEndCheckpoint(fn_prefix="end/", dirname="end"),
        ]
    ),
    "own generator for batches": lambda: classifier(
        iterator_train__generator=torch.Generator().manual_seed(5)
    ),
    "own generator for the split": lambda: classifier(
        train_split=ValidSplit(0.3, random_state=np.random.RandomState(5))
    ),
    "own generator for the splitter": lambda: classifier(
        train_split=ValidSplit(ShuffleSplit(1, random_state=np.random.RandomState(5)))
    ),
    "predefined split": lambda: classifier(train_split=predefined_split(Dataset(X[:9], y[:9]))),
    "no device": lambda: classifier(device=None),
    "compiled": lambda: classifier(compile=True, compile__backend="eager"),
    "an instance as module": lambda: classifier(module=LINEAR),
    "weight norm": lambda: classifier(module=Parametrized),
}


# Of torch's own, while it compiles.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("how", ["stay", "pause"])
@pytest.mark.parametrize("name", MORE)
def test_more_nets_leave_no_trace(name, how):
    assert_same_net(by_rungs(clone(MORE[name]()), how=how), by_skorch(clone(MORE[name]())))


def test_a_net_with_its_own_loop_keeps_it():
    # It draws at the begin of each fit_loop: not the same, but its own, and resumable.
    stay, pause = (by_rungs(classifier(LoopsByItself), how=how) for how in ("stay", "pause"))
    assert_same_net(pause, stay)
    assert not torch.equal(
        stay.module_.layers[0].weight, by_rungs(classifier()).module_.layers[0].weight
    )


class Adds(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(3, 3)

    def forward(self, a, b):
        return self.first(a) + self.second(b)


class AddsPair(Adds):
    def forward(self, X):
        return super().forward(*X)


DATASET = Dataset(X, y)
INPUTS = {
    "dict": (Adds, {"a": X[:, :2], "b": X[:, 2:]}, y),
    "tuple": (AddsPair, (X[:, :2], X[:, 2:]), y),
    "tensors": (Net, torch.from_numpy(X), torch.from_numpy(y)),
    "slices": (Net, SliceDataset(DATASET, 0), SliceDataset(DATASET, 1)),
    "slices and array": (Net, SliceDataset(DATASET, 0), y),
    "dataset": (Net, DATASET, y),
    "dataset alone": (Net, DATASET, None),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_inputs(kind):
    module, inputs, targets = INPUTS[kind]
    params = {"module": module, "train_split": ValidSplit(0.2)}
    data = TrainingData(inputs, targets)
    net = by_rungs(classifier(**params), data)
    assert_same_net(net, by_skorch(classifier(**params), data))
    assert net.predict(inputs).shape == (60,)


class Scales(Net):
    def forward(self, X, scale):
        return super().forward(X) * scale


def test_fit_params_reach_the_module():
    params = {"module": Scales, "train_split": None}
    data = TrainingData(X, y, {"scale": 0.5})
    assert_same_net(by_rungs(classifier(**params), data), by_skorch(classifier(**params), data))


def test_binary_classifier_and_regressor():
    for cls, targets in (
        (NeuralNetBinaryClassifier, (y > 0).astype(np.float32)),
        (NeuralNetRegressor, X[:, :1] * 2),
    ):
        net = cls(nn.Linear, module__in_features=5, module__out_features=1, verbose=0)
        data = TrainingData(X, targets, classes=np.array([0.0, 1.0]))
        assert_same_net(
            by_rungs(clone(net), data), by_skorch(clone(net).set_params(max_epochs=9), data)
        )


# --- one training


class Counts(Callback):
    """Notes what it was told, and with what ``max_epochs``."""

    def initialize(self):
        self.calls_ = []
        return self

    def on_train_begin(self, net, **kwargs):
        self.calls_.append(("begin", net.max_epochs, kwargs["X"] is not None))

    def on_train_end(self, net, X, y, **kwargs):
        self.calls_.append(("end", net.max_epochs, X is not None and y is not None))


def test_callbacks_see_one_training_of_the_whole_budget():
    net = classifier(callbacks=[("counts", Counts())], max_epochs=2)
    run = Run(SkorchEpochs(), net, DATA, RUNGS[-1], SEED)
    for to in RUNGS:
        run.pause().advance(to)
    calls = dict(run.finish().callbacks_)["counts"].calls_
    assert calls == [("begin", RUNGS[-1], True), ("end", RUNGS[-1], True)]


def test_a_net_that_is_only_ended_after_a_pause_is_ended_without_rows():
    run = Run(SkorchEpochs(), classifier(callbacks=[("counts", Counts())]), DATA, 9, SEED)
    net = run.advance(1).pause().finish()
    assert dict(net.callbacks_)["counts"].calls_[-1] == ("end", 9, False)


def test_limit_is_the_nets_own():
    assert SkorchEpochs().limit(classifier(max_epochs=17), 100) == 17


def test_the_users_parameters_stay():
    net = classifier(verbose=1, callbacks=[Checkpoint(dirname="here", fn_prefix="a/")])
    before = clone(net).get_params()
    done = by_rungs(net, TrainingData(X, y, classes=np.arange(3)))
    after = done.get_params()
    for name in ("verbose", "classes", "max_epochs", "device"):
        assert str(after[name]) == str(before[name])
    checkpoint = done.callbacks[0]
    assert (checkpoint.dirname, checkpoint.fn_prefix) == ("here", "a/")
    assert checkpoint.f_params == "params.pt"
    assert dict(done.callbacks_)["Checkpoint"] is checkpoint
    assert done.get_params().keys() == clone(net).fit(X, y).get_params().keys()


def test_a_packed_net_is_small():
    run = Run(SkorchEpochs(), classifier(batch_size=60), DATA, 9, SEED).advance(1)
    small = len(run.resource.pack(run.model))
    large = TrainingData(np.tile(X, (200, 1)), np.tile(y, 200))
    run = Run(SkorchEpochs(), classifier(batch_size=12000), large, 9, SEED).advance(1)
    assert run.model.estimator.callbacks_[3][1].y_preds_  # what must not be packed
    assert len(run.resource.pack(run.model)) < small + 1000
    assert run.model.estimator.callbacks_[3][1].y_preds_


def test_a_packed_net_is_the_net_itself_for_its_callbacks_and_optimizer():
    run = Run(SkorchEpochs(), case("cosine", "adam"), DATA, 9, SEED).advance(3).pause()
    net = run.model.estimator
    scheduler = dict(net.callbacks_)["LRScheduler"].lr_scheduler_
    assert scheduler.optimizer is net.optimizer_
    parameters = [p for group in net.optimizer_.param_groups for p in group["params"]]
    assert all(a is b for a, b in zip(parameters, net.module_.parameters(), strict=True))
    # CUDA attributes are still moved by skorch when the net is pickled by someone else.
    assert net.cuda_dependent_attributes_ == ["module_", "criterion_", "optimizer_"]


@pytest.fixture
def of_a_notebook(monkeypatch):
    """A class that no other process can import."""

    class Written(Net):
        def __init__(self):
            super().__init__()
            self.made.append(1)

    Written.made = []
    Written.__module__, Written.__qualname__ = "__main__", "Written"
    monkeypatch.setattr(sys.modules["__main__"], "Written", Written, raising=False)
    return Written


def test_a_class_of_a_notebook_is_itself_again(of_a_notebook):
    module = of_a_notebook
    run = Run(SkorchEpochs(), classifier(module=module), DATA, 9, SEED).advance(1)
    packed, made = run.resource.pack(run.model), module.made
    made.append("later")
    assert type(run.resource.unpack(packed).estimator.module_) is module
    assert module.made is made
    assert made[-1] == "later"  # what the class has learned since is not undone
    there = elsewhere(finish_elsewhere, packed, X)
    np.testing.assert_array_equal(there, run.finish().predict_proba(X))


class Unpicklable(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.lock_ = threading.Lock()


class Locked(Net):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"callbacks": [Unpicklable()]}, "callback 'Unpicklable' cannot be pickled: .*lock"),
        ({"module": Locked}, "attribute 'module_' cannot be pickled: .*lock"),
    ],
)
def test_what_cannot_be_pickled_is_named(params, message):
    run = Run(SkorchEpochs(), classifier(**params), DATA, 9, SEED).advance(1)
    with pytest.raises(pickle.PicklingError, match=message):
        run.resource.pack(run.model)
    assert len(run.advance(9).finish().history) == 9


def test_nets_of_a_cuda_machine_wake_up_without_one(monkeypatch):
    from sk_hpo.evaluation.skorch_pickle import _memory

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    storage = _memory(b"abc", "cuda:1")
    assert (str(storage.device), bytes(storage)) == ("cpu", b"abc")
    assert str(_memory(b"abc", "meta").device) == "meta"


def test_tensors_share_memory_as_before_and_begin_where_torch_begins():
    from sk_hpo.evaluation.skorch_pickle import dumps, loads

    run = Run(SkorchEpochs(), classifier(), DATA, 9, SEED).advance(1)
    base = torch.arange(7.0)
    views = {"a": base[1:3], "b": base[2:], "none": torch.empty(0), "half": base.half()}
    _, rest = loads(dumps(run.model.estimator, views))
    assert all(torch.equal(rest[name], views[name]) for name in views)
    rest["a"][1] = 9
    assert rest["b"][0] == 9
    assert rest["a"].untyped_storage().data_ptr() % 64 == 0


def with_more():
    parameter = nn.Parameter(torch.ones(2))
    parameter.of_the_user = "a note"
    return parameter


TENSORS = {
    "of a number": torch.tensor(2.5),
    "of none": torch.empty(0, 3),
    "turned": torch.arange(6.0).view(2, 3).T,
    "every other": torch.arange(10)[1::2],
    "repeated": torch.ones(1, 3).expand(4, 3),
    "bfloat16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "flags": torch.tensor([True, False]),
    "learns": torch.ones(2, requires_grad=True),
    "parameter": nn.Parameter(torch.arange(4.0)),
    "frozen": nn.Parameter(torch.arange(4), requires_grad=False),
    "parameter with a note": with_more(),
    "complex": torch.tensor([1 + 2j]),
    "conjugate": torch.tensor([1 + 2j]).conj(),
    "negative": torch.tensor([1 + 2j]).conj().imag,
    "sparse": torch.eye(3).to_sparse(),
    "buffer": nn.Buffer(torch.ones(2)),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_are_what_they_were(name):
    from sk_hpo.evaluation.skorch_pickle import dumps, loads

    run = Run(SkorchEpochs(), classifier(), DATA, 9, SEED).advance(1)
    before = TENSORS[name]
    _, (after, again) = loads(dumps(run.model.estimator, (before, before)))
    assert again is after
    named = map(attrgetter, ("dtype", "shape", "layout", "requires_grad"))
    for get in (type, vars, str, *named):
        assert get(after) == get(before)
    if before.layout is torch.strided:
        assert after.stride() == before.stride()
        assert (after.is_conj(), after.is_neg()) == (before.is_conj(), before.is_neg())


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors():
    from sk_hpo.evaluation.skorch_pickle import dumps, loads

    run = Run(SkorchEpochs(), classifier(), DATA, 9, SEED).advance(1)
    nested = torch.nested.nested_tensor([torch.ones(2), torch.arange(3.0)])
    _, after = loads(dumps(run.model.estimator, nested))
    assert [part.tolist() for part in after.unbind()] == [[1, 1], [0, 1, 2]]


def test_weights_that_are_tied_stay_so():
    from sk_hpo.evaluation.skorch_pickle import dumps, loads

    run = Run(SkorchEpochs(), classifier(), DATA, 9, SEED).advance(1)
    whole = nn.Parameter(torch.zeros(4))
    rows = (whole, whole.detach()[1:], whole)
    _, (one, part, other) = loads(dumps(run.model.estimator, rows))
    part[0] = 7.0
    assert one is other
    assert one.tolist() == [0, 7, 0, 0]


# --- rows and random numbers


class SeesRows(Callback):
    def initialize(self):
        self.rows_ = []
        return self

    def on_epoch_begin(self, net, dataset_train, dataset_valid, **kwargs):
        rows = [tuple(sorted(part.indices)) for part in (dataset_train, dataset_valid)]
        self.rows_.append(tuple(rows))


@pytest.mark.parametrize("how", ["stay", "pause"])
def test_all_rungs_validate_with_the_same_rows(how):
    def rows(seed):
        net = classifier(callbacks=[("rows", SeesRows())], train_split=ValidSplit(0.25))
        run = Run(SkorchEpochs(), net, DATA, 9, seed)
        for to in RUNGS:
            run.advance(to)
            if how == "pause":
                run.pause()
        return dict(run.model.estimator.callbacks_)["rows"].rows_

    seen = rows(0)
    assert len(seen) == 9
    assert len(set(seen)) == 1
    assert set(rows(1)) != set(seen)


def test_the_split_is_replayed_without_leaving_anything_on_the_net():
    shadows = []

    class Looks(Callback):
        def on_epoch_begin(self, net, **kwargs):
            shadows.append("get_split_datasets" in vars(net))
            pickle.dumps(clone(net).train_split)

    run = Run(SkorchEpochs(), classifier(callbacks=[Looks()]), DATA, 9, SEED)
    run.advance(1).advance(3)
    assert shadows == [False] * 3
    assert "get_split_datasets" not in vars(run.model.estimator)

    def fails(*args, **kwargs):
        raise ValueError("mine")

    run.model.estimator.train_split = fails
    before = get_state()
    with pytest.raises(ValueError, match="mine"):
        run.advance(9)
    np.testing.assert_equal(get_state(), before)
    assert "get_split_datasets" not in vars(run.model.estimator)


def test_a_resource_draws_only_what_skorch_draws():
    with seeded(SEED):
        classifier().fit(X, y)
        expected = get_state()
    with seeded(SEED):
        resource = SkorchEpochs()
        model = resource.begin(classifier(), DATA, 9)
        for to in RUNGS:
            resource.advance(model, DATA, to)
            model = resource.unpack(resource.pack(model))
        resource.finish(model)
        np.testing.assert_equal(get_state(), expected)


# --- the end


def test_a_stopped_net_is_not_trained_on():
    run = Run(SkorchEpochs(), classifier(callbacks=[stops(4)]), DATA, 27, SEED)
    run.advance(3)
    assert not run.model.stopped
    run.advance(9)
    assert run.model.stopped
    assert run.model.resource == 5
    for _ in range(2):
        state = run.state
        run.advance(27)
        assert len(run.model.estimator.history) == run.model.resource == 5
        np.testing.assert_equal(run.state, state)
        run.pause()
        assert run.model.stopped
    assert run.finish().predict(X).shape == (60,)


class CtrlC(Callback):
    """The user's Ctrl-C in the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def default_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_handler")
def test_ctrl_c_is_not_early_stopping():
    run = Run(SkorchEpochs(), classifier(callbacks=[CtrlC()]), DATA, 9, SEED).advance(1)
    with pytest.raises(KeyboardInterrupt):
        run.advance(3)
    assert not run.model.stopped
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_early_stopping_in_a_thread():
    run = Run(SkorchEpochs(), classifier(callbacks=[stops(4)]), DATA, 9, SEED)
    thread = threading.Thread(target=run.advance, args=(9,))
    thread.start()
    thread.join()
    assert run.model.stopped
    assert run.model.resource == 5


# --- files


def in_second_epoch(net):
    return len(net.history) == 2


def private_directories(tmp_path):
    return sorted((tmp_path / "tmp").iterdir())


def test_models_do_not_mix_their_files(tmp_path):
    checkpoint = Checkpoint(in_second_epoch, f_pickle=None, load_best=True)
    runs = [
        Run(SkorchEpochs(), clone(classifier(callbacks=[checkpoint])), DATA, 9, seed)
        for seed in (SEED, SEED + 1)
    ]
    for to in RUNGS:
        for run in runs:
            run.advance(to).pause()
    one, other = (run.finish() for run in runs)
    assert_same_net(one, by_skorch(clone(classifier(callbacks=[checkpoint]))))
    assert not torch.equal(one.module_.layers[0].weight, other.module_.layers[0].weight)


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"dirname": "models"},
        {"f_params": "models/params.pt", "fn_prefix": "run1/"},
        {"f_params": Path("params.pt")},
        {"f_params": "/sk_hpo/no/such/folder/{last_epoch[epoch]:03d}.pt"},
    ],
)
def test_files_are_private_and_removed(place, tmp_path):
    net = classifier(callbacks=[Checkpoint(in_second_epoch, load_best=True, **place)])
    run = Run(SkorchEpochs(), net, DATA, 9, SEED).advance(3)
    (directory,) = private_directories(tmp_path)
    names = {path.name for path in directory.rglob("*.*")}
    assert len(names) == 4
    assert any(name.endswith("optimizer.pt") for name in names)
    run.pause()
    gc.collect()
    (moved,) = private_directories(tmp_path)
    assert moved != directory
    net = run.advance(9).finish()
    assert private_directories(tmp_path) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert_equal(
        net.module_.state_dict(), by_rungs(classifier(), rungs=(1, 2)).module_.state_dict()
    )


def test_files_go_with_the_model(tmp_path):
    run = Run(SkorchEpochs(), classifier(callbacks=[Checkpoint()]), DATA, 9, SEED).advance(1)
    assert len(private_directories(tmp_path)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del run
        gc.collect()
    assert private_directories(tmp_path) == []


def test_nets_without_files_need_no_directory(tmp_path):
    Run(SkorchEpochs(), classifier(), DATA, 9, SEED).advance(1).pause()
    assert private_directories(tmp_path) == []


def test_the_refit_writes_where_the_user_wants_it(tmp_path):
    callbacks = [Checkpoint(in_first_epoch, dirname="best", load_best=True)]
    callbacks += [TrainEndCheckpoint(dirname="end")]
    resource = SkorchEpochs(private_files=False)
    net = by_rungs(classifier(callbacks=callbacks), how="stay", resource=resource)
    assert (tmp_path / "best" / "params.pt").is_file()
    assert (tmp_path / "end" / "train_end_params.pt").is_file()
    assert private_directories(tmp_path) == []
    loaded = classifier().initialize()
    loaded.load_params(checkpoint=net.callbacks[0])
    assert_equal(loaded.module_.state_dict(), net.module_.state_dict())


def finish_elsewhere(packed, X):
    resource = SkorchEpochs()
    net = resource.finish(resource.unpack(packed))
    return net.predict_proba(X)


def test_files_reach_another_process():
    net = clone(case("checkpoint loads best", "sgd"))
    run = Run(SkorchEpochs(), net, DATA, 9, SEED).advance(9)
    there = elsewhere(finish_elsewhere, run.resource.pack(run.model), X)
    np.testing.assert_array_equal(there, run.finish().predict_proba(X))


# --- classes and dtypes


def test_a_fold_without_a_class_knows_it():
    rows = np.flatnonzero(y > 0)
    data = TrainingData(X[rows], y[rows], classes=np.arange(3))
    net = by_rungs(classifier(), data)
    assert net.classes_.tolist() == [0, 1, 2]
    assert net.classes is None
    assert net.predict_proba(X).shape == (60, 3)


def test_the_users_classes_win():
    net = by_rungs(classifier(classes=[0, 1, 2, 3]), TrainingData(X, y, classes=np.arange(3)))
    assert net.classes_.tolist() == [0, 1, 2, 3]
    assert net.classes == [0, 1, 2, 3]


def test_classes_of_several_outputs_are_not_passed_on():
    net = by_rungs(classifier(), TrainingData(X, y, classes=[np.arange(2), np.arange(2)]))
    assert net.classes_.tolist() == [0, 1, 2]


class Convolves(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 3, 5)

    def forward(self, X):
        return self.layer(X[:, None])[:, :, 0]


class Recurs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(1, 3, batch_first=True)

    def forward(self, X):
        return self.layer(X[:, :, None])[0][:, -1]


def notes(net, data):
    with pytest.raises((RuntimeError, ValueError)) as caught:
        by_rungs(net, data)
    return " ".join(getattr(caught.value, "__notes__", []))


@pytest.mark.parametrize("module", [Net, Convolves, Recurs])
@pytest.mark.parametrize("wrap", [lambda X: X, torch.from_numpy])
def test_float64_is_hinted_at(module, wrap):
    found = notes(classifier(module=module), TrainingData(wrap(X.astype(float)), y))
    assert "X is float64" in found
    assert "FunctionTransformer(np.asarray, kw_args={'dtype': np.float32})" in found
    assert "y is" not in found


# Arrays of frames are not writable, and torch warns.
@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_float64_in_a_dict_or_a_frame_is_hinted_at():
    pandas = pytest.importorskip("pandas")
    columns = {name: X[:, i : i + 2].astype(float) for i, name in enumerate("ab")}
    columns["b"] = X[:, 2:]
    assert "X is float64" in notes(classifier(module=Adds), TrainingData(columns, y))

    class Frame(nn.Linear):
        def forward(self, a, b):
            return super().forward(torch.cat([a, b], 1))

    net = classifier(module=Frame, module__in_features=2, module__out_features=3)
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1].astype(float)})
    frame["a"] = frame["a"].astype(float)
    assert "X is float64" in notes(net, TrainingData(frame, y))


def test_integer_targets_are_hinted_at():
    assert "y is int32" in notes(classifier(), TrainingData(X, y.astype(np.int32)))
    binary = NeuralNetBinaryClassifier(
        nn.Linear, module__in_features=5, module__out_features=1, verbose=0
    )
    found = notes(binary, TrainingData(X, (y > 0).astype(np.int64)))
    assert "y is int64, but this loss wants" in found


def test_float64_targets_are_hinted_at():
    found = notes(classifier(), TrainingData(X, y.astype(float)))
    assert "y is float64" in found
    assert "X is" not in found


class Fails(Net):
    def forward(self, X):
        raise RuntimeError("of its own")


def test_other_errors_are_left_alone():
    assert notes(classifier(module=Fails), TrainingData(X.astype(float), y)) == ""


def test_a_plain_neural_net():
    net = NeuralNet(Net, nn.CrossEntropyLoss, verbose=0, train_split=None)
    trained = by_rungs(clone(net), TrainingData(X, y, classes=np.arange(3)))
    assert_same_net(trained, by_skorch(clone(net).set_params(max_epochs=9)))


def test_the_resource_is_a_record():
    assert pickle.loads(pickle.dumps(SkorchEpochs())) == SkorchEpochs()
    assert SkorchEpochs.name == "epochs"
    assert SkorchEpochs().continues
    assert SkorchEpochs(private_files=False) != SimpleNamespace(private_files=False)


def test_a_print_that_was_replaced_hinders_no_pause(monkeypatch):
    from sk_hpo.evaluation.skorch_pickle import dumps, loads

    rng = np.random.default_rng(0)
    trained = NeuralNetClassifier(
        nn.Linear, module__in_features=3, module__out_features=2, max_epochs=1, verbose=0,
        criterion=nn.CrossEntropyLoss,
    ).fit(rng.normal(size=(20, 3)).astype(np.float32), rng.integers(2, size=20))  # fmt: skip
    monkeypatch.setattr("builtins.print", lambda *args, **kwargs: None)  # as Ray does
    assert list(loads(dumps(trained, None))[0].history) == list(trained.history)
