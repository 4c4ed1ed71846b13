"""`Rows` against the loop that they replace: a forward for each model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sk_hpo.evaluation.fused.dropout import Draws, drawing_from
from sk_hpo.evaluation.fused.rows import OneAnswerWanted, Rows, plain


def rows(x):
    return x.as_subclass(Rows)


def assert_as_one_by_one(function, *tensors):
    """Assert that values and gradients are those of each model alone, bit for bit."""
    together = [x.clone().requires_grad_(x.is_floating_point()) for x in tensors]
    result = function(*map(rows, together))
    assert type(result) is Rows
    weights = torch.randn(plain(result).shape, generator=torch.Generator().manual_seed(0))
    of_all = gradients(plain(result), together, weights)
    for k in range(len(tensors[0])):
        alone = [x[k].clone().requires_grad_(x.is_floating_point()) for x in tensors]
        expected = function(*alone)
        assert result.shape == expected.shape
        assert torch.equal(plain(result)[k], expected)
        for one, other in zip(of_all, gradients(expected, alone, weights[k]), strict=True):
            assert torch.equal(one[k], other)


def gradients(result, tensors, weights):
    if not result.requires_grad:
        return []
    trained = [x for x in tensors if x.requires_grad]
    return torch.autograd.grad(result, trained, weights.to(result.dtype).clone())


def numbers(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


EXACT = {
    name: getattr(F, name)
    for name in (
        "relu", "gelu", "leaky_relu", "hardtanh", "relu6", "softsign", "tanhshrink",
        "hardswish", "hardsigmoid", "logsigmoid", "tanh",
    )
} | {
    name: getattr(torch, name) for name in ("exp", "sin", "cos", "erf", "square", "abs", "neg")
} | {
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: torch.log_softmax(x, dim=1),
    "softmax_0": lambda x: F.softmax(x, 0),
    "flatten": lambda x: x.flatten(),
    "reshape": lambda x: x.reshape(x.shape[1], -1),
    "view": lambda x: x.view(-1),
    "transposed": lambda x: x.T.contiguous() * 2,
    "index": lambda x: x[:, 1:] - x[:, :1],
    "cat": lambda x: torch.cat([x, 2 * x], dim=1),
    "stack": lambda x: torch.stack([x, x.flip(0)]),
    "unsqueeze": lambda x: x.unsqueeze(1).expand(-1, 2, -1).permute(1, 0, 2),
    "chunk": lambda x: x.chunk(2)[0],
    "iterate": lambda x: sum(row for row in x),
    "mean": lambda x: x.mean(0, keepdim=True) + x.mean(),
    "max": lambda x: x.max(dim=1)[0],
    "norm": lambda x: x / x.norm(dim=1, keepdim=True),
    "masked": lambda x: x.masked_fill(x > 0, 0.5),
    "where": lambda x: torch.where(x > 0, x, -x),
    "clamp": lambda x: x.clamp(min=-0.5).clamp(max=x.new_tensor(0.5)),
    "arithmetic": lambda x: (1 - x) / (2 + x * x) + x**2 - 3,
    "constant": lambda x: x * torch.arange(x.shape[1]) + torch.ones(x.size(0), 1),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x),
    "double": lambda x: x.double() + 1,
    "cumsum": lambda x: x.cumsum(0),
    "in_place": lambda x: (x * 1).mul_(2).add_(1).relu_(),
    "sigmoid_in_place": lambda x: F.silu(x * 1, inplace=True),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_function(name):
    for seed, shape in enumerate([(3, 8, 16), (2, 5, 3), (5, 1, 10), (1, 7, 7)]):
        assert_as_one_by_one(EXACT[name], numbers(seed, *shape))


def test_what_is_written_to_a_part_is_refused():
    x = rows(numbers(0, 3, 8, 16).requires_grad_()) * 1
    with pytest.raises(OneAnswerWanted, match="setitem"):
        x[:, 0] = 1.0
    with pytest.raises(OneAnswerWanted, match="exp"):
        x.exp_()
    with pytest.raises(OneAnswerWanted):
        _ = x.data


TAILS = ["elu", "selu", "celu", "silu", "softplus", "mish", "sigmoid"]


@pytest.mark.parametrize("name", TAILS)
def test_activation_of_whole_vectors(name):
    assert_as_one_by_one(getattr(F, name), numbers(0, 3, 16, 32))


@pytest.mark.parametrize("name", TAILS)
def test_activation_whose_size_fills_no_vector(name):
    for seed in range(20):
        assert_as_one_by_one(getattr(F, name), numbers(seed, 3, 20, 12))
        assert_as_one_by_one(getattr(F, name), numbers(seed, 3, 3, 5))


LAYERS = {
    "linear": lambda: nn.Linear(16, 32),
    "no_bias": lambda: nn.Linear(16, 32, bias=False),
    "conv1d": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 8)), nn.Conv1d(2, 3, 3), nn.MaxPool1d(2)
    ),
    "conv2d": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3), nn.Flatten()
    ),
    "batch_norm": lambda: nn.BatchNorm1d(16),
    "layer_norm": lambda: nn.LayerNorm(16),
    "group_norm": lambda: nn.GroupNorm(4, 16),
    "prelu": lambda: nn.PReLU(),
    "bilinear": lambda: _Itself(nn.Bilinear(16, 16, 3)),
}  # fmt: skip


class _Itself(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, X):
        return self.layer(X, X)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    torch.manual_seed(0)
    modules = [LAYERS[name]() for _ in range(3)]
    names = [n for n, _ in modules[0].named_parameters()]
    stacked = [torch.stack([p.detach() for p in ps]) for ps in
               zip(*(m.parameters() for m in modules), strict=True)]  # fmt: skip

    def function(x, *parameters):
        tensors = dict(zip(names, parameters, strict=True))
        for n, buffer in modules[0].named_buffers():
            tensors[n] = buffer.clone()
        if isinstance(x, Rows):
            for n, buffer in modules[0].named_buffers():
                tensors[n] = rows(torch.stack([buffer] * 3))
        return torch.func.functional_call(modules[0], tensors, (x,))

    assert_as_one_by_one(function, numbers(1, 3, 8, 16), *stacked)


@given(
    n_models=st.integers(1, 4),
    shape=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    n_words=st.integers(1, 9),
    width=st.integers(1, 20),
    dtype=st.sampled_from([torch.int32, torch.int64]),
    padding=st.sampled_from([None, 0]),
)
def test_embedding(n_models, shape, n_words, width, dtype, padding):
    X = numbers(1, n_models, *shape).mul(100).long().remainder(n_words).to(dtype)
    assert_as_one_by_one(
        lambda x, w: F.embedding(x, w, padding), X, numbers(2, n_models, n_words, width)
    )


def first_dimension_last(x, w):
    return torch.relu(F.embedding(x.t(), w)).mean(0)


@pytest.mark.parametrize(
    "function",
    [
        first_dimension_last,
        lambda x, w: F.embedding(x[:, ::2], w).sum(1),
        lambda x, w: F.embedding(x.flip(0), w).transpose(0, 1) * 2,
        lambda x, w: torch.relu(F.embedding(x[:, :1].expand(-1, 6), w)),
    ],
)
def test_embedding_of_words_in_any_layout(function):
    X = numbers(1, 3, 40, 6).mul(100).long().remainder(5)
    assert_as_one_by_one(function, X, numbers(2, 3, 5, 4))


@pytest.mark.parametrize("word", [-1, 5])
def test_a_word_that_is_not_there_is_an_error(word):
    X, weights = torch.tensor([[0, 1], [2, word]]), numbers(1, 2, 5, 3)
    messages = []
    for x, w in ((X[1], weights[1]), (rows(X), rows(weights))):
        with pytest.raises(IndexError) as raised:
            F.embedding(x, w)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@given(
    n_models=st.integers(1, 4),
    n_rows=st.integers(1, 20),
    n_inputs=st.integers(1, 20),
    n_outputs=st.integers(1, 20),
    biased=st.booleans(),
)
@settings(max_examples=30)
def test_linear_is_close_whatever_the_shape(n_models, n_rows, n_inputs, n_outputs, biased):
    """How kernels round is for the probe to see."""
    x, w = numbers(0, n_models, n_rows, n_inputs), numbers(1, n_models, n_outputs, n_inputs)
    b = numbers(2, n_models, n_outputs)
    result = F.linear(rows(x), rows(w), rows(b) if biased else None)
    for k in range(n_models):
        expected = F.linear(x[k], w[k], b[k] if biased else None)
        torch.testing.assert_close(plain(result)[k], expected)


@given(p=st.sampled_from([0.0, 0.1, 0.5]), n_rows=st.integers(1, 9), width=st.integers(1, 40))
@settings(max_examples=30)
def test_dropout_draws_what_each_model_would(p, n_rows, width):
    x = numbers(0, 3, n_rows, width)
    generators = [torch.Generator().manual_seed(k) for k in range(3)]
    with drawing_from(Draws(generators)):
        result = F.dropout(rows(x), p)
        result = nn.Dropout(p, inplace=True)(result.relu())
    before = torch.get_rng_state()
    try:
        for k, generator in enumerate(generators):
            torch.manual_seed(k)
            expected = F.dropout(F.dropout(x[k].clone(), p).relu(), p)
            assert torch.equal(plain(result)[k], expected)
            assert torch.equal(generator.get_state(), torch.get_rng_state())
    finally:
        torch.set_rng_state(before)


def test_dropout_of_a_transposed_tensor():
    x = numbers(0, 2, 6, 10)
    generators = [torch.Generator().manual_seed(k) for k in range(2)]
    with drawing_from(Draws(generators)):
        result = F.dropout(rows(x).transpose(0, 1), 0.5)
    with torch.random.fork_rng():
        for k in range(2):
            torch.manual_seed(k)
            assert torch.equal(plain(result)[k], F.dropout(x[k].clone().transpose(0, 1), 0.5))


@pytest.mark.parametrize(
    "question",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: int(x.sum()),
        lambda x: bool(x.sum() > 0),
        lambda x: 1 if (x > 0).any() else 0,
        lambda x: x.tolist(),
        lambda x: x.detach().numpy(),
        lambda x: torch.equal(x, x),
        lambda x: torch.allclose(x, x),
        lambda x: [0, 1, 2][x.argmax() % 3],
        lambda x: torch.rand_like(x),
        lambda x: torch.bernoulli(x.sigmoid()),
        lambda x: x.clone().normal_(),
        lambda x: F.gumbel_softmax(x),
        lambda x: F.alpha_dropout(x, 0.5, training=True),
        lambda x: torch.nonzero(x > 0).shape[0] and x.unique().shape,
        lambda x: x[x > 0],
    ],
)
def test_question_that_models_may_answer_differently(question):
    with pytest.raises((OneAnswerWanted, RuntimeError)):
        question(rows(numbers(0, 3, 4, 5)))


@pytest.mark.parametrize(
    "question",
    [
        lambda x: x.shape,
        lambda x: x.size(),
        lambda x: x.size(-1),
        lambda x: x.size(dim=0),
        lambda x: len(x),
        lambda x: x.ndim,
        lambda x: x.dim(),
        lambda x: x.numel(),
        lambda x: x.dtype,
        lambda x: x.device,
        lambda x: x.requires_grad,
        lambda x: x.is_floating_point(),
        lambda x: x.stride(),
        lambda x: x.is_contiguous(),
        lambda x: torch.numel(x),
        lambda x: torch.is_tensor(x),
        lambda x: x.new_zeros(2, 3).shape,
        lambda x: torch.zeros_like(x).shape,
        lambda x: x.element_size(),
        lambda x: x.nelement(),
        lambda x: x.itemsize,
    ],
)
def test_question_with_one_answer(question):
    x = numbers(0, 3, 4, 5)
    assert question(rows(x)) == question(x[0])


def test_dropout_of_everything_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    with drawing_from(Draws([generator])):
        F.dropout(rows(numbers(0, 1, 4, 5)), 1.0)
    assert torch.equal(generator.get_state(), before)
