from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.svm import SVC

from sk_hpo.search.random import RandomSearchCV
from sk_hpo.space.condition import when
from sk_hpo.validation.stability import stability_of


def of(space, *selected, kind=RandomSearchCV):
    return stability_of(kind(SVC(), space), selected)


def test_a_categorical_parameter_has_agreement_and_no_spread():
    found = of({"kernel": ["rbf", "poly"]}, *[{"kernel": k} for k in ("rbf", "poly", "rbf")])
    assert found["kernel"].mode == "rbf"
    assert found["kernel"].agreement == pytest.approx(2 / 3)
    assert math.isnan(found["kernel"].spread)
    assert str(found["kernel"]) == "'rbf' in 67% of the folds"


@pytest.mark.parametrize("kind", [RandomSearchCV, RandomizedSearchCV])
def test_the_spread_is_measured_where_values_are_sampled(kind):
    found = of({"C": loguniform(1e-3, 1e3)}, *[{"C": c} for c in (0.1, 1.0, 10.0)], kind=kind)
    # Two decades of six lie between the outer two.
    assert found["C"].spread == pytest.approx(np.std([1 / 3, 1 / 2, 2 / 3], ddof=1))
    assert found["C"].agreement == pytest.approx(1 / 3)


def test_an_ordered_list_is_measured_by_position():
    grid = {"C": [0.1, 1, 10, 100]}
    found = of(grid, {"C": 1}, {"C": 10}, kind=GridSearchCV)["C"]
    assert found.spread == pytest.approx(np.std([0, 1 / 4], ddof=1))
    assert of(grid, {"C": 1}, {"C": 1}, kind=GridSearchCV)["C"].spread == 0


def test_blind_choice_gives_what_the_docstring_says():
    rng = np.random.default_rng(0)
    drawn = loguniform(1e-3, 1e3).rvs(2000, random_state=rng)
    found = of({"C": loguniform(1e-3, 1e3)}, *[{"C": c} for c in drawn])
    assert found["C"].spread == pytest.approx(1 / math.sqrt(12), abs=0.01)


def test_a_conditional_parameter_is_measured_where_it_exists():
    space = {"kernel": ["rbf", "poly"], "degree": when(randint(2, 6), kernel="poly")}
    found = of(space, {"kernel": "rbf"}, {"kernel": "rbf"}, {"kernel": "poly", "degree": 3})
    assert found["degree"].mode is None
    assert found["degree"].agreement == pytest.approx(2 / 3)
    assert math.isnan(found["degree"].spread)


def test_what_has_no_single_scale_is_compared_by_value():
    several = [{"C": [1, 2]}, {"C": [5, 6], "kernel": ["poly"]}]
    assert math.isnan(of(several, {"C": 1}, {"C": 5, "kernel": "poly"})["C"].spread)

    class Own:
        def rvs(self, random_state=None):
            return 1.0

    found = of({"C": Own()}, {"C": 1.0}, {"C": 1.0}, kind=RandomizedSearchCV)
    assert (found["C"].agreement, math.isnan(found["C"].spread)) == (1.0, True)
    assert stability_of(Ridge(), [{"a": 1}])["a"].agreement == 1.0


def test_the_resource_is_not_in_the_space():
    found = of({"C": [1.0, 2.0]}, {"C": 1.0, "max_iter": 9}, {"C": 1.0, "max_iter": 27})
    assert found["max_iter"].agreement == 0.5
    assert math.isnan(found["max_iter"].spread)
    assert of({"C": [1.0]}) == {}
