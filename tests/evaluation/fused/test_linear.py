"""Linear layers of several models, by either library: the bits of each model's own layer."""

import pytest
import torch
import torch.nn.functional as F
from evaluation.fused.trainings import Dense, assert_same, classifier, one_thread

from sk_hpo.evaluation.fused import linear

K = 7


@pytest.fixture(params=["as it pays", "oneDNN for all"], autouse=True)
def _library(request, monkeypatch):
    if request.param == "oneDNN for all":
        monkeypatch.setattr(linear, "_MANY", 0)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 10, 32, 33])
@pytest.mark.parametrize("n_inputs", [8, 64, 100])
@pytest.mark.parametrize("n_rows", [1, 29, 32])
def test_equals_the_layer_of_each_model(n_rows, n_inputs, n_outputs, biased):
    generator = torch.Generator().manual_seed(0)
    size = 16 * -(-n_outputs * n_inputs // 16)
    x = torch.randn(K, n_rows, n_inputs, generator=generator, requires_grad=True)
    rows = torch.randn(K, size + 16, generator=generator)  # as in a stack
    w = rows[:, : n_outputs * n_inputs].view(K, n_outputs, n_inputs).requires_grad_()
    b = torch.randn(K, n_outputs, generator=generator).requires_grad_() if biased else None
    slope = torch.randn(K, n_rows, n_outputs, generator=generator)
    inputs = [x, w] + ([b] if biased else [])
    with one_thread():
        y = linear.linear(x, w, b)
        ours = (y, *torch.autograd.grad(y, inputs, slope))
        single = []
        for of_k in zip(*inputs, slope, strict=True):
            *own, slope_k = (t.detach().clone() for t in of_k)
            own = [t.requires_grad_() for t in own]
            y_k = F.linear(*own)
            single.append((y_k, *torch.autograd.grad(y_k, own, slope_k)))
    for one, other in zip(ours, zip(*single, strict=True), strict=True):
        assert torch.equal(one, torch.stack(other))


def test_the_users_setting_stays():
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    before = getattr(matmul, "fp32_precision", None)
    a = torch.randn(K, 64, 64)
    with one_thread():
        assert torch.equal(linear._product(a, a)(a, a), torch.bmm(a, a))
    assert getattr(matmul, "fp32_precision", None) == before


def test_training_is_the_same():
    assert_same([classifier(Dense, lr=lr, module__n_layers=2) for lr in (0.1, 0.3)])
