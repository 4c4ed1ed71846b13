from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from sk_hpo.schedulers.rules import Forgiving, Paired

scores = st.lists(st.integers(0, 40).map(lambda i: i / 40), min_size=3, max_size=8)


@given(scores, scores)
def test_forgiving(mine: list[float], rival: list[float]) -> None:
    mine = mine[: len(rival) - 1]
    expected = sum(mine) / len(mine) < min(rival)
    near = abs(sum(mine) / len(mine) - min(rival)) < 1e-12
    assert near or Forgiving().beaten(np.array(mine), np.array(rival)) == expected


@given(scores, scores, st.sampled_from([0.01, 0.05, 0.3]))
def test_paired_is_the_corrected_t_test(
    mine: list[float], rival: list[float], level: float
) -> None:
    k = len(rival)
    mine = mine[: k - 1]
    m = len(mine)
    d = [r - c for r, c in zip(rival, mine, strict=False)]
    mean = sum(d) / m
    variance = sum((x - mean) ** 2 for x in d) / (m - 1)
    corrected = (1 / m + 1 / (k - 1)) * variance
    beaten = Paired(1 / (k - 1), level).beaten(np.array(mine), np.array(rival))
    if corrected > 1e-12:
        p = student.sf(mean / corrected**0.5, m - 1)
        if abs(p - level) > 1e-9:
            assert beaten == (p < level)


@pytest.mark.parametrize(("gap", "beaten"), [(0.125, True), (0.0, False), (-0.125, False)])
def test_paired_without_noise(gap: float, beaten: bool) -> None:
    rival = np.array([0.25, 0.5, 0.75, 1.0])
    assert Paired(1 / 3).beaten(rival[:2] - gap, rival) is beaten


def test_paired_says_nothing_of_one_fold() -> None:
    assert not Paired(1 / 3).beaten(np.array([-1e9]), np.array([0.5, 0.5, 0.5]))


@given(scores, st.integers(1, 7))
def test_who_is_better_on_every_fold_is_never_beaten(rival: list[float], m: int) -> None:
    mine = np.array(rival)[: min(m, len(rival) - 1)] + 0.01
    assert not Forgiving().beaten(mine, np.array(rival))
    assert not Paired(1 / (len(rival) - 1)).beaten(mine, np.array(rival))
