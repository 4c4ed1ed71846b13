"""scikit-learn's tests with `RandomizedSearchCV` replaced by `RandomSearchCV`."""

from __future__ import annotations

import pytest
from conformance.sklearn_suite import collect, suite

from sk_hpo import RandomSearchCV

pytestmark = pytest.mark.filterwarnings("default")

NOT_APPLICABLE = {
    "test_search_with_2d_array": "compares with the very draws of scikit-learn's generator",
}

globals().update(
    collect(suite(__name__, {"RandomizedSearchCV": RandomSearchCV}), NOT_APPLICABLE)
)
