"""Logarithms of the softmax of many rows at a time: the bits of ATen's for one model."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_hpo.evaluation.fused.softmax import _rows_at_once, log_loss, log_softmax


def same(one, other):
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


@settings(max_examples=150, deadline=None)
@given(
    n_models=st.integers(1, 9),
    n_rows=st.sampled_from([1, 2, 7, 8, 16, 29, 32]),
    n_classes=st.sampled_from([1, 2, 3, 9, 10, 15, 16, 17, 31, 40]),
    scale=st.floats(1e-3, 1e4),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    special=st.sampled_from([None, torch.inf, -torch.inf, torch.nan]),
    seed=st.integers(0, 10_000),
)
def test_equals_that_of_each_model(n_models, n_rows, n_classes, scale, dtype, special, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = n_models, n_rows, n_classes
    x = scale * torch.randn(shape, generator=generator, dtype=dtype)
    if special is not None:
        x[-1, 0, -1] = special
    target = torch.randint(n_classes, (n_models, n_rows), generator=generator)
    y = log_softmax(x)
    at_target, of_x = log_loss(x, target)
    assert of_x.is_contiguous()
    for k in range(n_models):
        alone = x[k].clone().requires_grad_()
        logs = alone.log_softmax(-1)
        assert same(y[k], logs.detach())
        assert same(at_target[k], logs.detach()[range(n_rows), target[k]])
        loss = F.nll_loss(logs, target[k])
        assert same(of_x[k], torch.autograd.grad(loss, alone)[0])


@pytest.mark.parametrize("n_rows", [32, 64])
def test_the_usual_sizes_go_the_fast_way(n_rows):
    assert _rows_at_once(torch.zeros(45, n_rows, 10))
    assert not _rows_at_once(torch.zeros(45, n_rows, 1000))
