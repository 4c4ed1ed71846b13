"""scikit-learn's tests with `GridSearchCV` replaced by ``RandomSearchCV(sampler="grid")``.

Most of its tests speak of `GridSearchCV`, and hold for every search.
"""

from __future__ import annotations

import numpy as np
import pytest
from conformance.sklearn_suite import collect, suite

from sk_hpo import RandomSearchCV

pytestmark = pytest.mark.filterwarnings("default")


class GridSearchCV(RandomSearchCV):
    """The grid, by the constructor of scikit-learn's."""

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
    ):
        self.param_grid = param_grid
        super().__init__(
            estimator,
            param_grid,
            sampler="grid",
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def set_params(self, **params):
        super().set_params(**params)
        self.param_distributions = self.param_grid
        return self


_ALL_FAIL = "scores every candidate NaN, of which ours makes an error, not a choice"

NOT_APPLICABLE = {
    "test_grid_search_bad_param_grid": "quotes ParameterGrid's messages, which speak of grids",
    "test_search_cv_results_none_param": _ALL_FAIL,
    "test_unsupported_sample_weight_scorer": _ALL_FAIL,
    "test_custom_run_search": "overrides the private _run_search, which ours has not",
}

globals().update(collect(suite(__name__, {"GridSearchCV": GridSearchCV}), NOT_APPLICABLE))
