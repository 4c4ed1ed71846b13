"""How a search went, in five pictures.

Hyperband tunes a multilayer perceptron on digits by epochs, and Bayesian optimization an SVM,
some of whose candidates cannot be fitted. Each picture is made from a fitted search; the path
of a journal, also of a search that is still running, does as well.
"""

import os
import warnings

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import FitFailedWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVC

from sk_hpo import (
    BayesSearchCV,
    BracketDisplay,
    CalibrationOfScoresDisplay,
    HalvingHyperbandSearchCV,
    LearningCurvesDisplay,
    RandomSearchCV,
    SearchHistoryDisplay,
    TimelineDisplay,
    lograndint,
)

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"

# %%
# ## A search with rungs
#
# A candidate is trained for a few epochs; the best third goes on to three times as many.

X, y = load_digits(return_X_y=True)
if SMALL:
    X, y = X[:300], y[:300]
space = {
    "learning_rate_init": loguniform(1e-4, 1e-1),
    "alpha": loguniform(1e-6, 1e-1),
    "hidden_layer_sizes": lograndint(8, 65),
    "batch_size": lograndint(16, 129),
}
hyperband = HalvingHyperbandSearchCV(
    MLPClassifier(random_state=0),
    space,
    max_resources=3 if SMALL else 27,
    cv=3,
    test_size=0.2,
    keep_predictions=True,
    n_jobs=None if SMALL else 2,
    random_state=0,
).fit(X / 16, y)
print(f"CV {hyperband.best_score_:.3f}, test {hyperband.test_score_:.3f}")

# %%
# Each candidate's score against its epochs. Bold are those that came to the end.

LearningCurvesDisplay.from_search(hyperband)

# %%
# Who stood on which rung, by rank, and who was promoted. A line that climbs is a candidate
# that overtook others: one that a single, lower rung would have judged wrongly.

BracketDisplay.from_search(hyperband)

# %%
# What the workers did. The gaps at the end of a rung are waiting: nobody is promoted before
# the rung is complete. `ASHASearchCV` does not wait.

TimelineDisplay.from_search(hyperband)

# %%
# What the best score is worth: corrected for being the best of many, and on rows that the
# search has not seen.

CalibrationOfScoresDisplay.from_search(hyperband)

# %%
# ## A search with failures
#
# No SVM has a `nu` above what the share of the rarer class allows. Such candidates are crosses
# on the lower edge; the others are dots, and the line is the best so far.

X, y = load_breast_cancer(return_X_y=True)
svm = make_pipeline(StandardScaler(), NuSVC())
space = {"nusvc__nu": uniform(0.01, 0.98), "nusvc__gamma": loguniform(1e-4, 1e1)}
budget = {"n_iter": 8 if SMALL else 40, "cv": 3, "error_score": np.nan}
seeds = range(2 if SMALL else 5)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FitFailedWarning)
    warnings.simplefilter("ignore", UserWarning)  # some scores are not finite
    random = [RandomSearchCV(svm, space, random_state=i, **budget).fit(X, y) for i in seeds]
    bayes = [BayesSearchCV(svm, space, random_state=i, **budget).fit(X, y) for i in seeds]
SearchHistoryDisplay.from_search(bayes[0])

# %%
# One run tells little. The lines are means over seeds, the bands one standard deviation.

SearchHistoryDisplay.from_searches({"random": random, "Bayes": bayes})
