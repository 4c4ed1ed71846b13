"""Together is alone, to the last bit: whatever the optimizer, loss, module and data."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from evaluation.fused.trainings import (
    TARGET,
    Dense,
    X,
    Y,
    assert_equal_trainings,
    assert_same,
    assert_same_either_way,
    begun,
    classifier,
    one_thread,
    trained,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.dataset import ValidSplit
from torch import nn, optim

from sk_hpo.evaluation.fused import stack
from sk_hpo.evaluation.rng import kept
from sk_hpo.evaluation.skorch import SkorchEpochs

# -- optimizers ------------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": (optim.SGD, {}),
    "momentum": (optim.SGD, {"momentum": 0.9, "weight_decay": 1e-2}),
    "dampening": (optim.SGD, {"momentum": 0.9, "dampening": 0.3}),
    "nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "maximize": (optim.SGD, {"lr": 1e-3, "maximize": True}),
    "adam": (optim.Adam, {"lr": 0.01, "weight_decay": 1e-2}),
    "amsgrad": (optim.Adam, {"lr": 0.01, "amsgrad": True}),
    "adamw": (optim.AdamW, {"lr": 0.01}),
    "rmsprop": (optim.RMSprop, {"lr": 1e-3}),
    "centered": (optim.RMSprop, {"lr": 1e-3, "centered": True, "momentum": 0.5}),
    "adagrad": (optim.Adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    "adamax": (optim.Adamax, {"lr": 0.01}),
    "nadam": (optim.NAdam, {"lr": 0.01, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    "radam": (optim.RAdam, {"lr": 0.01}),
    "adadelta": (optim.Adadelta, {"lr": 1.0}),
    "asgd": (optim.ASGD, {"t0": 5}),
    "rprop": (optim.Rprop, {"lr": 1e-3}),
    "adam_maximize": (optim.Adam, {"lr": 1e-3, "maximize": True}),
}


def optimizing(name, **params):
    kind, own = OPTIMIZERS[name]
    own = {f"optimizer__{n}": v for n, v in {"lr": 0.1, **own}.items()}
    return classifier(optimizer=kind, **{**own, **params})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    assert_same(optimizing(name), epochs=(4,))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_of_paused_nets(name):
    assert_same(optimizing(name), epochs=(1, 3, 6), pause=True)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_of_different_hyperparameters(name):
    lr = optimizing(name).get_params()["optimizer__lr"]
    nets = [optimizing(name, optimizer__lr=f * lr) for f in (1.0, 0.3, 1e-2)]
    if name not in ("rprop",):
        nets += [optimizing(name, optimizer__weight_decay=w) for w in (0.0, 0.03)]
    assert_same(nets, epochs=(1, 3))


OF_STATES = {
    "adam": [{"betas": (0.8, 0.99)}, {"betas": (0.9, 0.9)}, {"eps": 1e-3}],
    "adamw": [{"betas": (0.8, 0.99)}, {"eps": 1e-5}],
    "nadam": [{"betas": (0.8, 0.99)}, {"momentum_decay": 0.1}, {"eps": 1e-3}],
    "adamax": [{"betas": (0.8, 0.99)}, {"eps": 1e-3}],
    "rmsprop": [{"alpha": 0.9}, {"momentum": 0.5}, {"eps": 1e-3}],
    "adagrad": [{"lr_decay": 0.1}, {"initial_accumulator_value": 0.3}, {"eps": 1e-3}],
}


@pytest.mark.parametrize("name", OF_STATES)
def test_hyperparameters_of_what_an_optimizer_keeps(name):
    given = [{f"optimizer__{k}": v for k, v in own.items()} for own in ({}, *OF_STATES[name])]
    assert_same([optimizing(name, **own) for own in given], epochs=(1, 3), pause=True)


def test_hyperparameters_that_are_switches():
    nets = [
        classifier(optimizer=optim.Adam, lr=0.01, optimizer__amsgrad=a, optimizer__maximize=m)
        for a in (False, True)
        for m in (False, True)
    ]
    assert_same(nets, epochs=(1, 3), pause=True)


def test_paused_after_different_numbers_of_epochs():
    """Counters of steps differ from net to net, within one group."""

    def run(accelerator):
        resource = SkorchEpochs(accelerator=accelerator)
        with kept(), one_thread():
            trainings = begun([optimizing("nadam")], resource)
            for goals in ((1, 2, 3), (4, 4, 4)):
                for training, to in zip(trainings, goals, strict=True):
                    training.to = to
                resource.advance_all(trainings)
        return trainings

    for one, other in zip(run("auto"), run("off"), strict=True):
        assert one.path == "together"
        assert_equal_trainings(one, other)


# -- losses ----------------------------------------------------------------------------------


class Focal(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, y_pred, y):
        logs = F.log_softmax(y_pred, 1).gather(1, y[:, None])
        return -((1 - logs.exp()) ** self.gamma * logs).mean()


class Probabilities(Dense):
    def forward(self, X):
        return torch.softmax(super().forward(X), -1)


class LogProbabilities(Dense):
    def forward(self, X):
        return F.log_softmax(super().forward(X), dim=1)


CLASS_LOSSES = {
    "cross_entropy": {},
    "weighted": {"criterion__weight": torch.tensor([1.0, 2.0, 0.5])},
    "smoothed": {"criterion__label_smoothing": 0.1},
    "sum": {"criterion__reduction": "sum", "lr": 0.01},
    "nll": {"module": Probabilities, "criterion": nn.NLLLoss},
    "weighted_nll": {
        "module": Probabilities,
        "criterion": nn.NLLLoss,
        "criterion__weight": torch.tensor([1.0, 2.0, 0.5]),
    },
    "custom": {"criterion": Focal},
}


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_loss_of_classes(name):
    assert_same(classifier(**CLASS_LOSSES[name]), epochs=(3,))


def test_loss_of_log_probabilities():
    net = classifier(LogProbabilities, cls=NeuralNet, criterion=nn.NLLLoss)
    assert_same(net, epochs=(3,))


@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("module", [Dense, Probabilities])
def test_loss_that_ignores_targets(ignored, module):
    y = Y.copy()
    y[::5] = ignored
    criterion = nn.CrossEntropyLoss if module is Dense else nn.NLLLoss
    net = classifier(
        module, cls=NeuralNetClassifier, criterion=criterion, criterion__ignore_index=ignored
    )
    assert_same_either_way(net, y=y, epochs=(3,))


def test_different_class_weights_of_candidates():
    nets = [classifier(criterion__weight=torch.tensor([w, 1.0, 1.0])) for w in (0.3, 1.0, 3.0)]
    assert_same(nets, epochs=(3,))


@pytest.mark.parametrize("criterion", [nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss])
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_loss_of_numbers(criterion, n_outputs):
    net = classifier(
        cls=NeuralNetRegressor,
        criterion=criterion,
        module__n_outputs=n_outputs,
        lr=0.05,
    )
    y = np.hstack([TARGET * k for k in range(1, n_outputs + 1)])
    assert_same(net, y=y, epochs=(3,))


def test_binary_loss():
    net = classifier(
        cls=NeuralNetBinaryClassifier, criterion=nn.BCEWithLogitsLoss, module__n_outputs=1
    )
    assert_same(net, y=(Y > 0).astype(np.float32), epochs=(3,))


# -- modules ---------------------------------------------------------------------------------

ACTIVATIONS = [
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.LeakyReLU,
    nn.Hardtanh, nn.ReLU6, nn.Softplus, nn.Softsign, nn.Tanhshrink, nn.Mish, nn.Hardswish,
    nn.Hardsigmoid, nn.LogSigmoid, nn.PReLU, nn.Identity,
]  # fmt: skip


def alike_or_refused(net, **options):
    """Together with equal results, or refused by the probe: that depends on the machine."""
    (first, *_) = trained([net], "auto", **options)
    rounds = first.reason.startswith("this machine's kernels round differently")
    alone = {"path": "loader", "reason": first.reason} if rounds else {}
    return assert_same(net, **alone, **options)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda kind: kind.__name__)
def test_activation(activation):
    alike_or_refused(classifier(module__between=activation), epochs=(8,))


@pytest.mark.parametrize(
    "activation", [nn.ReLU, nn.ELU, nn.SELU, nn.LeakyReLU, nn.Hardtanh, nn.SiLU, nn.CELU]
)
def test_inplace_activation(activation):
    net = classifier(module__between=partial(activation, inplace=True))
    alike_or_refused(net, epochs=(4,))


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
@pytest.mark.parametrize("width", [1, 16, 33])
def test_layers(n_layers, width):
    alike_or_refused(classifier(module__n_layers=n_layers, module__width=width), epochs=(4,))


class Normed(Dense):
    def __init__(self, norm="batch", dropout=0.2):
        super().__init__(n_layers=2)
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.layers.insert(1, norms[norm](16))
        self.layers.append(nn.Identity())
        self.dropout = nn.Dropout(dropout)

    def forward(self, X):
        return self.layers(self.dropout(X))


class FunctionalDropout(Dense):
    def forward(self, X):
        hidden = F.dropout(self.layers[:2](X), 0.4, self.training)
        return self.layers[2](F.dropout(hidden, p=0.1, training=self.training, inplace=True))


class Embedded(nn.Module):
    def __init__(self, padding_idx=None):
        super().__init__()
        self.embedding = nn.Embedding(9, 4, padding_idx=padding_idx)
        self.last = nn.Linear(32, 3)

    def forward(self, X):
        return self.last(torch.flatten(self.embedding(X), 1))


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Linear(12, 3)

    def forward(self, X):
        hidden = self.pool(torch.relu(self.norm(self.conv(X))))
        return self.last(hidden.view(hidden.size(0), -1))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 8), nn.Linear(4, 8)
        self.last = nn.Linear(16, 3)

    def forward(self, left, right):
        return self.last(torch.cat([self.one(left).relu(), self.other(right).tanh()], 1))


class TwoOutputs(Dense):
    def forward(self, X):
        return super().forward(X), X.mean(1)


class TwoLosses(nn.Module):
    def forward(self, y_pred, y):
        logits, mean = y_pred
        return F.cross_entropy(logits, y) + (logits.mean(1) - mean).pow(2).mean()


class Reshaping(Dense):
    def forward(self, X):
        X = X.reshape(len(X), 1, -1).expand(X.shape[0], 2, 8)
        return super().forward(X.reshape(-1, 8)).view(X.shape[0], 2, 3).mean(dim=1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.last = nn.Linear(4, 3)

    def forward(self, X):
        return self.last(self.layer(self.first(X.unsqueeze(-1))).mean(1))


class Counting(Dense):
    def __init__(self):
        super().__init__()
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(8), persistent=False)

    def forward(self, X):
        if self.training:
            self.batches += 1
            self.mean = 0.9 * self.mean + 0.1 * X.mean(0)
        return super().forward(X - self.mean)


class Frozen(Dense):
    def __init__(self):
        super().__init__(n_layers=2)
        self.layers[0].weight.requires_grad_(False)
        self.layers[2].bias.requires_grad_(False)


class Mathematical(Dense):
    """Parameters used as numbers, broadcasts, and functions that no rule knows."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.matrix = nn.Parameter(torch.eye(8))
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, X):
        X = 2 * X * self.scale + self.shift - torch.arange(8)
        X = torch.einsum("ij,jk->ik", X, self.matrix) / (1 + X.std(dim=1, keepdim=True))
        X = torch.where(X > 0, X, 0.1 * X).clamp(-3, 3)
        return super().forward(torch.sort(X, dim=1)[0] @ self.matrix.T)


