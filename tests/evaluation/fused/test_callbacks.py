"""Callbacks of nets that train together see, and do, what they would alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation.fused.trainings import (
    Dense,
    X,
    Y,
    assert_same,
    assert_same_either_way,
    classifier,
)
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    PassthroughScoring,
)
from skorch.dataset import ValidSplit
from torch import nn, optim
from torch.optim import lr_scheduler as schedules

from sk_hpo.torch import Schedule
from sk_hpo.torch.schedules import KINDS

SPLIT = {"train_split": ValidSplit(3)}


@pytest.mark.parametrize(
    "policy",
    [
        {"policy": "StepLR", "step_size": 2, "gamma": 0.5},
        {"policy": "ExponentialLR", "gamma": 0.9},
        {"policy": schedules.CosineAnnealingLR, "T_max": 4},
        {"policy": schedules.OneCycleLR, "max_lr": 0.3, "total_steps": 10},
        {"policy": schedules.LinearLR, "total_iters": 3, "event_name": None},
        {"policy": "ReduceLROnPlateau", "patience": 0, "monitor": "train_loss"},
    ],
    ids=lambda policy: str(policy["policy"]),
)
def test_schedule(policy):
    nets = [
        classifier(
            callbacks=[("schedule", LRScheduler(**policy))], lr=lr, optimizer__momentum=0.9
        )
        for lr in (1.0, 0.1)
    ]
    assert_same(nets, epochs=(2, 5), pause=True)


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.AdamW])
@pytest.mark.parametrize("kind", KINDS)
def test_our_own_schedules(kind, optimizer):
    callbacks = [("schedule", Schedule(kind, max_epochs=6))]
    nets = [classifier(callbacks=callbacks, optimizer=optimizer, lr=lr) for lr in (0.3, 0.01)]
    trainings = assert_same(nets, epochs=(2, 5), pause=True)
    rates = trainings[0].model.estimator.history[:, "event_lr"]
    assert len(set(rates)) > 1 or kind in ("constant", "performance")


def silent(*args):
    return None


@pytest.mark.parametrize("load_best", [False, True])
def test_early_stopping(load_best):
    stopping = EarlyStopping(patience=2, load_best=load_best, sink=silent)
    nets = [classifier(callbacks=[stopping], lr=lr, **SPLIT) for lr in (3.0, 0.5, 0.01)]
    trainings = assert_same(nets, epochs=(4, 9), pause=True)
    assert {t.model.stopped for t in trainings} == {True, False}


def test_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    checkpoint = Checkpoint(monitor="valid_loss_best", load_best=True)
    assert_same(classifier(callbacks=[checkpoint], lr=0.5, **SPLIT), epochs=(2, 4), pause=True)


SCORINGS = {
    "cached": EpochScoring("f1_macro", name="f1"),
    "uncached": EpochScoring("f1_macro", name="f1", use_caching=False),
    "on_train": EpochScoring("accuracy", name="train", on_train=True, lower_is_better=False),
    "uncached_on_train": EpochScoring("accuracy", name="t", on_train=True, use_caching=False),
    "of_history": PassthroughScoring("train_loss", on_train=True),
    "neg_log_loss": EpochScoring("neg_log_loss", name="log_loss"),
}


class Dropping(Dense):
    def __init__(self, p=0.3):
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, X):
        return self.dropout(super().forward(self.dropout(X)))


@pytest.mark.parametrize("name", SCORINGS)
def test_scoring(name):
    net = classifier(Dropping, callbacks=[("mine", SCORINGS[name])], **SPLIT)
    assert_same(net, epochs=(3,))


def test_scoring_without_any_cache():
    net = classifier(Dropping, use_caching=False, **SPLIT)
    assert_same(net, epochs=(3,))


def accuracy_of_a_draw(net, X, y):
    return float(np.random.rand() + (net.predict(X) == y).mean())  # noqa: NPY002


def test_scoring_that_draws():
    scoring = EpochScoring(accuracy_of_a_draw, name="drawn")
    net = classifier(Dropping, callbacks=[("mine", scoring)], **SPLIT)
    assert_same(net, epochs=(3,))


class Sensitivity(EpochScoring):
    """Writes to the predictions that it was given, and differentiates by them."""

    def on_epoch_end(self, net, **kwargs):
        given = [x.detach().mul_(2).requires_grad_() for x in self.y_preds_]
        sum((x**2).sum() for x in given).backward()
        net.history.record("slope", float(sum(x.grad.abs().sum() for x in given)))


@pytest.mark.parametrize("on_train", [True, False])
def test_predictions_can_be_worked_with(on_train):
    callback = Sensitivity("accuracy", name="sensitivity", on_train=on_train)
    assert_same(classifier(callbacks=[callback], **SPLIT), epochs=(3,))


class Mine(Callback):
    """What a user may do when an epoch ends."""

    def __init__(self, what="nothing"):
        self.what = what

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        n = len(net.history)
        getattr(self, self.what)(net, n, dataset_train)

    def nothing(self, net, n, dataset):
        pass

    def draws(self, net, n, dataset):
        net.history.record("torch", float(torch.rand(())))
        net.history.record("numpy", float(np.random.rand()))  # noqa: NPY002

    def scales(self, net, n, dataset):
        with torch.no_grad():
            for p in net.module_.parameters():
                p.mul_(0.9)

    def loads(self, net, n, dataset):
        net.module_.load_state_dict({k: v / 2 for k, v in net.module_.state_dict().items()})

    def replaces(self, net, n, dataset):
        if n == 2 and net.lr > 0.05:
            net.module_.layers[0].bias = nn.Parameter(torch.zeros(16))

    def reinitialises(self, net, n, dataset):
        if n == 2 and net.lr > 0.05:
            net.initialize_optimizer()

    def new_module(self, net, n, dataset):
        if n == 2:
            net.set_params(module__p=0.6)

    def freezes(self, net, n, dataset):
        if n == 2:
            net.module_.layers[0].weight.requires_grad_(False)

    def drops_more(self, net, n, dataset):
        net.module_.dropout.p += 0.1

    def turns_on_norm(self, net, n, dataset):
        net.module_.layers[1] = nn.Tanh()

    def weighs(self, net, n, dataset):
        net.criterion_.weight = torch.tensor([1.0, 2.0, float(n)])

    def smooths(self, net, n, dataset):
        net.criterion_.label_smoothing = 0.1 * n

    def other_criterion(self, net, n, dataset):
        if n == 2:
            net.criterion_ = nn.MultiMarginLoss()

    def sets_lr(self, net, n, dataset):
        for group in net.optimizer_.param_groups:
            group["lr"] *= 0.5

    def sets_momentum(self, net, n, dataset):
        net.optimizer_.param_groups[0]["momentum"] = 0.5 * (n % 2)

    def forgets(self, net, n, dataset):
        net.optimizer_.state.clear()

    def hooks(self, net, n, dataset):
        if n == 2:
            net.module_.layers[0].register_forward_hook(lambda m, a, out: 2 * out)

    def looks_at_gradients(self, net, n, dataset):
        norm = sum(p.grad.norm() for p in net.module_.parameters())
        net.history.record("norm", float(norm))

    def looks_at_rows(self, net, n, dataset):
        net.history.record("rows", len(dataset))
        net.history.record("training", net.module_.training)

    def predicts(self, net, n, dataset):
        net.history.record("mean", float(net.predict_proba(X).mean()))

    def raises(self, net, n, dataset):
        if n == 2 and net.lr > 0.05:
            raise ValueError("no more")

    def ends(self, net, n, dataset):
        if n == 2 and net.lr > 0.05:
            raise KeyboardInterrupt


MINE = [
    "draws", "scales", "loads", "sets_lr", "sets_momentum", "forgets", "looks_at_rows",
    "raises", "ends",
]  # fmt: skip


@pytest.mark.parametrize("split", [None, ValidSplit(3)], ids=["all", "split"])
@pytest.mark.parametrize("what", MINE)
def test_own_callback(what, split):
    nets = [
        classifier(
            Dropping, callbacks=[("mine", Mine(what))], lr=lr, optimizer__momentum=0.9,
            train_split=split,
        )
        for lr in (0.1, 0.01)
    ]  # fmt: skip
    assert_same(nets, epochs=(4,))


def test_those_that_are_left_may_have_one_dropout():
    """The group that goes on is not asked as the one before was."""
    nets = [
        classifier(Dropping, module__p=p, lr=lr, callbacks=[("mine", Mine("ends"))])
        for p, lr in ((0.2, 0.01), (0.7, 0.1), (0.2, 0.02), (0.4, 0.1))
    ]
    assert_same(nets, epochs=(5,))


def test_callback_that_leaves_the_module_in_eval():
    assert_same_either_way(classifier(callbacks=[("mine", Mine("predicts"))]), epochs=(2,))


CHANGES = [
    "replaces",
    "reinitialises",
    "new_module",
    "predicts",
    "freezes",
    "drops_more",
    "turns_on_norm",
    "weighs",
    "smooths",
    "other_criterion",
    "hooks",
    "looks_at_gradients",
]


@pytest.mark.parametrize("what", CHANGES)
def test_callback_that_changes_what_is_trained(what):
    """Whether the net leaves its group or not, nothing else may come of it."""
    nets = [
        classifier(
            Dropping, callbacks=[("mine", Mine(what))], lr=lr, optimizer__momentum=0.9, **SPLIT
        )
        for lr in (0.1, 0.01)
    ]
    assert_same_either_way(nets, epochs=(4,))


class StepsAndScales(LRScheduler):
    """A schedule that does more than steps."""

    def on_epoch_end(self, net, **kwargs):
        super().on_epoch_end(net, **kwargs)
        with torch.no_grad():
            net.module_.layers[0].weight.mul_(0.9).add_(torch.rand(1))


def test_schedule_that_does_more():
    net = classifier(callbacks=[("mine", StepsAndScales("ExponentialLR", gamma=0.9))])
    assert_same_either_way(net, epochs=(4,))


# -- nets that fail ----------------------------------------------------------------------------


def test_diverging_beside_healthy():
    nets = [classifier(lr=lr) for lr in (1e30, 0.1, 1e20, 0.01)]
    trainings = assert_same(nets, epochs=(3, 5), pause=True)
    ends = [np.isnan(t.model.estimator.history[-1, "train_loss"]) for t in trainings]
    assert set(ends) == {False, True}


class Careful(nn.CrossEntropyLoss):
    def forward(self, y_pred, y):
        if y_pred.abs().max() > 1e4:
            raise ValueError("diverged")
        return super().forward(y_pred, y)


class WithNorm(Dense):
    def __init__(self):
        super().__init__(n_layers=2)
        self.layers.insert(1, nn.BatchNorm1d(16))
        self.dropout = nn.Dropout(0.2)

    def forward(self, X):
        return self.layers(self.dropout(X))


FOLDS = [np.arange(0, 36), np.arange(10, 42), np.arange(6, 46)]


@pytest.mark.parametrize("module", [Dense, Dropping, WithNorm])
def test_loss_that_raises_for_some(module):
    nets = [classifier(module, criterion=Careful, lr=lr) for lr in (1e8, 0.1, 0.01)]
    trainings = assert_same(nets, epochs=(3,), folds=FOLDS)
    assert [t.error is None for t in trainings] == 3 * [False] + 6 * [True]


@pytest.mark.parametrize("at", [3, -1])
def test_target_that_is_no_class(at):
    """One fold has a target that no output stands for."""
    y = Y.copy()
    y[45] = at
    trainings = assert_same(classifier(), y=y)
    assert [t.error is None for t in trainings] == [True, True, False]
