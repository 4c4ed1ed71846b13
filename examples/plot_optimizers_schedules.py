"""Nine optimizers and five learning-rate schedules on one network.

Which optimizer is best depends on how well each was tuned. Here each gets its own space, from
`optimizer_space`, and the same number of candidates; then the schedules of the learning
rate, from `schedule_space`, likewise. The dots show more than a table of winners would: how
much luck it takes to find a good setting.
"""

import os

import numpy as np
from fashion_mnist_mlp import load  # of this folder: a file, or OpenML
from matplotlib import pyplot as plt
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import RandomSearchCV
from sk_hpo.torch import MLP, Schedule, nesterov, optimizer_space, schedule_space

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"
OPTIMIZERS = (
    *("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamax", "nadam"),
    "adamw",
)
SCHEDULES = ("constant", "power", "exponential", "piecewise", "performance", "1cycle")

# %%
# ## One network, one budget

if SMALL:
    X, y = load_digits(return_X_y=True)
    X, n_rows, n_iter, max_epochs = X.astype(np.float32) / 16, 150, 2, 2
else:
    X, y, _ = load(None)
    n_rows, n_iter, max_epochs = 2500, 16, 15
X, X_test, y, y_test = train_test_split(
    X, y, train_size=n_rows * 4 // 5, test_size=n_rows // 5, stratify=y, random_state=0
)
net = NeuralNetClassifier(
    MLP,
    module__n_features=X.shape[1],
    module__n_outputs=10,
    module__hidden_units=32,
    criterion=nn.CrossEntropyLoss,
    callbacks=[("schedule", Schedule())],
    max_epochs=max_epochs,
    batch_size=64,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)


def tuned(space):
    """Return a random search of the common budget over a space."""
    return RandomSearchCV(net, space, n_iter=n_iter, cv=3, random_state=0).fit(X, y)


def draw(searches, title):
    """Plot the error of every candidate, a row for each search, the best search on top."""
    order = sorted(searches, key=lambda name: searches[name].best_score_)
    size = (7.5, 0.4 * len(order) + 1.6)
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    for row, name in enumerate(order):
        errors = 1 - searches[name].cv_results_["mean_test_score"]
        ax.plot(errors, np.full(len(errors), row), "o", color="#0072B2", alpha=0.45)
        ax.plot(np.median(errors), row, "|k", markersize=16, markeredgewidth=2)
        ax.plot(errors.min(), row, "D", color="#D55E00", markersize=7)
        at = {"xycoords": ("axes fraction", "data"), "va": "center"}
        ax.annotate(f"{errors.min():.3f}", (1.01, row), **at)
    ax.plot([], [], "o", color="#0072B2", alpha=0.45, label="a candidate")
    ax.plot([], [], "|k", markersize=12, markeredgewidth=2, label="their median")
    ax.plot([], [], "D", color="#D55E00", label="the best")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    ax.set_yticks(range(len(order)), order)
    ax.set(xscale="log", xlabel="CV error (log scale)", title=title)
    ticks = (0.2, 0.3, 0.5, 0.9)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


# %%
# ## Optimizers
#
# Each with its own learning rate, momentum, epsilon and so on: a parameter exists only for the
# optimizers that have it. The best of most are within each other's noise; what differs is how
# many candidates are good, and how many learn nothing at all (an error of 0.9).

by_optimizer = {name: tuned(optimizer_space([name])) for name in OPTIMIZERS}
draw(by_optimizer, f"{n_iter} random candidates for each optimizer")

# %%
# ## Schedules
#
# Curves of the learning rate over the whole budget, as fractions of the highest. The
# performance schedule is not among them: it follows the loss.

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
colors = ("#777777", "#0072B2", "#D55E00", "#009E73", "#CC79A7")
for kind, color in zip([k for k in SCHEDULES if k != "performance"], colors, strict=True):
    ax.plot(range(1, 31), Schedule(kind).simulate(30, initial_lr=1.0), color=color, label=kind)
ax.set(xlabel="epoch of 30", ylabel="learning rate / highest", title="With their defaults")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Each schedule gets the same budget again, with the parameters that it has and the highest
# learning rate. The optimizer is SGD with Nesterov's momentum. A good schedule helps, a
# schedule with more to be tuned needs more luck: the median of the constant one is the best.

sgd = {"optimizer": [nesterov], "optimizer__momentum": [0.9], "lr": loguniform(1e-3, 1e0)}
by_schedule = {kind: tuned({**sgd, **schedule_space(kinds=[kind])}) for kind in SCHEDULES}
draw(by_schedule, f"{n_iter} random candidates for each schedule, with Nesterov")

# %%
# ## One look at the test set
#
# Of all searches, the best by its CV score: the best of 240 noisy numbers, which is too high.

searches = by_optimizer | by_schedule
name = max(searches, key=lambda name: searches[name].best_score_)
best = searches[name]
score = best.score(X_test, y_test)
print(f"{name}: CV {best.best_score_:.3f}, test {score:.3f} on {len(y_test)} rows")
