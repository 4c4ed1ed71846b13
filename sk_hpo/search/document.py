"""What the docstrings of all searches have in common, written once."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TypeVar

__all__ = ["documented"]

C = TypeVar("C", bound=type)

_PARAMETERS = """
points_to_evaluate : list of dict, default=None
    Parameters that are tried first, in this order, as candidates like any others; `sampler`
    learns from them and repeats none. A dict has a value for every searched parameter that
    exists beside its other values, as ``best_params_`` of an earlier search has. Equal ones
    are tried once. More than there are candidates are a ValueError, and so is a value that
    the space or `constraint` does not allow.
constraint : callable, default=None
    ``constraint(params) -> bool``; False rejects a candidate.
scoring : str, callable, list, tuple or dict, default=None
    As in scikit-learn. Of several metrics the one that `refit` names steers the search,
    the first if `refit` names none.
n_jobs : int, default=None
    As in scikit-learn, `joblib.parallel_config` included.
refit : bool, str or callable, default=True
    As in scikit-learn.
cv : int, cross-validation generator or iterable, default=None
    As in scikit-learn. Folds are drawn once and used for every candidate.
verbose : int, default=0
    As in scikit-learn.
pre_dispatch : int or str, default="2*n_jobs"
    As in scikit-learn; used by backends that joblib drives (Dask, Ray).
random_state : int, RandomState instance or None, default=None
    Settles candidates, and the randomness of estimators that have no ``random_state``
    of their own. The same int gives the same results, whatever `n_jobs` is.
error_score : "raise" or numeric, default=np.nan
    As in scikit-learn.
return_train_score : bool, default=False
    As in scikit-learn.
"""

_ATTRIBUTES = """
best_estimator_, best_score_, best_params_, best_index_ : object
    As in scikit-learn.
history_ : list of Trial
    Every candidate with its outcomes, and the reason why it was suggested.
surrogate_ : Surrogate
    What a `sampler` that learns knew in the end: ``surrogate_.predict(params,
    return_std=True)`` takes a list of dicts or a DataFrame and returns the score to be
    expected and its standard deviation. Not set where there is no model.
n_splits_, refit_time_, scorer_, multimetric_ : object
    As in scikit-learn.
classes_, n_features_in_, feature_names_in_ : object
    Those of `best_estimator_`, where it has them.
"""


_COLUMNS = """
With a `sampler` that learns ("gp", "tpe"), also ``suggested_by`` ("user", "initial", "model" or
"random") and ``acquisition``, ``predicted_mean``, ``predicted_sd``: what the model
expected of the candidate, NaN where no model was asked.
"""

_TEXTS = {"parameters": _PARAMETERS, "attributes": _ATTRIBUTES, "columns": _COLUMNS}


def documented(search: C) -> C:
    """Fill ``{parameters}``, ``{attributes}`` and ``{columns}`` in a search's docstring."""

    def text(mark: re.Match[str]) -> str:
        return indent(_TEXTS[mark[2]].strip(), mark[1])

    search.__doc__ = re.sub(r"^( *)\{(\w+)\}$", text, search.__doc__ or "", flags=re.MULTILINE)
    return search
