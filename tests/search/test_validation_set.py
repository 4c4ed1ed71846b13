"""``cv=HoldoutValidation(...)``: a fixed validation set instead of folds."""

from __future__ import annotations

import numpy as np
import pytest
from contracts.recording import read
from search.searches import CLASSES, data, make
from search.test_test_set import X as numbered
from search.test_test_set import watched
from search.test_test_set import y as labels
from sklearn.model_selection import GridSearchCV

from sk_hpo.validation.splits import HoldoutValidation

X, y = data()
TRAIN, VALID = slice(0, 60), slice(60, 90)


@pytest.mark.parametrize("kind", CLASSES)
def test_as_the_rows_of_one_array(kind):
    own = HoldoutValidation(X[VALID], y[VALID])
    given = make(kind, cv=own).fit(X[TRAIN], y[TRAIN])
    split = make(kind, cv=[(np.arange(60), np.arange(60, 90))], refit=False).fit(X, y)
    assert given.n_splits_ == 1
    for name, column in split.cv_results_.items():
        if "time" not in name:
            assert list(map(str, column)) == list(map(str, given.cv_results_[name])), name


def test_the_refit_has_the_training_rows_only(tmp_path):
    log = tmp_path / "log"
    own = HoldoutValidation(numbered[60:], labels[60:])
    watched("random", log, cv=own).set_params(test_size=None).fit(numbered[:60], labels[:60])
    fits = [record["rows"] for record in read(log) if record["method"] == "fit"]
    assert fits == [list(range(60))] * 6
    looks = [record["rows"] for record in read(log) if record["method"] == "predict"]
    assert looks == [list(range(60, 90))] * 5


def test_beside_a_test_set(tmp_path):
    log = tmp_path / "log"
    own = HoldoutValidation(numbered[60:], labels[60:])
    search = watched("random", log, cv=own).fit(numbered[:60], labels[:60])
    test = search.test_indices_.tolist()
    rest = sorted(set(range(60)) - set(test))
    *before, last = read(log)
    assert last["rows"] == test
    assert {tuple(r["rows"]) for r in before if r["method"] == "fit"} == {tuple(rest)}
    assert {tuple(r["rows"]) for r in before if r["method"] == "predict"} == {
        tuple(range(60, 90))
    }


@pytest.mark.parametrize("form", ["numbers", "mask"])
def test_rows_of_x(form):
    rows = np.arange(60, 90)
    cv = HoldoutValidation(rows if form == "numbers" else np.isin(np.arange(90), rows))
    search = make("random", cv=cv).fit(X, y)
    grid = GridSearchCV(
        search.estimator,
        [{name: [value] for name, value in p.items()} for p in search.cv_results_["params"]],
        cv=[(np.arange(60), rows)],
    ).fit(X, y)
    assert np.array_equal(
        grid.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_other_columns_are_an_error_before_any_training(tmp_path):
    log = tmp_path / "log"
    own = HoldoutValidation(numbered[60:, :3], labels[60:])
    with pytest.raises(ValueError, match="3"):
        watched("random", log, cv=own).set_params(test_size=None).fit(
            numbered[:60], labels[:60]
        )
    assert read(log) == []
