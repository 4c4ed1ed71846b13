from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo.surrogates.folds import fold_errors


def simulated(
    n: int, k: int, sd: np.ndarray | float, seed: int, hardness: float = 1.0
) -> np.ndarray:
    """Scores with a mean per candidate, an offset per fold, and noise of a known sd."""
    rng = np.random.default_rng(seed)
    means, offsets = rng.normal(size=(n, 1)), hardness * rng.normal(size=k)
    return means + offsets + np.reshape(sd, (-1, 1)) * rng.normal(size=(n, k))


@pytest.mark.parametrize("hardness", [0.0, 1.0, 100.0])
def test_the_offsets_of_folds_do_not_count(hardness: float) -> None:
    errors = fold_errors(simulated(200, 5, 0.3, 0, hardness))
    assert np.median(errors) == pytest.approx(0.3 / np.sqrt(5), rel=0.1)


def test_noisy_candidates_have_larger_errors() -> None:
    sd = np.repeat([0.1, 1.0], [60, 40])
    errors = fold_errors(simulated(100, 10, sd, 1))
    assert np.median(errors[60:]) > 4 * np.median(errors[:60])
    assert np.corrcoef(errors, sd)[0, 1] > 0.9


def test_few_folds_are_drawn_towards_all_candidates() -> None:
    """The truth is one sd; raw standard errors from three folds scatter far more."""
    scores = simulated(300, 3, 0.5, 2)
    raw = scores.std(axis=1, ddof=1) / np.sqrt(3)
    errors = fold_errors(scores)
    assert errors.std() < 0.5 * raw.std()


def test_one_diverged_candidate_does_not_blur_the_others() -> None:
    scores = simulated(50, 5, 0.1, 3)
    before = fold_errors(scores)
    scores[7] = [0.0, -1e6, 3.0, 0.0, -1e9]
    after = fold_errors(scores)
    assert np.median(np.delete(after, 7)) < 1.3 * np.median(np.delete(before, 7))
    assert after[7] > 1e6


@pytest.mark.parametrize("n", [0, 1, 2])
def test_of_less_than_three_nothing_is_known(n: int) -> None:
    assert np.all(fold_errors(simulated(n, 5, 1.0, 0)) == 0.0)


@given(
    rows=st.lists(
        st.lists(st.floats(width=64), min_size=4, max_size=4), min_size=1, max_size=12
    ),
    scale=st.sampled_from([1e-300, 1.0, 1e150]),
)
@settings(deadline=None, max_examples=100)
def test_any_scores_have_errors(rows: list[list[float]], scale: float) -> None:
    scores = np.array(rows)
    errors = fold_errors(scores)
    assert np.all(np.isfinite(errors))
    assert np.all(errors >= 0.0)
    usable = np.isfinite(scores).all(axis=1)
    assert np.all(errors[~usable] == 0.0)
    small = np.where(np.isfinite(scores), np.clip(scores, -1.0, 1.0), scores)
    np.testing.assert_allclose(
        fold_errors(small * scale), fold_errors(small) * scale, rtol=1e-9, atol=1e-12 * scale
    )
