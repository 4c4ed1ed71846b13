"""A convolutional network with ASHA.

The search that many begin with in Ray Tune: two layer sizes that are powers of two, the
learning rate and the batch size, and ASHA, which stops bad candidates early and never waits
for a rung to be full. Any torch module will do, wrapped by skorch.
"""

import os

import numpy as np
from fashion_mnist_mlp import load  # of this folder: a file, or OpenML
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import ASHASearchCV, BracketDisplay, LearningCurvesDisplay, SliceDisplay

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"


class ConvNet(nn.Module):
    """Two convolutions, and two hidden layers of searched sizes."""

    def __init__(self, l1=64, l2=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(4),
            nn.Flatten(),
            nn.Linear(16 * 4 * 4, l1),
            nn.ReLU(),
            nn.Linear(l1, l2),
            nn.ReLU(),
            nn.Linear(l2, 10),
        )

    def forward(self, X):
        return self.layers(X)


# %%
# ## Images
#
# Of 28 by 28 pixels; 8 by 8 on the small budget.

if SMALL:
    X, y = load_digits(return_X_y=True)
    X, n_rows, n_candidates, max_epochs = X.astype(np.float32) / 16, 240, 4, 3
else:
    X, y, _ = load(None)
    n_rows, n_candidates, max_epochs = 3000, 27, 9
X, _, y, _ = train_test_split(X, y, train_size=n_rows, stratify=y, random_state=0)
side = int(np.sqrt(X.shape[1]))
X = X.reshape(-1, 1, side, side)

net = NeuralNetClassifier(
    ConvNet,
    criterion=nn.CrossEntropyLoss,
    optimizer__momentum=0.9,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)

# %%
# ## The search
#
# Powers of two are a list. A candidate is judged after one epoch, and again after three; the
# best third of those seen so far go on, where each of their fold models stood. With `n_jobs`,
# every worker is always busy. (`accelerator="auto"` would begin many candidates at once, to
# train those of one architecture together; here there are few such.)

space = {
    "module__l1": [2**i for i in range(2, 9)],
    "module__l2": [2**i for i in range(2, 9)],
    "lr": loguniform(1e-4, 1e-1),
    "batch_size": [8, 16, 32, 64],
}
search = ASHASearchCV(
    net,
    space,
    n_candidates=n_candidates,
    max_resources=max_epochs,
    cv=3,
    test_size=0.2,
    accelerator="loader",
    random_state=0,
)
print(search.plan(X, y))
search.fit(X, y)
everything = n_candidates * 3 * max_epochs
print(f"{search.resource_spent_:.0f} epochs; all candidates in full: {everything}")
print(search.summary(k=3))

# %%
# ## What happened
#
# Score against epochs; bold are those that came to the end.

LearningCurvesDisplay.from_search(search)

# %%
# Who stood on which rung, by rank. ASHA promotes by what it has seen so far, so that early
# candidates were promoted which later ones pushed out of the best third: some 40 % more epochs
# than planned, the price of never waiting.

BracketDisplay.from_search(search)

# %%
# The score against each hyperparameter. Small dots were stopped early.

SliceDisplay.from_search(search)

# %%
# ## The test set, looked at once

low, high = search.test_score_interval_
print(f"CV   {search.best_score_:.3f}")
print(f"test {search.test_score_:.3f} ({low:.3f} to {high:.3f})")
