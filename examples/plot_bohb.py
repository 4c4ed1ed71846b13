"""BOHB against Hyperband and random search.

Hyperband spends little on many candidates and more on the best of them, but draws them
blindly. BOHB is Hyperband whose candidates are suggested by Parzen estimators, fitted to what
was seen so far. Random search trains every candidate in full. All three may spend the same
number of epochs on the same network, over several seeds: one run tells little.
"""

import os

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import BOHBSearchCV, HalvingHyperbandSearchCV, RandomSearchCV, SearchHistoryDisplay
from sk_hpo.torch import MLP

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"
SEEDS = range(2 if SMALL else 5)

# %%
# ## The network and its space

X, y = load_digits(return_X_y=True)
if SMALL:
    X, y = X[:200], y[:200]
net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_outputs=10,
    module__n_layers=1,
    module__hidden_units=32,
    criterion=nn.CrossEntropyLoss,
    max_epochs=3 if SMALL else 27,
    batch_size=64,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)
space = {
    "lr": loguniform(1e-4, 1e0),
    "optimizer__momentum": uniform(0.0, 0.99),
    "optimizer__weight_decay": loguniform(1e-6, 1e-1),
    "module__dropout": uniform(0.0, 0.7),
    "module__activation": ["relu", "tanh", "sigmoid"],
}

# %%
# ## The same budget
#
# Hyperband's plan says what it will cost. BOHB's is the same, and random search gets as many
# full trainings as that pays for. Each seed sets other rows aside as a test set. The folds are
# shuffled: digits are sorted by who wrote them.

folds = StratifiedKFold(3, shuffle=True, random_state=0)
common = {"cv": folds, "test_size": 0.2}
ladder = {"max_resources": net.max_epochs, "hyperband_iterations": 1 if SMALL else 2}
plan = HalvingHyperbandSearchCV(net, space, **ladder, **common).plan(X, y)
n_iter = round(plan.cost / (3 * net.max_epochs))
print(f"{plan.cost} epochs: {plan.n_candidates} candidates, or {n_iter} in full")

searches = {"random": [], "Hyperband": [], "BOHB": []}
for seed in SEEDS:
    honest = {"random_state": seed, **common}
    searches["random"].append(RandomSearchCV(net, space, n_iter=n_iter, **honest))
    searches["Hyperband"].append(HalvingHyperbandSearchCV(net, space, **ladder, **honest))
    searches["BOHB"].append(BOHBSearchCV(net, space, **ladder, **honest))
for of_name in searches.values():
    for search in of_name:
        search.fit(X.astype(np.float32) / 16, y)

# %%
# ## The best so far
#
# The lines are means over the seeds, the bands one standard deviation. A line falls where a
# seed first reaches 27 epochs, with a candidate that may be worse: scores of fewer epochs no
# longer count then.

display = SearchHistoryDisplay.from_searches(searches)
if not SMALL:
    display.ax_.set_ylim(0.9, 1.0)

# %%
# ## What each seed has come to
#
# Left is the score by which the search chose, right that on the rows which it had set aside; a
# dot is a seed, a bar the mean. Of the difference in CV scores, half is left on the test rows,
# where the seeds lie further apart than the searches do: five seeds do not settle it.

table = pd.DataFrame(
    {
        (name, score): [getattr(search, attribute) for search in of_name]
        for name, of_name in searches.items()
        for score, attribute in [("CV", "best_score_"), ("test", "test_score_")]
    }
)
print(table.agg(["mean", "std"]).T.round(4).to_string())

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained", sharey=True)
for ax, score in zip(axes, ("CV", "test"), strict=True):
    for x, (name, color) in enumerate(
        zip(searches, ("#0072B2", "#E69F00", "#009E73"), strict=True)
    ):
        values = table[name, score]
        shift = np.linspace(-0.12, 0.12, len(values))
        ax.plot(x + shift, values, "o", color=color, markersize=6, alpha=0.8)
        ax.hlines(values.mean(), x - 0.25, x + 0.25, color=color, linewidth=2.5)
    ax.set_xticks(range(len(searches)), list(searches))
    ax.set_title("CV score of the best" if score == "CV" else "Score on its test rows")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("accuracy")
