from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo.surrogates import growing
from sk_hpo.surrogates.growing import GrowingProcess
from sk_hpo.surrogates.kernel import Columns

COLUMNS = Columns(np.array([False, False]))
NEW = np.random.default_rng(99).random((7, 2))


def wave(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2))
    folds = np.sin(6 * x[:, :1]) + 0.2 * rng.normal(size=(n, 4))
    return x, folds.mean(axis=1), folds


def predicted(process: GrowingProcess, n: int, seed: int = 0) -> np.ndarray:
    posterior, told = process.posterior(*(a[:n] for a in wave(40, seed)))
    return np.array([told.to_score(m, s) for m, s in zip(*posterior.predict(NEW), strict=True)])


@given(order=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2)), min_size=1, max_size=5))
@settings(deadline=None, max_examples=10)
def test_what_is_believed_does_not_depend_on_what_was_asked_before(
    order: list[tuple[int, int]],
) -> None:
    process = GrowingProcess(COLUMNS, seed=3)
    for n, seed in order:
        remembered = predicted(process, n, seed)
    afresh = predicted(GrowingProcess(COLUMNS, seed=3), n, seed)
    np.testing.assert_array_equal(remembered, afresh)


def test_an_outcome_that_comes_late_is_learned_from() -> None:
    x, scores, folds = wave(30)
    process = GrowingProcess(COLUMNS, seed=0)
    but_one = np.arange(30) != 4
    process.posterior(x[but_one], scores[but_one], folds[but_one])
    late, _ = process.posterior(x, scores, folds)
    afresh, _ = GrowingProcess(COLUMNS, seed=0).posterior(x, scores, folds)
    np.testing.assert_array_equal(late.predict(NEW), afresh.predict(NEW))


def test_the_seed_matters_while_hyperparameters_are_drawn() -> None:
    a, b = (predicted(GrowingProcess(COLUMNS, seed), 10) for seed in (0, 1))
    assert len(a) > 1
    assert not np.array_equal(a, b)


def test_predictions_are_in_units_of_the_score() -> None:
    x, scores, folds = wave(60)
    posterior, told = GrowingProcess(COLUMNS, seed=0).posterior(
        x, 1000 + 50 * scores, 1000 + 50 * folds
    )
    mean, sd = told.to_score(*(a.mean(axis=0) for a in posterior.predict(NEW)))
    truth = 1000 + 50 * np.sin(6 * NEW[:, 0])
    assert np.abs(mean - truth).max() < 10
    assert np.all((sd > 0.1) & (sd < 20))


@pytest.mark.parametrize("n", [270, 540])
def test_many_observations_are_not_all_looked_at(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer rows, the same function: predictions agree with those of all rows."""
    x, scores, _ = wave(n)
    some, _ = GrowingProcess(COLUMNS, seed=0).posterior(x, scores)
    assert len(some.x) == min(n, growing._MOST)
    monkeypatch.setattr(growing, "_MOST", n)
    whole, _ = GrowingProcess(COLUMNS, seed=0).posterior(x, scores)
    assert len(whole.x) == n
    np.testing.assert_allclose(some.predict(NEW)[0], whole.predict(NEW)[0], atol=0.1)


def test_of_many_the_best_are_among_those_looked_at() -> None:
    y = np.random.default_rng(0).normal(size=1000)
    rows = growing._some(y, 100)
    assert len(rows) == len(set(rows)) == 100
    assert np.all(np.diff(rows) > 0)
    assert set(np.argsort(-y)[:50]) <= set(rows)
    rest = y[np.setdiff1d(rows, np.argsort(-y)[:50])]
    assert abs(np.median(rest) - np.median(y[np.argsort(-y)[50:]])) < 0.3


def test_folds_that_disagree_make_a_score_count_for_less() -> None:
    x = np.linspace(0.0, 1.0, 12)[:, None] * [1.0, 0.0]
    scores = np.where(np.arange(12) == 6, 1.0, 0.0)
    rng = np.random.default_rng(0)
    folds = scores[:, None] + 0.01 * rng.normal(size=(12, 5))
    folds[6] += [3.0, -3.0, 2.0, -2.0, 0.0]

    def at_the_outlier(folds: np.ndarray | None) -> float:
        posterior, told = GrowingProcess(COLUMNS, seed=0).posterior(x, scores, folds)
        return float(told.to_score(posterior.predict(x[6:7])[0].mean(), np.float64(0.0))[0])

    assert at_the_outlier(folds) < 0.2 < at_the_outlier(np.repeat(scores[:, None], 5, axis=1))


def test_what_was_learned_is_not_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds give every score another error when more are known: that must not matter."""
    learned = []
    real = growing.fit
    monkeypatch.setattr(
        growing, "fit", lambda x, *a, **k: learned.append(len(x)) or real(x, *a, **k)
    )
    process, (x, scores, folds) = GrowingProcess(COLUMNS, seed=0), wave(40)
    for n in range(1, 41):
        process.posterior(x[:n], scores[:n], folds[:n])
    assert learned == list(growing._sizes(40))
