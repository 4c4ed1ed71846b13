"""Two candidates compared: published figures, integration, draws, and properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import integrate, stats
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
from sklearn.svm import SVC

from sk_hpo.validation.ttest import Comparison, compare_rows, compare_scores

# As accuracies on 50 rows: ties and equal differences do happen.
scores = st.integers(2, 8).flatmap(
    lambda n: arrays.arrays(float, (2, n), elements=st.integers(0, 50).map(lambda i: i / 50))
)
ropes = st.sampled_from([0.0, 0.01, 0.03, 0.25])


def compare(i: Any, j: Any, *, share: float = 0.25, **more: Any) -> Comparison:
    return compare_scores(i, j, n_train=100, n_test=100 * share, **more)


def scale(difference: np.ndarray, share: float) -> float:
    n = len(difference)
    mean = sum(difference) / n
    variance = sum((d - mean) ** 2 for d in difference) / (n - 1)
    return float(((1 / n + share) * variance) ** 0.5)


@pytest.fixture(scope="module")
def moons() -> dict[str, np.ndarray]:
    """As in scikit-learn's example "Statistical comparison of models using grid search"."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    kernels = {"rbf": {}, "linear": {}, "poly": {"degree": 3}}
    grid = [
        {"kernel": [kernel], **{name: [value] for name, value in more.items()}}
        for kernel, more in kernels.items()
    ]
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    search = GridSearchCV(SVC(random_state=0), grid, scoring="roc_auc", cv=cv, refit=False)
    results = search.fit(X, y).cv_results_
    folds = np.array([results[f"split{k}_test_score"] for k in range(100)]).T
    return dict(zip(kernels, folds, strict=True))


@pytest.mark.parametrize(
    ("confidence", "low", "high"),
    [(0.50, 0.000977, 0.019023), (0.75, -0.005422, 0.025422), (0.95, -0.016445, 0.036445)],
)
def test_published_intervals(
    moons: dict[str, np.ndarray], confidence: float, low: float, high: float
) -> None:
    found = compare_scores(
        moons["rbf"], moons["linear"], n_train=90, n_test=10, confidence=confidence
    )
    assert found.interval == pytest.approx((low, high), abs=5e-7)
    assert found.confidence == confidence


@pytest.mark.parametrize(
    ("other", "worse", "equivalent"), [("linear", 0.068, 0.43), ("poly", 0.018, 0.10)]
)
def test_published_probabilities(
    moons: dict[str, np.ndarray], other: str, worse: float, equivalent: float
) -> None:
    found = compare_scores(moons["rbf"], moons[other], n_train=90, n_test=10, rope=0.01)
    assert found.n_folds == 100
    assert found.p_worse == pytest.approx(worse, abs=5e-4)
    assert found.p_equivalent == pytest.approx(equivalent, abs=5e-3)


@pytest.mark.parametrize("rope", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("n", [2, 5, 30])
def test_probabilities_are_areas_under_the_posterior(n: int, rope: float) -> None:
    # The density of location-scale t in its own formula, integrated by quadrature.
    rng = np.random.default_rng(n)
    i, j = rng.normal(0.8, 0.05, n), rng.normal(0.77, 0.05, n)
    found = compare(i, j, rope=rope)
    mean, width, df = float(np.mean(i - j)), scale(i - j, 0.25), n - 1

    def kernel(x: float) -> float:
        return float((1 + ((x - mean) / width) ** 2 / df) ** (-(df + 1) / 2))

    def area(low: float, high: float) -> float:
        return float(integrate.quad(kernel, low, high, epsabs=1e-12, limit=200)[0])

    # Split at the mode, which quadrature over a half-line could miss.
    mode = np.clip(mean, rope, None), np.clip(mean, None, -rope)
    better = area(rope, mode[0]) + area(mode[0], np.inf)
    worse = area(-np.inf, mode[1]) + area(mode[1], -rope)
    middle = area(-rope, rope)
    whole = better + middle + worse
    assert found.p_better == pytest.approx(better / whole, abs=1e-7)
    assert found.p_equivalent == pytest.approx(middle / whole, abs=1e-7)
    assert found.p_worse == pytest.approx(worse / whole, abs=1e-7)


def test_posterior_by_draws_from_its_model() -> None:
    # Corani, Benavoli (2015): differences are normal with one correlation rho. Under the prior
    # 1 / sigma^2, sigma^2 given the data is a scaled inverse chi^2, and the mean given sigma^2
    # is normal with variance sigma^2 (1/n + rho / (1 - rho)).
    i = np.array([0.91, 0.84, 0.93, 0.90, 0.87, 0.88])
    j = np.array([0.89, 0.83, 0.92, 0.86, 0.87, 0.89])
    share, rope, n_draws = 0.2, 0.01, 400_000
    rho = share / (1 + share)
    d = i - j
    rng = np.random.default_rng(0)
    variance = ((d - d.mean()) ** 2).sum() / rng.chisquare(len(d) - 1, n_draws)
    spread = np.sqrt(variance * (1 / len(d) + rho / (1 - rho)))
    mean = rng.normal(d.mean(), spread)
    found = compare(i, j, share=share, rope=rope)
    drawn = [(mean > rope).mean(), (abs(mean) <= rope).mean(), (mean < -rope).mean()]
    assert [found.p_better, found.p_equivalent, found.p_worse] == pytest.approx(
        drawn, abs=4 * 0.5 / n_draws**0.5
    )
    assert np.quantile(mean, [0.025, 0.975]) == pytest.approx(found.interval, abs=5e-4)


@given(scores)
def test_without_overlap_it_is_the_paired_t_test(pair: np.ndarray) -> None:
    i, j = pair
    assume(np.ptp(i - j) > 1e-9)
    found = compare_scores(i, j, n_train=1e12, n_test=1e-3, confidence=0.9)
    expected = stats.ttest_rel(i, j)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.9)), abs=1e-9)


