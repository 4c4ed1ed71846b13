"""Hyperparameters of several models in the place of one: the bits that each gives alone."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from sk_hpo.evaluation.fused.numbers import Numbers, Parameters, Squares, root_is_lost
from sk_hpo.evaluation.fused.optimizers import _SQUARES, _WITH_RATES, KNOWN, Optimizers
from sk_hpo.evaluation.fused.stack import Stack

K = 5
LRS = [0.1, 0.003, 1.0, 0.02, 0.3]


def make(kind, differing):
    """Return K small modules and their optimizers."""
    torch.manual_seed(0)
    modules = [nn.Linear(13, 7) for _ in range(K)]
    optimizers = []
    for k, module in enumerate(modules):
        given = {"lr": LRS[k] / 10}
        if "weight_decay" in differing:
            given["weight_decay"] = 10.0 ** -(k + 1)
        if "momentum" in differing:
            given["momentum"] = 0.9 - k / 10
        optimizers.append(kind(module.parameters(), **given))
    return modules, optimizers


def gradients(step):
    generator = torch.Generator().manual_seed(step)
    return [
        [torch.randn(*shape, generator=generator) for shape in ((7, 13), (7,))]
        for _ in range(K)
    ]


def rescheduled(optimizer, step):
    """Do what a schedule does: another rate, also none, of one of the models."""
    (group,) = optimizer.param_groups
    group["lr"] = 0.0 if step == 4 else group["lr"] * 0.7


CASES = [
    *[(kind, ("lr",)) for kind in KNOWN],
    *[(kind, ("lr", "weight_decay")) for kind in KNOWN if kind is not torch.optim.Rprop],
    *[(kind, ("lr", "weight_decay", "momentum")) for kind in KNOWN[:1] + KNOWN[3:4]],
]


@pytest.mark.parametrize(("kind", "differing"), CASES, ids=str)
def test_steps_as_each_alone(kind, differing):
    modules, optimizers = make(kind, differing)
    stack = Stack(modules)
    together = Optimizers(stack, optimizers, [3] * K)
    alone, alone_optimizers = make(kind, differing)
    for step in range(7):
        together.refresh()
        if step in (0, 1):
            n_runs = 1 if kind in _WITH_RATES else K
            assert len(together._runs) == n_runs
        drawn = gradients(step)
        stack.keep_gradients(slice(None), [torch.stack(g) for g in zip(*drawn, strict=True)])
        together.step([True] * K)
        for module, optimizer, own in zip(alone, alone_optimizers, drawn, strict=True):
            for p, g in zip(module.parameters(), own, strict=True):
                p.grad = g
            optimizer.step()
        if step in (3, 4):
            rescheduled(optimizers[2], step)
            rescheduled(alone_optimizers[2], step)
    together.write_back()
    for k in range(K):
        for ours, theirs in zip(modules[k].parameters(), alone[k].parameters(), strict=True):
            assert torch.equal(ours, theirs)
            state, other = optimizers[k].state[ours], alone_optimizers[k].state[theirs]
            assert list(state) == list(other)
            for name in state:
                assert type(state[name]) is type(other[name])
                assert np.array_equal(np.asarray(state[name]), np.asarray(other[name]))


def test_more_numbers_than_a_cache_holds(monkeypatch):
    monkeypatch.setattr("sk_hpo.evaluation.fused.optimizers._NUMBERS", 250)
    modules, optimizers = make(torch.optim.SGD, ("lr",))
    stack = Stack(modules)  # 112 numbers each, with what is between them
    together = Optimizers(stack, optimizers, [3] * K)
    together.refresh()
    assert [run.slice for run in together._runs] == [slice(0, 1), slice(1, 3), slice(3, 5)]


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: x.lerp_(torch.ones(2, 3), n),
        lambda x, n: x.addcmul_(torch.ones(2, 3), torch.ones(2, 3), value=n),
        lambda x, n: x + n,
        lambda x, n: x.pow(n),
        lambda x, n: x.mul_(n).clamp_(n),
    ],
)
def test_what_no_optimizer_does_is_refused(call):
    weights = torch.ones(2, 3).as_subclass(Parameters)
    with pytest.raises(TypeError):
        call(weights, Numbers(np.array([0.5, 0.25])))


def test_arithmetic_is_that_of_each():
    values = np.array([0.1, 1 / 3, 7.0])
    n = Numbers(values)
    for make_one in (
        lambda x: 1 - x * 0.3,
        lambda x: -x / 0.7 + x,
        lambda x: 2.0 / x - 1,
        lambda x: x * x - x / x,
    ):
        assert make_one(n).values.tolist() == [make_one(x) for x in values.tolist()]
    with pytest.raises(TypeError, match="round"):
        n**2
    with pytest.raises(TypeError, match="round"):
        2**n


@pytest.mark.parametrize("kind", list(_SQUARES))
@pytest.mark.parametrize("lrs", [[0.01] * K, LRS])
@pytest.mark.parametrize("eps", [None, 1e-20, 0.0])
def test_gradients_of_nothing_and_next_to_it(kind, lrs, eps):
    """The roots of their squares are what `Squares` raises, where eps drowns them."""
    torch.manual_seed(0)
    given = {} if eps is None else {"eps": eps}
    modules = [nn.Linear(13, 7, bias=False) for _ in range(K)]
    alone = [deepcopy(module) for module in modules]
    optimizers, alone_optimizers = (
        [kind(m.parameters(), lr=lr, **given) for m, lr in zip(those, lrs, strict=True)]
        for those in (modules, alone)
    )
    stack = Stack(modules)
    together = Optimizers(stack, optimizers, [3] * K)
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([0.0, 1e-30, 1e-22, 1e-19, 1e-17, 1e-9, 1.0])
    for _ in range(4):
        together.refresh()
        for _ in range(3):
            drawn = torch.randn(K, 7, 13, generator=generator) * sizes[:, None]
            stack.keep_gradients(slice(None), [drawn])
            together.step([True] * K)
            for k, module in enumerate(alone):
                module.weight.grad = drawn[k].clone()
                alone_optimizers[k].step()
        together.write_back()
    for k in range(K):
        ours, theirs = stack.weights[k].view(-1)[:91], alone[k].weight.detach().view(-1)
        assert torch.allclose(ours, theirs, rtol=0, atol=0, equal_nan=True)
        state = optimizers[k].state[modules[k].weight]
        other = alone_optimizers[k].state[alone[k].weight]
        assert torch.equal(state[_SQUARES[kind]], other[_SQUARES[kind]])


def test_an_eps_that_is_seen_keeps_the_roots():
    assert root_is_lost(1e-8, (1 - 0.999) ** 0.5, torch.float32)
    assert root_is_lost(1e-10, 1.0, torch.float32)
    assert not root_is_lost(1e-12, 1.0, torch.float32)
    assert not root_is_lost(0.0, 1.0, torch.float32)
    assert not root_is_lost(1e-8, 1.0, torch.float64)
    raised = torch.tensor([0.0, 4.0, torch.nan]).as_subclass(Squares).sqrt()
    assert raised.tolist()[:2] == [2.0**-60, 2.0]
    assert raised.isnan().tolist() == [False, False, True]
