"""Nets that must be trained alone: each says why, and ends as with the accelerator off."""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from evaluation.fused.trainings import (
    TARGET,
    Backwards,
    Dense,
    X,
    assert_same,
    assert_same_either_way,
    classifier,
    trained,
)
from scipy import sparse
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Freezer,
    GradientNormClipping,
    LRScheduler,
)
from skorch.dataset import Dataset, ValidSplit
from torch import nn
from torch.utils.data import DataLoader

# -- nets ------------------------------------------------------------------------------------


class OwnTrainStep(NeuralNetClassifier):
    def train_step_single(self, batch, **fit_params):
        step = super().train_step_single(batch, **fit_params)
        self.module_.layers[0].weight.grad.mul_(0.5)
        return step


class OwnInfer(NeuralNetClassifier):
    def infer(self, x, **fit_params):
        return super().infer(2 * x, **fit_params)


class OwnLoss(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return 2 * super().get_loss(y_pred, y_true, X=X, training=training)


class OwnIterator(NeuralNetClassifier):
    def get_iterator(self, dataset, training=False):
        return DataLoader(dataset, batch_size=5)


class OwnParameters(NeuralNetClassifier):
    def get_all_learnable_params(self):
        for name, parameter in super().get_all_learnable_params():
            if name != "layers.0.bias":
                yield name, parameter


class TwoModules(NeuralNetClassifier):
    def initialize_module(self):
        super().initialize_module()
        self.other_ = nn.Linear(2, 2)
        return self


class TwoCriteria(NeuralNetClassifier):
    def initialize_criterion(self):
        super().initialize_criterion()
        self.other_ = nn.MSELoss()
        return self


class OwnDataset(Dataset):
    def transform(self, X, y):
        X, y = super().transform(X, y)
        return X + 1, y


# -- callbacks -------------------------------------------------------------------------------


class OnBatch(Callback):
    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            for p in net.module_.parameters():
                p.data.mul_(0.99)


class OnGrad(Callback):
    def on_grad_computed(self, net, named_parameters, **kwargs):
        for _, p in named_parameters:
            p.grad.sign_()


class BeforeEpoch(Callback):
    def on_epoch_begin(self, net, **kwargs):
        net.module_.layers[0].weight.data.mul_(0.9)


# -- modules ---------------------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.cell, self.last = kind(1, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, X):
        return self.last(self.cell(X.unsqueeze(-1))[0][:, -1])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.two.weight = self.one.weight

    def forward(self, X):
        return self.last(self.two(self.one(X).relu()).relu())


class InPython(Dense):
    calls = 0

    def forward(self, X):
        self.calls += 1
        return super().forward(X) / self.calls


class Asking(Dense):
    def forward(self, X):
        return super().forward(X / X.std().item())


class Branching(Dense):
    def forward(self, X):
        return super().forward(-X if X.mean() > 0 else X)


class Indexing(Dense):
    def forward(self, X):
        return super().forward(X + X.shape[1] * int(X[0].argmax()))


class ThroughNumpy(Dense):
    def forward(self, X):
        return super().forward(X * float(X.detach().numpy().max()))


class Noisy(Dense):
    def forward(self, X):
        return super().forward(X + 0.1 * torch.randn_like(X))


class NoisyOfShape(Dense):
    def forward(self, X):
        return super().forward(X + 0.1 * torch.randn(X.shape))


class ChannelDropout(Dense):
    def forward(self, X):
        dropped = F.dropout1d(X.unsqueeze(1), 0.5, self.training).squeeze(1)
        return super().forward(dropped)


class RandomActivation(Dense):
    def __init__(self):
        super().__init__(between=nn.RReLU)


class Hooked(Dense):
    def __init__(self):
        super().__init__()
        self.layers[0].register_forward_hook(double)


def double(module, args, output):
    return 2 * output


class Normalised(Dense):
    def __init__(self, normalise=torch.nn.utils.parametrizations.weight_norm):
        super().__init__()
        normalise(self.layers[0])


class Unused(Dense):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)


class AllFrozen(Dense):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, X):
        return super().forward(X) * (1 + self.shift)


