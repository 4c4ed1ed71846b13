from __future__ import annotations

import pickle
from copy import deepcopy

import pytest
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import RandomizedSearchCV

from sk_hpo.space.condition import Clause, Condition, when
from sk_hpo.space.distribution import lograndint


@pytest.mark.parametrize(
    ("conditional", "text"),
    [
        (when([1, 2], a="x"), "when([1, 2], a='x')"),
        (
            when(uniform(0, 1), a=["x", "y"], b=None),
            "when(uniform(0, 1), a=['x', 'y'], b=None)",
        ),
        (
            when(lograndint(1, high=9), clf__a=(1, 2)),
            "when(lograndint(1, high=9), clf__a=[1, 2])",
        ),
        (when([1], a=[(50,)]), "when([1], a=[(50,)])"),
        (when([1], a={3}), "when([1], a=3)"),
        (when(when([1], a=1), b=2), "when([1], a=1, b=2)"),
        (when([1], distribution=2), "when([1], distribution=2)"),
    ],
)
def test_repr(conditional, text):
    assert repr(conditional) == text
    assert repr(deepcopy(conditional)) == text
    assert repr(pickle.loads(pickle.dumps(conditional))) == text


def test_a_list_a_tuple_and_a_set_mean_any_of():
    for values in (["x", "y"], ("x", "y"), {"x", "y"}, frozenset("xy")):
        assert when([1], a=values).conditions == (("a", ("x", "y")),)
    assert when([1], a="xy").conditions == (("a", ("xy",)),)


def test_needs_a_condition():
    with pytest.raises(TypeError, match="needs a condition"):
        when([1, 2])


def test_clone_of_a_search():
    params = {"alpha": loguniform(1e-5, 1), "eta0": when([0.1, 1.0], alpha=[1, 2])}
    search = RandomizedSearchCV(SGDClassifier(), params)
    assert repr(clone(search).param_distributions["eta0"]) == repr(params["eta0"])


def test_holds():
    condition = Condition((Clause(0, frozenset({1, 2})), Clause(2, frozenset({0}))))
    assert condition.holds((1, 9.5, 0))
    assert condition.holds([2, None, 0])
    assert not condition.holds((0, 9.5, 0))
    assert not condition.holds((1, 9.5, 1))
    assert not condition.holds((1, 9.5, None))