WORDS = {"X": np.abs(np.round(2 * X)).astype(np.int64)}

MODULES = {
    "batch_norm": (Normed, {"module__norm": "batch"}, {}),
    "layer_norm": (Normed, {"module__norm": "layer"}, {}),
    "functional_dropout": (FunctionalDropout, {}, {}),
    "embedding": (Embedded, {}, WORDS),
    "embedding_padded": (Embedded, {"module__padding_idx": 0}, WORDS),
    "conv": (Conv, {}, {"X": np.tile(X, (1, 2)).reshape(-1, 1, 4, 4).copy()}),
    "two_inputs": (TwoInputs, {}, {"X": {"left": X[:, :4].copy(), "right": X[:, 4:].copy()}}),
    "two_outputs": (TwoOutputs, {"criterion": TwoLosses, "cls": NeuralNet}, {}),
    "reshaping": (Reshaping, {}, {}),
    "counting": (Counting, {}, {}),
    "frozen": (Frozen, {}, {}),
    "mathematical": (Mathematical, {}, {}),
}


@pytest.mark.parametrize("split", [None, ValidSplit(3)], ids=["all", "split"])
@pytest.mark.parametrize("name", [name for name in MODULES if name != "mathematical"])
def test_module(name, split):
    module, params, data = MODULES[name]
    folds = {"folds": [np.arange(0, 36), np.arange(10, 42), np.arange(6, 46)]}
    net = classifier(module, **{"train_split": split, "lr": 0.03, **params})
    alike_or_refused(net, epochs=(1, 3), **folds, **data)


