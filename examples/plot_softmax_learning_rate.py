"""The learning rate of softmax regression, by random search.

The smallest tuning problem that there is: one linear layer, one hyperparameter, and a
distribution for it that is uniform on a logarithmic scale. What the search has found by when
is told by its error-against-time curve; what that is worth, by a test set that is looked at
once.
"""

import os

import numpy as np
from fashion_mnist_mlp import load  # of this folder: a file, or OpenML
from matplotlib import pyplot as plt
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import RandomSearchCV
from sk_hpo.inspection.recorded import record_of
from sk_hpo.torch import MLP

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"

# %%
# ## Softmax regression
#
# A multilayer perceptron without hidden layers, trained with the cross-entropy.

if SMALL:
    X, y = load_digits(return_X_y=True)
    X, n_rows, n_iter, max_epochs = X.astype(np.float32) / 16, 400, 6, 3
else:
    X, y, _ = load(None)
    n_rows, n_iter, max_epochs = 5000, 40, 10
X, _, y, _ = train_test_split(X, y, train_size=n_rows, stratify=y, random_state=0)

softmax = NeuralNetClassifier(
    MLP,
    module__n_features=X.shape[1],
    module__n_outputs=10,
    module__n_layers=0,
    criterion=nn.CrossEntropyLoss,
    max_epochs=max_epochs,
    batch_size=64,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)

# %%
# ## The search
#
# `loguniform` gives each decade the same chance. A uniform distribution would draw nine in ten
# learning rates from the last one. `test_size` sets rows aside before anything else.

search = RandomSearchCV(
    softmax,
    {"lr": loguniform(1e-4, 1e1)},
    n_iter=n_iter,
    cv=3,
    test_size=0.2,
    keep_predictions=True,
    accelerator="loader",  # one after another, see below
    random_state=0,
).fit(X, y)
print(f"best learning rate: {search.best_params_['lr']:.3g}")

# %%
# By default, candidates that differ in nothing but the learning rate are trained together, as
# one batched model. They are the same to the last bit, but come all at once: for a curve over
# time, it matters. The test set is not needed a second time.

together = clone(search).set_params(test_size=None, keep_predictions=False, accelerator="auto")
together.fit(np.delete(X, search.test_indices_, 0), np.delete(y, search.test_indices_))
print(f"the same winner: {together.best_params_ == search.best_params_}")

# %%
# ## Error against the learning rate, and against time
#
# On the left, bars are the standard error over the folds. On the right, each dot is a candidate
# at the time when it was done, and the lines are the best so far.

errors = 1 - search.cv_results_["mean_test_score"]
bars = search.cv_results_["std_test_score"] / np.sqrt(search.n_splits_)
rates = search.cv_results_["param_lr"].astype(float)


def course(search):
    """Return when each candidate was done, in seconds, and its error."""
    results = [rung for _, rung in record_of(search).timeline()]
    return np.array([(rung.ended, 1 - rung.score) for rung in results]).T


figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 4), layout="constrained", sharey=True, width_ratios=(1, 1.2)
)
left.errorbar(rates, errors, yerr=bars, fmt="o", color="#0072B2", markersize=4, elinewidth=1)
i = search.best_index_
left.plot(rates[i], errors[i], "*", color="#D55E00", markersize=15, label="chosen")
left.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="CV error (log scale)")
left.set_title("Too slow, right, too fast")
left.legend(frameon=False)

looks = [("one by one", search, "#D55E00", "-"), ("together", together, "#0072B2", "--")]
for name, one, color, stroke in looks:
    seconds, found = course(one)
    best = np.minimum.accumulate(found)
    right.plot(seconds, found, "o", color=color, markersize=4, alpha=0.35)
    right.plot(
        *(seconds, best, stroke),
        color=color,
        linewidth=2.2,
        drawstyle="steps-post",
        label=f"best so far, {name}",
    )
right.set(xlabel="seconds since the first fit began", xlim=(0, None))
right.set_title("The same candidates, sooner or later")
right.legend(loc="upper right", framealpha=1, edgecolor="none")
ticks = [0.15, 0.2, 0.3, 0.5, 0.9]
left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
left.minorticks_off()
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)

# %%
# ## What the best score is worth
#
# The error of the best of many is too low, if only by a little here: with one hyperparameter,
# the best candidates are nearly the same model. The corrected error takes off the luck of the
# choice; the test rows have seen nothing of it.

low, high = search.test_score_interval_
print(f"CV error of the best  {1 - search.best_score_:.3f}")
print(f"corrected             {1 - search.corrected_score_.estimate:.3f}")
print(f"test error            {1 - search.test_score_:.3f} ({1 - high:.3f} to {1 - low:.3f})")
