"""Keras Tuner's Fashion-MNIST network, tuned in its three ways.

How many hidden layers, how many units, which learning rate, SGD or Adam, and whether to
standardize the pixels: the search that the book "Hands-On Machine Learning" does with Keras
Tuner. Here the scaler and the network are one `Pipeline`, so that the scaler is fitted on the
training rows of each fold, and is a hyperparameter like any other.
"""

import os

import numpy as np
import torch
from fashion_mnist_mlp import load  # of this folder: a file, or OpenML
from scipy.stats import loguniform, randint
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from torch import nn

from sk_hpo import (
    BayesSearchCV,
    GPSampler,
    HalvingHyperbandSearchCV,
    ParallelCoordinatesDisplay,
    RandomSearchCV,
    SearchHistoryDisplay,
    when,
)
from sk_hpo.torch import MLP

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"

# %%
# ## Data and model
#
# A fifth of the rows is a test set. It is looked at once, at the end.

if SMALL:
    X, y = load_digits(return_X_y=True)
    X, n_rows, max_epochs = X.astype(np.float32) / 16, 150, 3
else:
    X, y, _ = load(None)
    n_rows, max_epochs = 4000, 10
X, X_test, y, y_test = train_test_split(
    X, y, train_size=n_rows * 4 // 5, test_size=n_rows // 5, stratify=y, random_state=0
)

net = NeuralNetClassifier(
    MLP,
    module__n_features=X.shape[1],
    module__n_outputs=10,
    criterion=nn.CrossEntropyLoss,
    max_epochs=max_epochs,
    batch_size=32,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)
model = Pipeline([("scaler", StandardScaler()), ("net", net)])
space = {
    "scaler": [StandardScaler(), "passthrough"],
    "net__module__n_layers": list(range(9)),
    # A network without hidden layers has no hidden units: nothing is learned about them.
    "net__module__hidden_units": when(
        randint(16, 257), net__module__n_layers=list(range(1, 9))
    ),
    "net__lr": loguniform(1e-4, 1e-2),
    "net__optimizer": [torch.optim.SGD, torch.optim.Adam],
}
common = {"cv": 3, "random_state": 42}

# %%
# ## Hyperband, twice, with early stopping
#
# A network that has not improved for two epochs stops by itself. What it watches are rows of
# its training rows (`early_stopping_split`), never those that it is scored on.

stopping = clone(model).set_params(
    net__callbacks=[("stop", EarlyStopping(patience=2, load_best=True))]
)
hyperband = HalvingHyperbandSearchCV(
    stopping, space, hyperband_iterations=2, early_stopping_split=0.2, **common
)
plan = hyperband.plan(X, y)
print(plan)
hyperband.fit(X, y)
print(f"epochs spent: {hyperband.resource_spent_:.0f} of {plan.cost}")

# %%
# ## Random search and Bayesian optimization, for as many epochs
#
# Keras Tuner's `alpha` is the variance of the noise that a score is believed to have, and
# `beta` how much an uncertain score is preferred. (By default the noise is learned from the
# scores, and the acquisition is the expected improvement.)

n_iter = 4 if SMALL else round(plan.cost / (3 * max_epochs))
keras_like = GPSampler(acquisition="ucb", alpha=1e-4, beta=2.6)
random = RandomSearchCV(model, space, n_iter=n_iter, **common).fit(X, y)
bayes = BayesSearchCV(model, space, n_iter=n_iter, sampler=keras_like, **common).fit(X, y)

searches = {"random search": random, "Hyperband": hyperband, "Bayesian (UCB)": bayes}
for name, search in searches.items():
    chosen = {key.removeprefix("net__"): value for key, value in search.best_params_.items()}
    chosen["optimizer"] = chosen["optimizer"].__name__
    chosen["lr"] = float(f"{chosen['lr']:.2g}")
    print(f"{name}: CV {search.best_score_:.3f}\n    {chosen}")

# %%
# The best so far against the epochs that all folds took together. Hyperband's line falls out of
# the picture where a higher rung begins, on which the scores of lower ones do not count.

display = SearchHistoryDisplay.from_searches(searches, x="resource")
if not SMALL:
    display.ax_.set_ylim(0.6, 0.85)

# %%
# Every candidate of the Bayesian search as a line; the brighter, the better.

display = ParallelCoordinatesDisplay.from_search(
    bayes,
    parameters=[
        "scaler",
        "net__optimizer",
        "net__lr",
        "net__module__n_layers",
        "net__module__hidden_units",
    ],
)
display.ax_.set_xticklabels(["scaler", "optimizer", "lr", "n_layers", "hidden_units"])

# %%
# ## One look at the test set
#
# The search with the best CV score is chosen, and only its network sees the test rows.

name, winner = max(searches.items(), key=lambda item: item[1].best_score_)
score = winner.score(X_test, y_test)
print(f"{name}: CV {winner.best_score_:.3f}, test {score:.3f} on {len(y_test)} rows")