@given(scores, ropes)
def test_one_sided_p_values_are_the_probabilities(pair: np.ndarray, rope: float) -> None:
    found = compare(*pair, rope=rope)
    assume(found.standard_error > 1e-12)
    posterior = stats.t(found.n_folds - 1, found.mean_difference, found.standard_error)
    assert found.p_better == pytest.approx(posterior.sf(rope), abs=1e-12)
    assert found.p_worse == pytest.approx(posterior.cdf(-rope), abs=1e-12)
    if not rope:
        p = min(found.p_better, found.p_worse)
        assert found.p_value == pytest.approx(2 * p, abs=1e-12)


@given(scores, ropes)
def test_probabilities_sum_to_one(pair: np.ndarray, rope: float) -> None:
    found = compare(*pair, rope=rope)
    parts = (found.p_better, found.p_equivalent, found.p_worse)
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(1.0, abs=1e-12)
    assert rope or found.p_equivalent == float(np.array_equal(*pair))


@given(scores, ropes)
def test_i_and_j_change_sides(pair: np.ndarray, rope: float) -> None:
    one, other = compare(*pair, rope=rope), compare(*pair[::-1], rope=rope)
    assert (one.p_better, one.p_worse) == (other.p_worse, other.p_better)
    assert one.p_equivalent == pytest.approx(other.p_equivalent, abs=1e-12)
    assert one.interval == (-other.interval[1], -other.interval[0])
    assert (one.statistic, one.p_value) == (-other.statistic, other.p_value)


@given(scores, ropes, ropes)
def test_a_wider_rope_makes_more_equivalent(pair: np.ndarray, a: float, b: float) -> None:
    narrow, wide = (compare(*pair, rope=rope) for rope in sorted((a, b)))
    assert narrow.p_equivalent <= wide.p_equivalent + 1e-12
    assert narrow.p_better >= wide.p_better
    assert narrow.p_worse >= wide.p_worse


