from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

from sk_hpo.validation.splits import HoldoutValidation, train_validation_test_split

IRIS, SPECIES = load_iris(return_X_y=True)


def frame(X, dtype="float64"):
    return pd.DataFrame(X, columns=list("abcd")).astype(dtype)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (IRIS, SPECIES),
        (IRIS.tolist(), SPECIES.tolist()),
        (frame(IRIS), pd.Series(SPECIES, name="species")),
        (pl.DataFrame(IRIS, schema=list("abcd")), pl.Series(SPECIES)),
        (sparse.csr_array(IRIS), SPECIES.astype(str)),
        (sparse.csr_matrix(IRIS), np.stack([SPECIES, SPECIES], axis=1)),
        (IRIS, None),
    ],
    ids=["arrays", "lists", "pandas", "polars", "sparse", "matrix", "unsupervised"],
)
def test_rows_beside_x(X, y):
    X_train, _, X_val = train_validation_test_split(X, time_ordered=True)
    y_train, _, y_val = (
        [None] * 3 if y is None else train_validation_test_split(y, time_ordered=True)
    )
    X_all, y_all, params, cv = HoldoutValidation(X_val, y_val).joined(X_train, y_train)
    assert type(X_all) is type(X)
    assert type(y_all) is type(y)
    assert params == {}
    rows = [*range(90), *range(120, 150)]
    np.testing.assert_array_equal(dense(X_all), dense(X)[rows])
    if y is not None:
        np.testing.assert_array_equal(dense(y_all), dense(y)[rows])
    ((fitted, scored),) = cv.split(X_all)
    assert fitted.tolist() == list(range(90))
    assert scored.tolist() == list(range(90, 120))


def dense(array):
    return array.toarray() if sparse.issparse(array) else np.asarray(array)


def test_the_score_is_that_of_the_validation_rows():
    train, val, _, y_train, y_val, _ = train_validation_test_split(
        IRIS, SPECIES, random_state=0, stratify=SPECIES
    )
    weight, weight_val = np.linspace(1, 2, len(train)), np.ones(len(val))
    holdout = HoldoutValidation(val, y_val, params={"sample_weight": weight_val})
    X, y, params, cv = holdout.joined(
        train, y_train, {"sample_weight": weight, "verbose": 0, "name": "n" * len(train)}
    )
    assert params["verbose"] == 0
    assert params["name"] == "n" * len(train)
    model = LogisticRegression(max_iter=500)
    result = cross_validate(
        model, X, y, cv=cv, params={"sample_weight": params["sample_weight"]},
        scoring="neg_log_loss", return_estimator=True,
    )  # fmt: skip
    alone = model.fit(train, y_train, sample_weight=weight)
    np.testing.assert_array_equal(result["estimator"][0].coef_, alone.coef_)
    expected = np.mean(np.log(alone.predict_proba(val)[np.arange(len(val)), y_val]))
    assert result["test_score"][0] == pytest.approx(expected)


def test_floats_get_the_precision_of_the_training_rows():
    X32, y = IRIS.astype(np.float32), SPECIES
    for X in (X32, sparse.csr_array(X32)):
        val = IRIS if X is X32 else sparse.csr_array(IRIS)
        assert HoldoutValidation(val, y).joined(X, y).X.dtype == np.float32
    longer = HoldoutValidation(IRIS, ["a long name"] * 150).joined(IRIS, ["a"] * 150)
    assert longer.y[-1] == "a long name"
    text = HoldoutValidation(IRIS, np.array(["long"] * 150)).joined(IRIS, np.array(["a"] * 150))
    assert text.y[-1] == "long"


@pytest.mark.parametrize(
    ("X", "X_val", "message"),
    [
        (IRIS, IRIS[:, :3], r"X_val has rows of shape \(3,\), X of shape \(4,\)"),
        (sparse.csr_array(IRIS), sparse.csr_array(IRIS[:, :3]), r"shape \(3,\)"),
        (IRIS.tolist(), IRIS[:, :3].tolist(), r"shape \(3,\)"),
        (frame(IRIS), frame(IRIS)[["a", "b"]], r"shape \(2,\)"),
        (frame(IRIS), frame(IRIS)[list("bacd")], "in the same order"),
        (frame(IRIS), frame(IRIS).rename(columns={"a": "z"}), r"\['z', 'b'"),
        (frame(IRIS), IRIS, "X_val is a ndarray, X a DataFrame"),
        (sparse.csr_array(IRIS), IRIS, "X_val is a ndarray, X a csr_array"),
        (frame(IRIS, "category"), frame(IRIS), "same categories"),
        (pl.DataFrame(IRIS), pl.DataFrame(IRIS.astype(int)), "give the same"),
        (IRIS, IRIS.astype(str), "dtype <U"),
        (memoryview(IRIS), memoryview(IRIS), "memoryview"),
    ],
)
def test_rows_that_do_not_go_below_x(X, X_val, message):
    with pytest.raises(ValueError, match=message):
        HoldoutValidation(X_val, SPECIES).joined(X, SPECIES)


@pytest.mark.parametrize(
    ("y_val", "params", "y", "fit_params", "message"),
    [
        (None, None, SPECIES, {}, "There is y for the rows of X, but not"),
        (SPECIES, None, None, {}, "There is y for the rows of X_val, but not"),
        (
            SPECIES,
            None,
            SPECIES,
            {"sample_weight": SPECIES},
            "sample_weight for the rows of X,",
        ),
        (SPECIES, {"w": SPECIES}, SPECIES, {}, "w for the rows of X_val, but"),
        (SPECIES[:9], None, SPECIES, {}, r"\[150, 9\]"),
        (SPECIES, None, SPECIES[:9], {}, r"\[150, 9\]"),
        (SPECIES.astype(str), None, SPECIES, {}, "y_val has dtype <U"),
    ],
)
def test_what_belongs_to_the_rows(y_val, params, y, fit_params, message):
    cv = HoldoutValidation(IRIS, y_val, params=params)
    with pytest.raises(ValueError, match=message):
        cv.joined(IRIS, y, fit_params)
