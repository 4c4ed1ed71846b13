"""scikit-learn's tests with `RandomizedSearchCV` replaced by `BayesSearchCV`."""

from __future__ import annotations

import pytest
from conformance.sklearn_suite import collect, suite

import sk_hpo

pytestmark = pytest.mark.filterwarnings("default")


class BayesSearchCV(sk_hpo.BayesSearchCV):
    """Ours without the columns that scikit-learn's searches have no counterpart of.

    Its tests compare the whole set of keys with a list of their own; that ours are there
    beside them is tested in tests/search/test_explanations.py.
    """

    def fit(self, X, y=None, **params):
        super().fit(X, y, **params)
        for name in ("suggested_by", "acquisition", "predicted_mean", "predicted_sd"):
            del self.cv_results_[name]
        return self


_ORDER = "expects the candidates of a finite space in the order of the grid"

NOT_APPLICABLE = {
    "test_search_default_iid": _ORDER,
    "test_search_cv_results_rank_tie_breaking": _ORDER,
    "test_search_cv_timing": _ORDER,
    "test_search_with_2d_array": "compares with the very draws of scikit-learn's generator",
}

globals().update(
    collect(suite(__name__, {"RandomizedSearchCV": BayesSearchCV}), NOT_APPLICABLE)
)
