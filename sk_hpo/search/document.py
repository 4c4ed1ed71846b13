"""What the docstrings of all searches have in common, written once."""

from __future__ import annotations

from textwrap import indent
from typing import TypeVar

__all__ = ["documented"]

C = TypeVar("C", bound=type)

_PARAMETERS = """
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
    Every candidate with its outcomes.
n_splits_, refit_time_, scorer_, multimetric_ : object
    As in scikit-learn.
classes_, n_features_in_, feature_names_in_ : object
    Those of `best_estimator_`, where it has them.
"""


def documented(search: C) -> C:
    """Fill ``{parameters}`` and ``{attributes}`` in the docstring of a search."""
    doc = search.__doc__ or ""
    for mark, text in (("{parameters}", _PARAMETERS), ("{attributes}", _ATTRIBUTES)):
        doc = doc.replace(f"    {mark}", indent(text.strip(), "    "))
    search.__doc__ = doc
    return search