def test_transformer_layer():
    """Its fast path for predictions is another kernel: it must not be taken for equal."""
    assert_same_either_way(classifier(Attention))


class ByName(Dense):
    def forward(self, X):
        return super().forward(torch.sort(X, dim=1).values)


def test_function_of_named_results():
    assert_same(classifier(ByName))


# -- data ------------------------------------------------------------------------------------

LOADING = {
    "bigger_batch_than_data": {"batch_size": 500},
    "one_row": {"batch_size": 1},
    "last_of_one_row": {"batch_size": 32},
    "drop_last": {"iterator_train__drop_last": True},
    "in_order": {"iterator_train__shuffle": False},
    "valid_split": {"train_split": ValidSplit(3, stratified=True)},
    "random_split": {"train_split": ValidSplit(0.3)},
    "other_valid_batch": {"train_split": ValidSplit(2), "iterator_valid__batch_size": 3},
}


@pytest.mark.parametrize("name", LOADING)
def test_loading(name):
    alike_or_refused(classifier(**LOADING[name]), epochs=(2, 4))


def test_all_rows_in_a_batch():
    folds = [np.arange(0, 40), np.arange(6, 46)]
    alike_or_refused(classifier(batch_size=-1), epochs=(3,), folds=folds)


def test_double_precision():
    class Double(Dense):
        def __init__(self):
            super().__init__()
            self.double()

    alike_or_refused(classifier(Double), X=X.astype(np.float64), epochs=(3,))


