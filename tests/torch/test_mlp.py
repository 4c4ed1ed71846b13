from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sk_hpo import Space
from sk_hpo.torch import MLP, mlp_space
from sk_hpo.torch.mlp import ACTIVATIONS, NORMALIZATIONS


def kinds(mlp):
    return [type(layer) for layer in mlp.layers]


def test_layers_come_in_this_order():
    mlp = MLP(6, 3, hidden_units=4, n_layers=2, dropout=0.2, normalization="layer")
    hidden = [nn.Linear, nn.LayerNorm, nn.ReLU, nn.Dropout]
    assert kinds(mlp) == [nn.Flatten, *hidden, *hidden, nn.Linear]
    shapes = [tuple(p.shape) for p in mlp.parameters() if p.ndim == 2]
    assert shapes == [(4, 6), (4, 4), (3, 4)]


def test_the_plainest():
    assert kinds(MLP(6, 3, n_layers=1)) == [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear]
    assert kinds(MLP(6, 3, n_layers=0)) == [nn.Flatten, nn.Linear]


def test_widths_of_each_layer():
    mlp = MLP(6, 1, hidden_units=(5, 2), n_layers=9)
    assert [layer.out_features for layer in mlp.layers if isinstance(layer, nn.Linear)] == [
        5,
        2,
        1,
    ]


def test_numbers_of_numpy():
    mlp = MLP(np.int64(6), np.int64(3), hidden_units=np.int64(4), n_layers=np.int64(2))
    assert mlp(torch.zeros(2, 6)).shape == (2, 3)


def test_the_output_is_that_of_its_layers_by_hand():
    mlp = MLP(6, 3, hidden_units=4, n_layers=1, activation="tanh")
    X = torch.randn(5, 2, 3)
    first, last = (layer for layer in mlp.layers if isinstance(layer, nn.Linear))
    hidden = torch.tanh(X.reshape(5, 6) @ first.weight.T + first.bias)
    torch.testing.assert_close(mlp(X), hidden @ last.weight.T + last.bias)


@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, nn.Softplus])
def test_every_combination_learns(activation, normalization):
    mlp = MLP(6, 3, 8, 1, activation, dropout=0.1, normalization=normalization)
    mlp = pickle.loads(pickle.dumps(mlp))
    mlp(torch.randn(5, 6)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in mlp.parameters())


def test_selu_has_its_own_dropout():
    assert nn.AlphaDropout in kinds(MLP(6, 3, activation="selu", dropout=0.1))


# Variance of what the signal is after many layers, for standard normal inputs.
@pytest.mark.parametrize(
    ("activation", "low", "high"), [("relu", 0.3, 3), ("selu", 0.5, 2), ("tanh", 0.03, 1)]
)
def test_signals_neither_vanish_nor_explode(activation, low, high):
    torch.manual_seed(0)
    mlp = MLP(400, 400, hidden_units=400, n_layers=10, activation=activation)
    with torch.no_grad():
        second_moment = float(mlp.layers[:-1](torch.randn(200, 400)).square().mean())
    assert low < second_moment < high


@pytest.mark.parametrize(
    ("activation", "variance"), [("relu", 2 / 300), ("selu", 1 / 300), ("tanh", 2 / 500)]
)
def test_weights_are_drawn_for_the_activation(activation, variance):
    torch.manual_seed(0)
    mlp = MLP(300, 3, hidden_units=200, n_layers=1, activation=activation)
    assert float(mlp.layers[1].weight.detach().var()) == pytest.approx(variance, rel=0.03)
    assert not mlp.layers[1].bias.any()
    assert float(mlp.layers[-1].weight.detach().var()) == pytest.approx(2 / 203, rel=0.15)


@pytest.mark.parametrize("params", [{"activation": "rellu"}, {"normalization": "group"}])
def test_misspelt(params):
    (name, value) = next(iter(params.items()))
    with pytest.raises(ValueError, match=f"{name} must be one of .* got '{value}'"):
        MLP(6, 3, **params)


X = np.random.default_rng(0).normal(size=(60, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("cls", "y", "n_outputs"),
    [
        (NeuralNetClassifier, (X[:, 0, 0] > 0).astype(np.int64), 2),
        (NeuralNetBinaryClassifier, (X[:, 0, 0] > 0).astype(np.float32), 1),
        (NeuralNetRegressor, X[:, 0], 3),
    ],
)
def test_nets_of_every_kind(cls, y, n_outputs):
    criterion = {"criterion": nn.CrossEntropyLoss} if cls is NeuralNetClassifier else {}
    net = cls(
        MLP, **criterion, lr=0.1, max_epochs=30, verbose=0, train_split=None,
        module__n_features=6, module__n_outputs=n_outputs,
    )  # fmt: skip
    torch.manual_seed(0)
    net = clone(net).fit(X, y)
    assert net.score(X, y) > 0.7


# --- the space


def test_the_space_has_only_arguments_of_the_module():
    arguments = inspect.signature(MLP).parameters
    names = {name.removeprefix("module__") for name in mlp_space(6, 3)}
    assert names <= set(arguments)
    assert set(arguments) - names == set()


def test_every_config_of_the_space_is_a_module():
    space = Space(mlp_space(6, 3, max_layers=4, max_units=32))
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(60):
        params = space.params(space.sample(rng))
        seen.append(params)
        mlp = MLP(**{name.removeprefix("module__"): value for name, value in params.items()})
        assert mlp(torch.zeros(2, 6)).shape == (2, 3)
    assert {p["module__n_layers"] for p in seen} == {1, 2, 3, 4}
    assert {p["module__normalization"] for p in seen} == {None, "layer"}
    assert all(16 <= p["module__hidden_units"] <= 32 for p in seen)


def test_names_for_a_pipeline():
    assert {name[:13] for name in mlp_space(6, 3, prefix="net__")} == {"net__module__"}
