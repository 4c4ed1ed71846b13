"""What a search can be given: frames, sparse matrices, lists, many targets, none at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import loguniform
from search.searches import CLASSES, HALVING, SPACE, data, exhaustive, make, sgd
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_multilabel_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

X, y = data()


def splits(search: Any) -> np.ndarray:
    """Return the test scores, of shape (n_candidates, n_splits)."""
    results = search.cv_results_
    return np.array([results[f"split{i}_test_score"] for i in range(search.n_splits_)]).T


def agrees(search: Any, X: Any, y: Any = None) -> None:
    """Fit; the rows at the highest resource must score as in scikit-learn."""
    search.fit(X, y)
    candidates = search.cv_results_["params"]
    oracle = exhaustive(search, candidates, refit=False).fit(X, y)
    rows = slice(None)
    if "n_resources" in search.cv_results_:
        resources = search.cv_results_["n_resources"]
        rows = resources == resources.max()
    np.testing.assert_array_equal(splits(search)[rows], splits(oracle)[rows])


@pytest.mark.parametrize(
    ("kind", "library"),
    [
        *[(kind, "pandas") for kind in ("random", "bayes", *HALVING)],
        *[(kind, "polars") for kind in ("random", "epochs", "samples")],
    ],
)
def test_frames_with_text_columns(kind: str, library: str) -> None:
    lib = pytest.importorskip(library)
    columns: dict[str, Any] = {f"x{i}": X[:, i] for i in range(X.shape[1])}
    columns["colour"] = np.array(["red", "green", "blue"])[(X[:, 0] > 0).astype(int)]
    frame = lib.DataFrame(columns)
    if library == "pandas":
        frame.index = np.arange(len(X))[::-1] + 1000
        frame["colour"] = frame["colour"].astype("category")
    target = lib.Series(np.array(["no", "yes", "maybe"])[y])
    if library == "pandas":
        target.index = frame.index
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        (StandardScaler(), [f"x{i}" for i in range(X.shape[1])]),
    )
    space = {f"sgdclassifier__{name}": values for name, values in SPACE.items()}
    resource = {"resource": "sgdclassifier__max_iter"} if kind == "max_iter" else {}
    search = make(kind, make_pipeline(prepare, sgd()), space, **resource)
    if kind not in ("random", "bayes", "samples"):
        search.fit(frame, target)
    else:
        agrees(search, frame, target)
    assert list(search.feature_names_in_) == list(frame.columns)
    assert set(search.predict(frame)) <= {"no", "yes", "maybe"}


@pytest.mark.parametrize(
    ("kind", "format"),
    [("random", "csr_array"), ("epochs", "coo"), ("samples", "csr_array"), ("max_iter", "coo")],
)
def test_sparse(kind: str, format: str) -> None:
    matrix = (
        sparse.csr_array(X) if format == "csr_array" else sparse.csr_matrix(X).asformat(format)
    )
    # SGD solves sparse and dense alike but for the step of the intercept
    dense = make(kind, sgd(fit_intercept=False)).fit(X, y)
    sparse_ = make(kind, sgd(fit_intercept=False)).fit(matrix, y)
    np.testing.assert_allclose(splits(sparse_), splits(dense))
    np.testing.assert_array_equal(sparse_.predict(matrix), dense.predict(X))


@pytest.mark.parametrize("kind", [*CLASSES, "samples"])
def test_lists(kind: str) -> None:
    listed = make(kind).fit(X.tolist(), y.tolist())
    array = make(kind).fit(X, y)
    np.testing.assert_array_equal(splits(listed), splits(array))
    np.testing.assert_array_equal(listed.predict(X.tolist()), array.predict(X))


@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_text_documents(kind: str) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    words = np.array(["cat", "dog", "fish", "bird"])
    documents = [" ".join(words[(row[:4] > 0)]) + " thing" for row in X]
    pipeline = make_pipeline(CountVectorizer(), sgd())
    agrees(
        make(kind, pipeline, {f"sgdclassifier__{k}": v for k, v in SPACE.items()}), documents, y
    )


@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_images_of_more_than_two_dimensions(kind: str) -> None:
    from sklearn.preprocessing import FunctionTransformer

    cube = X.reshape(len(X), 2, 4)
    flat = FunctionTransformer(lambda a: a.reshape(len(a), -1))
    space = {f"sgdclassifier__{k}": v for k, v in SPACE.items()}
    agrees(make(kind, make_pipeline(flat, sgd()), space), cube, y)


FOREST = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 2, 5]}


@pytest.mark.parametrize("kind", ["random", "bayes", "samples", "trees"])
def test_many_targets(kind: str) -> None:
    options: dict[str, Any] = {}
    if kind == "trees":
        kind, options = "max_iter", {"resource": "n_estimators"}
    forest = {"n_estimators": 4, "random_state": 0}
    X_r, Y_r = make_regression(60, 5, n_targets=2, noise=1, random_state=0)
    agrees(make(kind, RandomForestRegressor(**forest), FOREST, **options), X_r, Y_r)
    Y_c = np.column_stack([y, (X[:, 0] > 0).astype(int)])
    scorer = {"scoring": lambda e, X, Y: float((e.predict(X) == Y).mean())}
    search = make(kind, RandomForestClassifier(**forest), FOREST, **scorer, **options)
    agrees(search, X, Y_c)
    assert len(search.classes_) == 2
    X_l, Y_l = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    agrees(make(kind, RandomForestClassifier(**forest), FOREST, **options), X_l, Y_l)


def test_many_targets_in_epochs() -> None:
    space = {"alpha": [1e-4, 1e-2], "learning_rate_init": [1e-3, 1e-2]}
    small = {"hidden_layer_sizes": (4,), "random_state": 0}
    X_r, Y_r = make_regression(60, 5, n_targets=2, random_state=0)
    search = make("epochs", MLPRegressor(**small), space).fit(X_r, Y_r / 100)
    assert search.predict(X_r).shape == Y_r.shape
    X_l, Y_l = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    search = make("epochs", MLPClassifier(**small), space).fit(X_l, Y_l)
    assert search.predict(X_l).shape == Y_l.shape
    Y_c = np.column_stack([y, (X[:, 0] > 0).astype(int)])
    score = {"scoring": lambda e, X, Y: float((e.predict(X) == Y).mean())}
    inner = {"estimator__alpha": [1e-4, 1e-2], "estimator__penalty": ["l1", "l2"]}
    search = make("epochs", MultiOutputClassifier(sgd()), inner, **score).fit(X, Y_c)
    assert search.predict(X).shape == Y_c.shape
    assert [est.t_ for est in search.best_estimator_.estimators_] == [1 + 9 * len(X)] * 2
    search = make("epochs", MultiOutputRegressor(SGDRegressor(random_state=0)), inner)
    assert search.fit(X_r, Y_r).predict(X_r).shape == Y_r.shape


@pytest.mark.parametrize("kind", ["random", "bayes", "samples", "max_iter"])
def test_clusters_need_no_y(kind: str) -> None:
    space = {"n_clusters": [2, 3, 4], "algorithm": ["lloyd", "elkan"]}
    search = make(kind, KMeans(n_init=1, random_state=0), space)
    if kind == "max_iter":
        search.fit(X)
    else:
        agrees(search, X)
    assert search.predict(X).shape == (len(X),)
    assert search.transform(X).shape == (len(X), search.best_params_["n_clusters"])
    assert np.isfinite(search.score(X))


def test_clusters_in_epochs_need_no_y() -> None:
    space = {"n_clusters": [2, 3, 4], "batch_size": [16, 64]}
    search = make("epochs", MiniBatchKMeans(n_init=1, random_state=0), space).fit(X)
    assert search.predict(X).shape == (len(X),)
    assert search.cv_results_["n_resources"].max() == 9


@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_densities_need_no_y(kind: str) -> None:
    agrees(make(kind, KernelDensity(), {"bandwidth": loguniform(0.1, 10)}), X)


@pytest.mark.parametrize("kind", ["random", "bayes", "max_iter"])
def test_precomputed_kernels_are_cut_both_ways(kind: str) -> None:
    space = {"C": loguniform(1e-2, 1e2), "tol": [1e-3, 1e-2]}
    kernel = rbf_kernel(X)
    quiet = {"max_iter": 10**4}
    search = make(
        kind,
        SVC(kernel="precomputed", **quiet),
        space,
        **({"max_resources": 9000, "min_resources": 1000} if kind == "max_iter" else {}),
    )
    agrees(search, kernel, y)
    same = make(
        kind,
        SVC(kernel="rbf", gamma=1 / X.shape[1], **quiet),
        space,
        **({"max_resources": 9000, "min_resources": 1000} if kind == "max_iter" else {}),
    ).fit(X, y)
    np.testing.assert_array_equal(splits(search), splits(same))
    assert search.predict(kernel).shape == y.shape


@pytest.mark.parametrize("kind", ["random", "bayes"])
def test_precomputed_distances(kind: str) -> None:
    distances = np.linalg.norm(X[:, None] - X[None], axis=-1)
    space = {"n_neighbors": [1, 2, 3, 5, 7], "weights": ["uniform", "distance"]}
    agrees(make(kind, KNeighborsClassifier(metric="precomputed"), space), distances, y)
    agrees(make(kind, KNeighborsRegressor(metric="precomputed"), space), distances, X[:, 0])


def test_a_kernel_cannot_be_given_by_samples() -> None:
    search = make("samples", SVC(kernel="precomputed"), {"C": [1, 10]})
    for method in (search.plan, search.fit):
        with pytest.raises(ValueError, match=r"SVC expects a pairwise matrix.*n_samples"):
            method(rbf_kernel(X), y)


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
@pytest.mark.parametrize("kind", CLASSES + HALVING[1:])
def test_regression(kind: str) -> None:
    X_r, y_r = make_regression(90, 5, noise=5, random_state=0)
    search = make(kind, SGDRegressor(random_state=0, tol=None, max_iter=9)).fit(X_r, y_r)
    assert search.best_score_ > 0.5
    assert search.score(X_r, y_r) == search.best_estimator_.score(X_r, y_r)


@pytest.mark.parametrize("kind", ["random", "bayes"])
def test_kernel_ridge_of_many_targets(kind: str) -> None:
    X_r, Y_r = make_regression(60, 5, n_targets=3, random_state=0)
    space = {"alpha": loguniform(0.1, 9)}
    agrees(make(kind, KernelRidge(kernel="precomputed"), space), rbf_kernel(X_r), Y_r)


@pytest.mark.parametrize("kind", ["random", "samples"])
def test_boolean_and_text_labels(kind: str) -> None:
    for labels in (y == 1, np.array(["a", "b", "c"], dtype=object)[y]):
        agrees(make(kind), X, labels)


@pytest.mark.parametrize("kind", ["random", "bayes", "samples"])
def test_a_column_of_targets(kind: str) -> None:
    X_r, y_r = make_regression(60, 5, random_state=0)
    agrees(make(kind, Ridge(), {"alpha": loguniform(0.1, 9)}), X_r, y_r[:, None])


@pytest.mark.parametrize("kind", CLASSES)
def test_lengths_that_differ(kind: str) -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(kind).fit(X, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(kind).plan(X, y[:-1])


@pytest.mark.parametrize("kind", CLASSES)
def test_read_only_data(kind: str) -> None:
    frozen_X, frozen_y = X.copy(), y.copy()
    frozen_X.flags.writeable = frozen_y.flags.writeable = False
    make(kind).fit(frozen_X, frozen_y)