@given(scores, st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_more_overlap_is_less_certain(pair: np.ndarray, a: float, b: float) -> None:
    little, much = (compare(*pair, share=share) for share in sorted((a, b)))
    assert little.p_value <= much.p_value + 1e-12
    assert little.standard_error <= much.standard_error + 1e-12


@pytest.mark.parametrize("rope", [0.0, 0.01])
def test_same_scores_are_equivalent(rope: float) -> None:
    found = compare([0.8, 0.7, 0.9], [0.8, 0.7, 0.9], rope=rope)
    assert (found.p_better, found.p_equivalent, found.p_worse) == (0, 1, 0)
    assert (found.statistic, found.p_value, found.interval) == (0, 1, (0, 0))


@pytest.mark.parametrize(
    ("gap", "rope", "expected"),
    [(0.25, 0.0, (1, 0, 0)), (0.25, 0.5, (0, 1, 0)), (-0.25, 0.125, (0, 0, 1))],
)
def test_the_same_difference_on_every_fold_is_certain(
    gap: float, rope: float, expected: tuple[int, int, int]
) -> None:
    j = np.array([0.5, 0.75, 0.25])
    found = compare(j + gap, j, rope=rope)
    assert (found.p_better, found.p_equivalent, found.p_worse) == expected
    assert (found.statistic, found.p_value) == (np.copysign(np.inf, gap), 0)
    assert found.interval == (gap, gap)


def test_only_folds_that_both_ran_count() -> None:
    nan = np.nan
    i = [0.9, nan, 0.8, 0.85, 0.7]
    j = [0.7, 0.9, 0.75, 0.8, nan]
    n_train, n_test = [80, 1, 70, 90, 1], [20, 99, 30, 10, 99]
    found = compare_scores(i, j, n_train=n_train, n_test=n_test, rope=0.01)
    both = [0, 2, 3]
    share = (20 / 80 + 30 / 70 + 10 / 90) / 3
    expected = compare([i[k] for k in both], [j[k] for k in both], share=share, rope=0.01)
    assert found.n_folds == 3
    for name in ("p_better", "p_worse", "statistic", "standard_error"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)


def test_rows_are_compared_by_their_columns() -> None:
    folds = {
        "auc": [[0.9, 0.8, 0.7], [0.6, 0.7, 0.8]],
        "f1": [[0.5, 0.7, 0.3], [0.4, 0.3, 0.3]],
    }
    results: dict[str, Any] = {"params": [{}, {}]}
    for name, rows in folds.items():
        results[f"mean_test_{name}"] = np.mean(rows, axis=1)
        for k, column in enumerate(np.transpose(rows)):
            results[f"split{k}_test_{name}"] = column
    for name, (i, j) in folds.items():
        found = compare_rows(results, 1, 0, n_train=100, n_test=25, metric=name, rope=0.1)
        assert found == compare(j, i, rope=0.1)
    with pytest.raises(ValueError, match=r"metric= is not given.*\['auc', 'f1'\]"):
        compare_rows(results, 0, 1, n_train=100, n_test=25)
    for i, j in [(0, 2), (-1, 0)]:
        with pytest.raises(IndexError, match=r"no candidate.*has 2 rows"):
            compare_rows(results, i, j, n_train=100, n_test=25, metric="auc")


def test_the_corrected_test_keeps_its_level_where_the_plain_one_does_not() -> None:
    """Under the null: two equal regressions, each blind to one of two equal features.

    The features are exchangeable, so neither regression is better over data sets. Of 400 data
    sets, each with 10 random splits, the plain t-test rejects far more than 5 %.
    """
    rng = np.random.default_rng(0)
    n, n_test, n_splits, n_sets, level = 60, 12, 10, 400, 0.05
    corrected, plain = [], []
    for _ in range(n_sets):
        X = rng.normal(size=(n, 2))
        y = X.sum(axis=1) + rng.normal(size=n)
        found = []
        for _ in range(n_splits):
            order = rng.permutation(n)
            train, test = order[n_test:], order[:n_test]
            slopes = (X[train] * y[train, None]).sum(axis=0) / (X[train] ** 2).sum(axis=0)
            found.append(-((y[test, None] - X[test] * slopes) ** 2).mean(axis=0))
        i, j = np.array(found).T
        corrected.append(compare_scores(i, j, n_train=n - n_test, n_test=n_test).p_value)
        plain.append(stats.ttest_rel(i, j).pvalue)
    rejected, too_many = (np.mean(np.array(p) < level) for p in (corrected, plain))
    assert too_many > 0.2
    assert rejected == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores_i": [0.9]}, "shapes are"),
        ({"scores_i": [[0.9, 0.8, 0.7]], "scores_j": [[0.9, 0.8, 0.7]]}, "shapes are"),
        ({"scores_i": [0.9, np.nan, np.nan]}, "at least 2 folds.*1 of 3"),
        ({"scores_i": [0.9], "scores_j": [0.8]}, "at least 2 folds.*1 of 1"),
        ({"scores_i": [0.9, 0.8, np.inf]}, "infinite"),
        ({"rope": -0.01}, "rope"),
        ({"rope": np.nan}, "rope"),
        ({"rope": np.inf}, "rope"),
        ({"confidence": 95}, "confidence"),
        ({"confidence": 0.0}, "confidence"),
        ({"n_train": 0}, "n_train must be at least 1"),
        ({"n_test": [10, 10]}, "n_test must be a number of rows, or one for each of the 3"),
    ],
)
def test_errors_say_what_was_seen(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "scores_i": [0.9, 0.8, 0.7],
        "scores_j": [0.8, 0.8, 0.6],
        "n_train": 90,
        "n_test": 10,
    }
    with pytest.raises(ValueError, match=message):
        compare_scores(**arguments | change)


def test_reads_well() -> None:
    i, j = [0.91, 0.84, 0.93], [0.89, 0.83, 0.92]
    assert "P(equivalent" not in str(compare(i, j))
    assert "P(equivalent within ±0.01)" in str(compare(i, j, rope=0.01))
    assert "P(equivalent within ±0) = 1.000" in str(compare(i, i))
