from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from sk_hpo.validation.scores import fold_scores, metric_names, one_metric


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy", "f1_macro"]])
def test_scores_are_those_of_cross_validation(scoring: str | list[str]) -> None:
    X, y = load_wine(return_X_y=True)
    tree, depths = DecisionTreeClassifier(random_state=0), [1, 2, 3]
    search = GridSearchCV(tree, {"max_depth": depths}, scoring=scoring, refit=False, cv=11)
    results = search.fit(X, y).cv_results_
    names = metric_names(results)
    assert names == (["score"] if isinstance(scoring, str) else scoring)
    for name in names:
        scorer = "accuracy" if name == "score" else name
        expected = [
            cross_val_score(tree.set_params(max_depth=depth), X, y, scoring=scorer, cv=11)
            for depth in depths
        ]
        assert np.array_equal(fold_scores(results, name), expected)


def test_one_metric() -> None:
    assert one_metric(None, ["auc"]) == "auc"
    assert one_metric("f1", ["auc", "f1"]) == "f1"
    with pytest.raises(ValueError, match=r"metric= is not given; name one of \['auc', 'f1'\]"):
        one_metric(None, ["f1", "auc"])
    with pytest.raises(ValueError, match=r"no metric 'f2'; name one of \['auc'\]"):
        one_metric("f2", ["auc"])