class HalfDouble(Dense):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3, dtype=torch.float64))

    def forward(self, X):
        return super().forward(X) * self.scale.float()


class CumulativeNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(8, momentum=None), nn.Linear(8, 3)

    def forward(self, X):
        return self.last(self.norm(X))


class KeepsFirst(Dense):
    def __init__(self):
        super().__init__()
        self.mask = None

    def forward(self, X):
        if self.mask is None:
            self.mask = (X.mean(0) > 0).float()
        return super().forward(X * self.mask)


class LearnableLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, y_pred, y):
        return F.cross_entropy(self.scale * y_pred, y)


def groups(net, **params):
    return net.set_params(optimizer__param_groups=[("layers.0*", {"lr": 0.01})], **params)


class Warming(nn.CrossEntropyLoss):
    """A loss that weighs more at each call."""

    def __init__(self):
        super().__init__()
        self.n_calls = 0

    def forward(self, y_pred, y):
        self.n_calls += 1
        return super().forward(y_pred, y) * (1 + self.n_calls / 10)


FALLBACKS = {
    "train_step": (lambda: classifier(cls=OwnTrainStep), "OwnTrainStep overrides train_step"),
    "infer": (lambda: classifier(cls=OwnInfer), "OwnInfer overrides infer"),
    "get_loss": (lambda: classifier(cls=OwnLoss), "OwnLoss overrides get_loss"),
    "get_iterator": (lambda: classifier(cls=OwnIterator), "OwnIterator overrides get_iterator"),
    "learnable": (lambda: classifier(cls=OwnParameters), "OwnParameters overrides get_all"),
    "two_modules": (lambda: classifier(cls=TwoModules), "it has several modules"),
    "two_criteria": (lambda: classifier(cls=TwoCriteria), "it has several modules or criteria"),
    "batch_callback": (
        lambda: classifier(callbacks=[("mine", OnBatch())]),
        "its callback 'mine' acts on every batch",
    ),
    "batch_scoring": (
        lambda: classifier(callbacks=[BatchScoring("accuracy", name="x")]),
        "its callback 'BatchScoring' acts on every batch",
    ),
    "clipping": (
        lambda: classifier(callbacks=[GradientNormClipping(0.1)]),
        "its callback 'GradientNormClipping' acts on every batch",
    ),
    "grad_callback": (
        lambda: classifier(callbacks=[("mine", OnGrad())]),
        "its callback 'mine' acts on every batch",
    ),
    "batch_schedule": (
        lambda: classifier(
            callbacks=[LRScheduler("CyclicLR", base_lr=0.01, max_lr=0.1, step_every="batch")]
        ),
        "its callback 'LRScheduler' steps every batch",
    ),
    "freezer": (
        lambda: classifier(callbacks=[Freezer("layers.0*")]),
        "its callback 'Freezer'",
    ),
    "before_epoch": (
        lambda: classifier(callbacks=[("mine", BeforeEpoch())]),
        "its callback 'mine' acts before every epoch",
    ),
    "groups": (
        lambda: groups(classifier()),
        "it has parameter groups",
    ),
    "lbfgs": (lambda: classifier(optimizer=torch.optim.LBFGS), "LBFGS is not"),
    "foreach": (lambda: classifier(optimizer__foreach=True), "optimizer__foreach is set"),
    "fused": (lambda: classifier(optimizer__fused=True), "optimizer__fused is set"),
    "learnt_loss": (
        lambda: classifier(criterion=LearnableLoss),
        "its criterion has parameters",
    ),
    "rnn": (lambda: classifier(partial(Recurrent, nn.RNN)), "RNN keeps a list of weights"),
    "lstm": (lambda: classifier(Recurrent), "LSTM keeps a list of weights"),
    "tied": (lambda: classifier(Tied), "its module ties weights"),
    "python": (lambda: classifier(InPython), "its module keeps state in python"),
    "keeps_first": (lambda: classifier(KeepsFirst), "its module keeps state in python"),
    "item": (lambda: classifier(Asking), "OneAnswerWanted: item()"),
    "branch": (lambda: classifier(Branching), "OneAnswerWanted: bool()"),
    "index": (lambda: classifier(Indexing), "OneAnswerWanted: int()"),
    "numpy": (lambda: classifier(ThroughNumpy), "OneAnswerWanted: numpy()"),
    "noise": (lambda: classifier(Noisy), "OneAnswerWanted: randn_like()"),
    "noise_of_shape": (lambda: classifier(NoisyOfShape), "its module draws random numbers"),
    "channel_dropout": (lambda: classifier(ChannelDropout), "OneAnswerWanted: dropout1d()"),
    "rrelu": (lambda: classifier(RandomActivation), "OneAnswerWanted: rrelu()"),
    "hook": (lambda: classifier(Hooked), "'layers.0' has hooks"),
    "weight_norm": (lambda: classifier(Normalised), "'layers.0' is parametrized"),
    "unused": (lambda: classifier(Unused), "RuntimeError: "),
    "number": (lambda: classifier(AllFrozen), "a parameter has no dimension"),
    "dtypes": (lambda: classifier(HalfDouble), "its parameters are of several dtypes"),
    "cumulative": (lambda: classifier(CumulativeNorm), "OneAnswerWanted: float()"),
    "dataset": (lambda: classifier(dataset=OwnDataset), "its rows are not slices of arrays"),
    "loader": (
        lambda: classifier(iterator_train=Backwards),
        "its rows are not slices of arrays",
    ),
    "valid_loader": (
        lambda: classifier(iterator_valid=Backwards, train_split=ValidSplit(3)),
        "its rows are not slices of arrays",
    ),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_falls_back(name):
    make, reason = FALLBACKS[name]
    assert_same(make(), reason=reason, path="loader", epochs=(2,))


def test_loaders_of_the_users_own_are_no_path():
    net = classifier(iterator_train=Backwards, iterator_valid=Backwards)
    assert_same(net, reason="its rows are not slices of arrays", path="alone", epochs=(2,))


class Shuffles(DataLoader):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs | {"shuffle": True})


