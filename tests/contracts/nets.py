"""A small net and data for tests that need one."""

from __future__ import annotations

from typing import Any

import numpy as np
import skorch
import torch
from torch import nn

X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
y = (X[:, 0] > 0).astype(np.int64)


class Net(nn.Module):
    def __init__(self, hidden: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2)
        )

    def forward(self, X: torch.Tensor) -> Any:
        return self.layers(X)


def net(**params: Any) -> skorch.NeuralNetClassifier:
    """Return a shuffling net with dropout, so that every random number counts."""
    given = {
        "criterion": nn.CrossEntropyLoss,
        "max_epochs": 2,
        "iterator_train__shuffle": True,
        "train_split": None,
        "verbose": 0,
    }
    return skorch.NeuralNetClassifier(Net, **(given | params))
