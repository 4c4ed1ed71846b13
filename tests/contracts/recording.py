"""Estimators that leave a line in a file whenever they train, whatever process they are in."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback

from sk_hpo import HalvingHyperbandSearchCV

# The first column numbers the rows, so that a model can say what it was trained on.
_generator = np.random.default_rng(0)
X = _generator.normal(size=(60, 5)).astype(np.float32)
y = (X[:, 1] + X[:, 2] ** 2 > 0.5).astype(np.int64) + (X[:, 3] > 0.7)
X[:, 0] = np.arange(60) / 64


LR = {"lr": loguniform(1e-3, 0.3)}
CV = StratifiedKFold(2)
SEED = 4


def hyperband(estimator, space=LR, **params):
    given = {"max_resources": 9, "cv": CV, "random_state": SEED, "error_score": "raise"}
    return HalvingHyperbandSearchCV(estimator, space, **(given | params))


def halving(estimator, space=LR, **params):
    return hyperband(estimator, space, brackets=1, **params)


def rows(X):
    """Return the row numbers of what was cut from X."""
    return np.round(np.asarray(X)[:, 0] * 64).astype(int).tolist()


def write(log, **record):
    line = json.dumps({"pid": os.getpid(), **record}) + "\n"
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line.encode())  # one call: lines of two processes do not mix
    finally:
        os.close(fd)


def read(log):
    path = Path(log)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def by_model(log, what="epoch"):
    """Return {(candidate, training rows): [epoch, ...]} in the order of training."""
    models = defaultdict(list)
    for record in read(log):
        if what in record:
            models[record["candidate"], tuple(sorted(record["rows"]))].append(record[what])
    return dict(models)


class Net(torch.nn.Module):
    def __init__(self, dropout=0.3):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(5, 8),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(8, 3),
        )

    def forward(self, X):
        return self.layers(X)


class Recorder(Callback):
    """Notes each epoch; the learning rate tells candidates apart."""

    def __init__(self, log):
        self.log = log

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        where = [round(float(row[0][0]) * 64) for row in dataset_train]
        write(self.log, candidate=net.lr, rows=where, epoch=len(net.history))


def net(**params):
    defaults = {
        "module": Net,
        "criterion": torch.nn.CrossEntropyLoss,
        "lr": 0.05,
        "max_epochs": 9,
        "batch_size": 16,
        "iterator_train__shuffle": True,
        "train_split": None,
        "verbose": 0,
    }
    return NeuralNetClassifier(**defaults | params)


class RecordingSGD(SGDClassifier):
    """Notes each ``partial_fit``; ``alpha`` tells candidates apart."""

    def __init__(self, log, alpha=1e-4, random_state=None):
        super().__init__(alpha=alpha, random_state=random_state)
        self.log = log

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        epoch = round((getattr(self, "t_", 1.0) - 1) / len(X)) + 1
        write(self.log, candidate=self.alpha, rows=rows(X), epoch=epoch)
        return super().partial_fit(X, y, classes=classes, sample_weight=sample_weight)


class RecordingTransformer(TransformerMixin, BaseEstimator):
    """Leaves X as it is, and notes which rows it was fitted on."""

    def __init__(self, log, tag=0.0):
        self.log = log
        self.tag = tag

    def fit(self, X, y=None):
        write(self.log, candidate=self.tag, rows=rows(X), transformer=1)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X
