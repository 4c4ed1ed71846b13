from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.torch.curves import Curve, OneCycleMomentum

KINDS = ("constant", "power", "exponential", "piecewise", "1cycle", "cosine", "warmup")
curves = st.builds(
    Curve,
    st.sampled_from(KINDS),
    st.integers(2, 60),
    start=st.floats(0.001, 1),
    peak=st.floats(0, 0.99),
    final=st.floats(1e-6, 1),
    n_drops=st.integers(1, 5),
)


@given(curve=curves, epoch=st.integers(0, 100))
def test_factors_are_positive_and_at_most_one(curve, epoch):
    assert 0 < curve(epoch) <= 1 + 1e-12


@given(curve=curves)
def test_ends(curve):
    last = curve.max_epochs - 1
    rising = curve.kind in ("1cycle", "warmup") and curve.peak > 0
    assert curve(0) == pytest.approx(curve.start if rising else 1.0)
    kept = curve.kind in ("constant", "warmup")
    assert curve(last) == pytest.approx(1.0 if kept else curve.final)
    assert curve(last + 1) == curve(last + 99) == curve(last)


@given(curve=curves, epoch=st.integers(0, 30), times=st.integers(2, 4))
def test_curves_do_not_know_how_long_an_epoch_is(curve, epoch, times):
    last = (curve.max_epochs - 1) * times
    longer = Curve(
        curve.kind, last + 1, curve.start, curve.peak, curve.final, curve.n_drops
    )  # fmt: skip
    assert longer(epoch * times) == pytest.approx(curve(epoch))


@given(curve=curves)
def test_decays_never_rise_and_others_rise_once(curve):
    factors = [curve(epoch) for epoch in range(curve.max_epochs)]
    signs = [b > a + 1e-12 for a, b in pairwise(factors)]
    n_rising = sum(signs)
    assert signs == [True] * n_rising + [False] * (len(signs) - n_rising)
    if curve.kind not in ("1cycle", "warmup"):
        assert n_rising == 0


def test_a_curve_can_be_pickled():
    curve = Curve("1cycle", 27)
    assert pickle.loads(pickle.dumps(curve)) == curve


def test_several_groups_of_parameters():
    groups = [{"params": [torch.ones(1)], "momentum": m, "lr": m} for m in (0.9, 0.5)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    curve = Curve("1cycle", 11, start=0.2, peak=0.5)
    scheduler = OneCycleMomentum(optimizer, curve, Curve("1cycle momentum", 11, peak=0.5))
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.18, 0.1])
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.9, 0.5])
    lowest = [0.9 * 0.85 / 0.95, 0.5 * 0.85 / 0.95]
    assert [g["momentum"] for g in optimizer.param_groups] == pytest.approx(lowest)
