"""The task of all searches: a net of one hidden layer on rows of Fashion-MNIST."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sklearn.datasets import fetch_openml
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo.rungs import hyperband_rungs

__all__ = [
    "FOLDS",
    "MLP",
    "SPACE",
    "TEST_ROWS",
    "Parameter",
    "Problem",
    "load",
    "params_of",
    "plain",
]

FOLDS, TEST_ROWS = 3, 4000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the net, for every package to put into its own words.

    Parameters
    ----------
    kind : {"float", "log", "logint", "choice"}
        Of its distribution.
    low, high : float, default=0.0
        Its bounds, both included, unless it is a choice.
    choices : tuple, default=()
        Its values, if it is a choice.
    """

    kind: Literal["float", "log", "logint", "choice"]
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()


SPACE = {
    "lr": Parameter("log", 1e-3, 1e0),
    "optimizer__momentum": Parameter("float", 0.0, 0.95),
    "optimizer__weight_decay": Parameter("log", 1e-6, 1e-2),
    "batch_size": Parameter("choice", choices=(32, 64, 128, 256)),
    "module__hidden": Parameter("logint", 16, 256),
}


class MLP(nn.Module):
    """One hidden layer."""

    def __init__(self, n_inputs: int = 784, n_classes: int = 10, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, n_classes)
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.layers(X)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Rows to search with, rows to judge by, and how much to train.

    Parameters
    ----------
    X, y : ndarray of shape (n_rows, n_features) and (n_rows,)
        What a search gets.
    X_test, y_test : ndarray
        What no search sees.
    max_epochs : int
        Epochs of a full training.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    max_epochs: int

    @property
    def n_candidates(self) -> int:
        """As many as one round of Hyperband has."""
        rungs = hyperband_rungs(1, self.max_epochs, 3)
        return sum(rung.n_trials for rung in rungs if rung.rung == 0)

    def net(self, **params: Any) -> Any:
        """Return a net as all searches get it, with some parameters changed."""
        return NeuralNetClassifier(
            MLP,
            module__n_inputs=self.X.shape[1],
            module__n_classes=len(np.unique(self.y)),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.SGD,
            max_epochs=self.max_epochs,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        ).set_params(**params)


def load(path: Path | None, rows: int, max_epochs: int, test_rows: int = TEST_ROWS) -> Problem:
    """Return the same rows at each call; the more of them contain the fewer.

    Parameters
    ----------
    path : Path or None
        An npz file with X and y. None: OpenML's Fashion-MNIST.
    rows : int
        For the search.
    max_epochs : int
        Epochs of a full training.
    test_rows : int, default=4000
        To judge by.
    """
    if path is None:
        X, y = fetch_openml("Fashion-MNIST", version=1, return_X_y=True, as_frame=False)
    else:
        with np.load(path) as file:
            X, y = file["X"], file["y"]
    X = X.reshape(len(X), -1).astype(np.float32)
    X, X_test, y, y_test = train_test_split(
        X / X.max(), y.astype(np.int64), test_size=test_rows, stratify=y, random_state=0
    )
    if rows > len(X):
        raise ValueError(f"{rows} rows are wanted, but beside the test rows are {len(X)}.")
    return Problem(X[:rows], y[:rows], X_test, y_test, max_epochs)


def params_of(net: Any) -> dict[str, Any]:
    """Return the values of what is searched, as JSON knows them."""
    return {name: plain(getattr(net, name)) for name in SPACE}


def plain(value: Any) -> Any:
    """Return a number as Python's own."""
    return value.item() if hasattr(value, "item") else value