def test_a_loader_that_only_chooses_other_options():
    net = classifier(iterator_train=Shuffles, iterator_train__shuffle=False)
    assert_same(net, epochs=(2,))


def test_a_loss_that_counts_its_calls():
    assert_same(classifier(criterion=Warming), epochs=(2, 4))


def test_sparse_rows():
    class OfSparse(Dense):
        def forward(self, X):
            return super().forward(X.to_dense().float())

    net = classifier(OfSparse)
    dense = sparse.csr_matrix(np.round(X))
    assert_same(net, X=dense, reason="its rows are not slices", path="loader")


ONE_FOLD: dict = {"folds": [np.arange(40)], "reason": "no other net is like it"}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"optimizer": torch.optim.Adam, "optimizer__weight_decay": 0.01},
        {"optimizer__momentum": 0.9, "optimizer__weight_decay": 0.003},
        {"optimizer__momentum": 0.9, "optimizer__nesterov": True},
        {"optimizer__momentum": 0.8, "optimizer__dampening": 0.3, "optimizer__maximize": True},
        {"train_split": ValidSplit(4, stratified=True)},
        {"train_split": None, "iterator_train__shuffle": False, "batch_size": 7},
    ],
)
def test_one_net(params):
    assert_same(classifier(**params), path="plan", **ONE_FOLD)


def test_one_net_with_dropout_draws_as_if_alone():
    assert_same(classifier(Dense, module__between=nn.Dropout), path="plan", **ONE_FOLD)


def test_one_net_that_is_no_chain_is_left_to_autograd():
    assert_same(classifier(Convolving, module__n_channels=1), path="loader", **ONE_FOLD)


def test_one_net_that_looks_like_a_chain_but_is_none():
    class Forking(Dense):
        def forward(self, X):
            return super().forward(X) + X.float().mean()

    assert_same(classifier(Forking), path="loader", **ONE_FOLD)


def test_nets_that_differ():
    nets = [
        classifier(),
        classifier(module__width=32),
        classifier(optimizer=torch.optim.Adam),
        classifier(batch_size=16),
        classifier(Dense, module__between=nn.Tanh),
    ]
    assert_same(nets, path="plan", **ONE_FOLD)


def test_big_net():
    net = classifier(module__width=40_000)
    assert_same(net, epochs=(1,), reason="it has too many parameters to gain", path="plan")