def test_bytes():
    class OfBytes(Dense):
        def forward(self, X):
            return super().forward(X.float() / 255)

    data = np.clip(100 + 50 * X, 0, 255).astype(np.uint8)
    alike_or_refused(classifier(OfBytes), X=data, epochs=(3,))


def test_torch_tensors():
    alike_or_refused(classifier(), X=torch.from_numpy(X), y=torch.from_numpy(Y), epochs=(3,))


def test_more_nets_than_a_group_holds():
    nets = [classifier(lr=0.01 * k) for k in range(1, 24)]
    assert len(nets) * 3 > stack._MOST
    assert_same(nets, epochs=(1,))


SHAPES = st.tuples(
    st.sampled_from([5, 8, 13, 20]),  # inputs
    st.sampled_from([4, 5, 7, 10, 12, 20, 33]),  # hidden units
    st.sampled_from([2, 3, 4]),  # outputs
    st.sampled_from([8, 16, 32, 64]),  # rows of a batch
    st.sampled_from([60, 90, 150]),  # rows
    st.sampled_from([1, 2]),  # layers
    st.sampled_from([nn.ReLU, nn.Sigmoid, nn.SiLU, nn.Tanh, nn.GELU, nn.ELU]),
    st.sampled_from([torch.optim.SGD, torch.optim.Adam]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(SHAPES, st.integers(1, 3), st.integers(2, 3), st.booleans())
def test_any_shape(shape, n_nets, n_folds, splits):
    """Kernels depend on sizes and on where a tensor begins; the numbers must not."""
    n_inputs, width, n_outputs, batch_size, n, n_layers, between, optimizer = shape
    rng = np.random.default_rng(0)
    data = rng.normal(size=(n, n_inputs)).astype(np.float32)
    target = rng.integers(0, min(n_outputs, 3), n)
    sizes = {"module__n_inputs": n_inputs, "module__n_outputs": max(n_outputs, 3)}
    nets = [
        classifier(
            module__between=between,
            module__width=width,
            module__n_layers=n_layers,
            lr=0.1 / (k + 1),
            batch_size=batch_size,
            optimizer=optimizer,
            train_split=ValidSplit(5) if splits else None,
            **sizes,
        )
        for k in range(n_nets)
    ]
    parts = np.array_split(np.arange(n), n_folds)
    folds = [np.setdiff1d(np.arange(n), part) for part in parts]
    assert_same(nets, X=data, y=target, folds=folds, epochs=(2,))


def test_every_model_has_its_own_dropout():
    """Rates from none to all; a group of one architecture, whose plan they share."""
    nets = [classifier(Dropped, module__p=p) for p in (0.0, 0.2, 0.2, 0.7, 1.0)]
    ours = assert_same(nets, epochs=(2, 4))
    assert [t.model.estimator.module_.drop.p for t in ours[::3]] == [0.0, 0.2, 0.2, 0.7, 1.0]


class Dropped(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 3)
        self.drop = nn.Dropout(p)

    def forward(self, X):
        return self.last(self.drop(torch.relu(self.first(self.drop(X)))))
