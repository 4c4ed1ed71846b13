"""scikit-learn's tests with `RandomizedSearchCV` replaced by `BayesSearchCV`."""

from __future__ import annotations

import pytest
from conformance.sklearn_suite import collect, suite

from sk_hpo import BayesSearchCV

pytestmark = pytest.mark.filterwarnings("default")

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