def test_loss_that_would_broadcast():
    """skorch's own result, warning and all, is what counts."""
    net = classifier(cls=NeuralNetRegressor, criterion=nn.MSELoss, module__n_outputs=1)
    with pytest.warns(UserWarning, match="broadcast"):
        assert_same(net, y=TARGET[:, 0], path="together", reason="")


# -- state and randomness that one batch does not show ---------------------------------------


class SeldomSkips(Dense):
    """Stochastic depth, by python's generator."""

    def forward(self, X):
        if self.training and random.random() < 0.1:
            X = 0 * X
        return super().forward(X)


class SeldomSkipsByNumpy(Dense):
    def forward(self, X):
        if self.training and np.random.rand() < 0.1:  # noqa: NPY002
            X = 0 * X
        return super().forward(X)


class Clamped(Dense):
    """A bound on weights that holds when training begins, and later does not."""

    def forward(self, X):
        self.layers[2].weight.data.clamp_(-0.26, 0.26)
        return super().forward(X)


class ClampedWithoutGradient(Dense):
    def forward(self, X):
        with torch.no_grad():
            self.layers[2].weight.clamp_(-0.26, 0.26)
        return super().forward(X)


class MaxNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 4, max_norm=1.0)
        self.last = nn.Linear(32, 3)

    def forward(self, X):
        return self.last(self.embedding(X).flatten(1))


class LateBuffer(Dense):
    """A mask that is made at the first forward, as a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", None)

    def forward(self, X):
        if self.mask is None:
            self.mask = torch.ones(X.shape[1])
        return super().forward(X * self.mask)


class SharedBuffer(Dense):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))
        self.layers[0].register_buffer("count", self.count)

    def forward(self, X):
        self.count += 1
        return super().forward(X / self.layers[0].count)


UNSEEN = [
    SeldomSkips,
    SeldomSkipsByNumpy,
    Clamped,
    ClampedWithoutGradient,
    LateBuffer,
    SharedBuffer,
]


@pytest.mark.parametrize("folds", [2, 1])
@pytest.mark.parametrize("module", UNSEEN)
def test_together_or_not_it_is_the_same(module, folds):
    rows = [np.arange(40), np.arange(6, 46)][:folds]
    assert_same_either_way(classifier(module), epochs=(3,), folds=rows)


def test_embedding_with_a_bound():
    tokens = np.abs(np.round(2 * X)).astype(np.int64)
    assert_same_either_way(classifier(MaxNorm), X=tokens, epochs=(4,))


class Convolving(nn.Module):
    def __init__(self, n_channels):
        super().__init__()
        self.convolution = nn.Conv2d(1, n_channels, 3)
        self.last = nn.Linear(n_channels * 26 * 26, 3)

    def forward(self, X):
        images = X.repeat(1, 98).reshape(-1, 1, 28, 28)
        return self.last(torch.relu(self.convolution(images)).flatten(1))


class Chatty(Dense):
    """Many small steps of kinds that are done model by model."""

    def forward(self, X):
        for _ in range(5):
            X = X.cumsum(1).flip(1)
        return super().forward(X)


@pytest.mark.parametrize(
    ("net", "path", "reason"),
    [
        (lambda: classifier(module__width=600, module__n_layers=3), "plan", "too much arith"),
        (lambda: classifier(Convolving, module__n_channels=16), "loader", "too much arith"),
        (lambda: classifier(Chatty), "loader", "most of its forward is done model by model"),
    ],
)
def test_what_gains_nothing_is_trained_alone_unless_that_is_required(
    net, path, reason, monkeypatch
):
    monkeypatch.setattr("sk_hpo.evaluation.fused.probe._MAX_ONE_BY_ONE", 8)
    monkeypatch.setattr("sk_hpo.evaluation.fused.guard._MAX_PARAMETERS", 10**9)
    data = {"folds": [np.arange(40), np.arange(6, 46)]}
    net = net().set_params(batch_size=40)
    alone = trained([net], "auto", epochs=(1,), **data)
    assert all(t.path == path and reason in t.reason for t in alone)
    assert all(t.path == "together" for t in trained([net], "require", epochs=(1,), **data))
