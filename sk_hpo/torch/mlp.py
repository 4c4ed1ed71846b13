"""A multilayer perceptron, and a space of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from scipy.stats import uniform
from torch import nn

from sk_hpo.torch.conditions import prefixed

__all__ = ["MLP", "mlp_space"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "layer": nn.LayerNorm,
    "batch": nn.BatchNorm1d,
}


class MLP(nn.Module):
    """A multilayer perceptron: the ``module`` of a skorch net.

    Each hidden layer is linear, then normalisation, activation and dropout; the output
    layer is linear: logits (for `torch.nn.CrossEntropyLoss`) or the values of a regression.

    Parameters
    ----------
    n_features : int
        Numbers per row; of images, all their pixels.
    n_outputs : int
        Number of classes, or of regression targets; 1 for a
        ``NeuralNetBinaryClassifier``.
    hidden_units : int or sequence of int, default=64
        Units of every hidden layer; or of each of them, first to last.
    n_layers : int, default=2
        Number of hidden layers, unless `hidden_units` is a sequence.
    activation : str or callable, default="relu"
        One of "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"; or
        what returns a module: a class.
    dropout : float, default=0.0
        Probability that a hidden unit is dropped; with "selu", alpha dropout.
    normalization : {None, "layer", "batch"}, default=None
        Batch normalisation cannot train on a batch of a single row: see ``drop_last``.

    Raises
    ------
    ValueError
        For an `activation` or a `normalization` that is not known.

    Notes
    -----
    Weights of hidden layers are drawn for their activation: Glorot & Bengio's way for
    "tanh" and "sigmoid", LeCun's for "selu", otherwise He's; those of the output layer
    Glorot's. Biases are zero.

    Examples
    --------
    >>> mlp = MLP(n_features=64, n_outputs=10, hidden_units=(32, 16), dropout=0.1)
    >>> mlp(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_units: int | Sequence[int] = 64,
        n_layers: int = 2,
        activation: str | Callable[[], nn.Module] = "relu",
        dropout: float = 0.0,
        normalization: str | None = None,
    ) -> None:
        super().__init__()
        if isinstance(activation, str):
            _check("activation", activation, ACTIVATIONS)
        if normalization is not None:
            _check("normalization", normalization, NORMALIZATIONS)
        same = not isinstance(hidden_units, Sequence)
        widths: Any = [hidden_units] * n_layers if same else hidden_units
        sizes = [n_features, *widths]
        layers: list[nn.Module] = [nn.Flatten()]
        for n_inputs, n_units in pairwise(sizes):
            layers += [_linear(n_inputs, n_units, activation)]
            layers += [NORMALIZATIONS[normalization](n_units)] if normalization else []
            layers += [_activation(activation), *_dropout(dropout, activation)]
        self.layers = nn.Sequential(*layers, _linear(sizes[-1], n_outputs, "tanh"))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs.

        Parameters
        ----------
        X : Tensor of shape (n_rows, ...)
            As many numbers per row as ``n_features`` says.

        Returns
        -------
        outputs : Tensor of shape (n_rows, n_outputs)
        """
        return self.layers(X)


def _check(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"{what} must be one of {sorted(known)}, got {name!r}")


def _activation(activation: Any) -> nn.Module:
    return ACTIVATIONS[activation]() if isinstance(activation, str) else activation()


def _dropout(p: float, activation: Any) -> list[nn.Module]:
    if not p:
        return []
    # Klambauer et al., NeurIPS 2017, section 3: keeps the mean and variance of SELU.
    return [nn.AlphaDropout(p) if activation == "selu" else nn.Dropout(p)]


def _linear(n_inputs: int, n_outputs: int, activation: Any) -> nn.Linear:
    layer = nn.Linear(n_inputs, n_outputs)
    if activation in ("tanh", "sigmoid"):
        nn.init.xavier_uniform_(layer.weight)  # Glorot & Bengio, AISTATS 2010, eq. 16
    elif activation == "selu":
        nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")  # LeCun: variance 1 / n
    else:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # He et al. 2015, eq. 10
    nn.init.zeros_(layer.bias)
    return layer


def mlp_space(
    n_features: int,
    n_outputs: int,
    *,
    max_layers: int = 3,
    max_units: int = 256,
    prefix: str = "",
) -> dict[str, Any]:
    """Return a space of `MLP`, for a skorch net with ``module=MLP``.

    Parameters
    ----------
    n_features, n_outputs : int
        As for `MLP`.
    max_layers : int, default=3
        Most hidden layers.
    max_units : int, default=256
        Most units of a hidden layer, at least 16.
    prefix : str, default=""
        Goes before every name: ``"net__"`` for the step ``net`` of a pipeline.

    Returns
    -------
    space : dict
        For ``param_distributions``, together with others by ``{**space, **other}``: 1 to
        `max_layers` layers, powers of two from 16 to `max_units` units (so that candidates
        of one architecture meet, and train together), activation "relu", "gelu", "silu" or
        "tanh", dropout 0 to 0.5, and layer normalisation or none.

    Examples
    --------
    >>> from skorch import NeuralNetClassifier
    >>> net = NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss)
    >>> space = mlp_space(n_features=64, n_outputs=10)
    >>> space["module__hidden_units"]
    [16, 32, 64, 128, 256]
    """
    space = {
        "n_features": [n_features],
        "n_outputs": [n_outputs],
        "hidden_units": [16 << k for k in range((max_units // 16).bit_length())],
        "n_layers": list(range(1, max_layers + 1)),
        "activation": ["relu", "gelu", "silu", "tanh"],
        "dropout": uniform(0.0, 0.5),
        "normalization": [None, "layer"],
    }
    return prefixed(f"{prefix}module__", space)
