"""The order in which losses are summed is torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given
from hypothesis import strategies as st

from sk_hpo.evaluation.fused.losses import mean_in_order


@given(n=st.integers(1, 700), double=st.booleans())
@example(n=16, double=False)
@example(n=17, double=False)
@example(n=257, double=False)
@example(n=4097, double=False)
@example(n=70_001, double=False)
@example(n=1_100_000, double=False)
def test_mean_in_order_is_that_of_nll_loss(n, double):
    generator = torch.Generator().manual_seed(n)
    dtype = torch.float64 if double else torch.float32
    logs = torch.randn(2, n, 3, generator=generator, dtype=dtype).log_softmax(-1)
    target = torch.randint(3, (2, n), generator=generator)
    losses = -logs.gather(2, target.unsqueeze(2)).squeeze(2)
    means = mean_in_order(losses)
    for k in range(2):
        assert torch.equal(means[k], F.nll_loss(logs[k], target[k]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_mean_in_order_of_what_is_no_number(value):
    losses = torch.ones(2, 40)
    losses[1, 30] = value
    assert mean_in_order(losses)[0] == 1
    assert repr(float(mean_in_order(losses)[1])) == repr(value)
