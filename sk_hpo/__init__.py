"""Hyperparameter search for scikit-learn: Hyperband, Bayesian optimization and their kin.

Public names only; nothing inside the package imports from here.
"""

from sk_hpo._version import __version__
from sk_hpo.samplers.gp import GPSampler
from sk_hpo.samplers.tpe import TPESampler
from sk_hpo.search.asha import ASHASearchCV
from sk_hpo.search.bayes import BayesSearchCV
from sk_hpo.search.bohb import BOHBSearchCV
from sk_hpo.search.hyperband import HalvingHyperbandSearchCV
from sk_hpo.search.random import RandomSearchCV
from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space

__all__ = [
    "ASHASearchCV",
    "BOHBSearchCV",
    "BayesSearchCV",
    "GPSampler",
    "HalvingHyperbandSearchCV",
    "RandomSearchCV",
    "Space",
    "TPESampler",
    "__version__",
    "lograndint",
    "when",
]
