"""Accuracy without a look at what the classes are: scikit-learn's, or none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.metrics._scorer import _PassthroughScorer

from sk_hpo.evaluation.answers import Answers, plain_accuracy


class Says(ClassifierMixin, BaseEstimator):
    def __init__(self, answer):
        self.answer = answer

    def predict(self, X):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class SaysNumbers(RegressorMixin, BaseEstimator):
    predict = Says.predict


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=10, max_size=60))
def test_is_that_of_scikit_learn(pairs):
    y, predicted = np.array(pairs).T
    for scorer in (get_scorer("accuracy"), _PassthroughScorer(Says(predicted))):
        for model in (Says(predicted), Answers(Says(predicted), None)):
            assert plain_accuracy(model, None, y, scorer) == accuracy_score(y, predicted)


def test_answers_are_remembered():
    X, y = np.zeros((10, 1)), np.arange(10) % 3
    answers = Answers(Says(y), X)
    assert plain_accuracy(answers, X, y, get_scorer("accuracy")) == 1.0
    assert answers.known["predict"] is y


CLASSES = np.arange(10) % 3


@pytest.mark.parametrize(
    ("y", "predicted"),
    [
        (CLASSES.astype(float), CLASSES),
        (CLASSES, CLASSES.astype(str)),
        (CLASSES - 1, CLASSES),
        (CLASSES, CLASSES[:-1]),
        (CLASSES, CLASSES[:, None]),
        (list(CLASSES), CLASSES),
        (np.arange(10), CLASSES),
        (CLASSES, ValueError("no")),
    ],
)
def test_what_scikit_learn_should_look_at(y, predicted):
    assert plain_accuracy(Says(predicted), None, y, get_scorer("accuracy")) is None


@pytest.mark.parametrize(
    "scorer",
    [
        get_scorer("balanced_accuracy"),
        make_scorer(accuracy_score, normalize=False),
        make_scorer(accuracy_score, greater_is_better=False),
        lambda estimator, X, y: 0.0,
    ],
)
def test_other_metrics(scorer):
    assert plain_accuracy(Says(CLASSES), None, CLASSES, scorer) is None


def test_other_scores():
    model = SaysNumbers()
    model.answer = CLASSES
    assert plain_accuracy(model, None, CLASSES, _PassthroughScorer(model)) is None
