"""What a search found, and where: its parameters in pictures.

A search is more than its best candidate. This one tunes a support vector machine on digits by
Bayesian optimisation: which values were tried, which were good, and what does the model of the
search believe of those that were not?
"""

import os
from pathlib import Path
from tempfile import gettempdir

from scipy.stats import loguniform, uniform
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from sk_hpo import (
    BayesSearchCV,
    ParallelCoordinatesDisplay,
    SliceDisplay,
    SurrogateDisplay,
    report,
    when,
)

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"
n_rows, n_iter = (200, 10) if SMALL else (1797, 50)

# %%
# ## The search
#
# ``coef0`` exists for the polynomial kernel only. A fifth of the rows is held out, and looked
# at once.

X, y = load_digits(return_X_y=True)
X, y = X[:n_rows], y[:n_rows]
space = {
    "C": loguniform(1e-2, 1e3),
    "gamma": loguniform(1e-6, 1e0),
    "kernel": ["rbf", "poly"],
    "coef0": when(uniform(0, 1), kernel="poly"),
}
search = BayesSearchCV(
    SVC(), space, n_iter=n_iter, cv=3, test_size=0.2, keep_predictions=True, random_state=0
).fit(X, y)

print(search.summary())

# %%
# ## Candidates across their parameters
#
# A line is a candidate; good ones are bright and lie upon the others. Where bright lines cross
# an axis, good values are.

ParallelCoordinatesDisplay.from_search(search)

# %%
# ## The score against each parameter
#
# Later candidates are darker: one sees where the search went. Bars are standard errors over
# the folds.

SliceDisplay.from_search(search)

# %%
# ## What the model believes
#
# Along one parameter, all others being held at the values of the best candidate: the mean, two
# standard deviations to each side, and below what a further candidate is expected to gain.

SurrogateDisplay.from_search(search, "gamma")

# %%
# And along two.

SurrogateDisplay.from_search(search, ["gamma", "C"])

# %%
# ## The best together
#
# The search keeps no data, so it is given the rows once more; those of the test set are left
# out. The ensemble says what its score is worth.

print(search.best_params_table(3).round(4).to_string())
ensemble = search.as_ensemble(3, X, y, voting="hard")
print(ensemble.note_)

# %%
# ## All of it on one page
#
# The page loads nothing from elsewhere and runs no scripts: it can be sent by mail.

page = report(search, Path(gettempdir()) / "digits.html")
print(f"{page.stat().st_size / 1e6:.1f} MB")
