from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo.surrogates.targets import targets

scores = st.lists(st.floats(width=64), min_size=1, max_size=40)


@given(scores)
@settings(deadline=None, max_examples=100)
def test_order_is_kept_and_failures_come_last(given_scores: list[float]) -> None:
    s = np.array(given_scores)
    told = targets(s)
    y, stretch = told.y, told.stretch
    finite = np.isfinite(s)
    assert np.all(np.isfinite(y))
    assert 0.0 <= stretch < np.inf
    order = np.argsort(s[finite])
    assert np.all(np.diff(y[finite][order]) >= -1e-12)
    if finite.any() and not finite.all():
        assert y[~finite].max() <= y[finite].min() + 1e-12
    if np.ptp(y) > 0:
        assert y.mean() == pytest.approx(0.0, abs=1e-9)
        assert y.std() == pytest.approx(1.0)


def test_well_behaved_scores_are_only_standardised() -> None:
    s = np.random.default_rng(0).uniform(5.0, 8.0, 60)
    told = targets(s)
    np.testing.assert_allclose(told.y, (s - s.mean()) / s.std(), rtol=1e-9)
    assert told.stretch == pytest.approx(1 / s.std())


@pytest.mark.parametrize("bad", [-1e300, -1e6, np.nan, -np.inf])
@pytest.mark.parametrize("n_bad", [1, 5, 12])
def test_the_good_ones_stay_distinguishable(bad: float, n_bad: int) -> None:
    good = np.linspace(0.7, 0.9, 8)
    y = targets(np.concatenate([good, np.full(n_bad, bad)])).y
    assert np.all(np.diff(y[:8]) > 0.01)
    assert y[8:].max() < y[:8].min() + 1e-12


def test_failures_are_told_from_an_only_score() -> None:
    y = targets(np.array([np.nan, 0.4, np.nan, 0.4])).y
    np.testing.assert_allclose(y, [-1.0, 1.0, -1.0, 1.0])


@pytest.mark.parametrize("s", [[0.3], [np.nan], [np.inf, np.nan], [2.0, 2.0, 2.0]])
def test_nothing_to_tell_apart(s: list[float]) -> None:
    told = targets(np.array(s))
    assert np.all(told.y == 0.0)
    assert told.stretch == 0.0
    expected = max((v for v in s if np.isfinite(v)), default=0.0)
    assert told.to_score(np.zeros(1), np.ones(1)) == (expected, 0.0)


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=40))
@settings(deadline=None, max_examples=100)
def test_targets_are_taken_back_to_their_scores(given_scores: list[float]) -> None:
    s = np.array(given_scores)
    told = targets(s)
    back, _ = told.to_score(told.y, np.zeros(len(s)))
    # Beyond 250 units all are alike.
    near = s.max() - s <= 200 * told.unit
    scale = np.maximum(np.abs(s), s.max() - s) + told.unit
    assert np.all(np.abs(back - s)[near] <= 1e-9 * scale[near])


def test_a_small_spread_of_targets_is_that_of_the_scores() -> None:
    s = np.concatenate([np.linspace(0.0, 1.0, 40), [-20.0, -60.0]])
    told = targets(s)
    for y in (told.y[3], told.y[-2], told.y[-1]):
        (_, sd), step = told.to_score(np.array([y]), np.array([1.0])), 1e-6
        up, down = (told.to_score(np.array([y + e]), np.zeros(1))[0] for e in (step, -step))
        assert sd[0] == pytest.approx((up - down)[0] / (2 * step), rel=1e-6)
