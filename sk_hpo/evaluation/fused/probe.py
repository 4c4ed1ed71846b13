"""Try one batch both ways: together must give what alone gives, bit for bit.

Kernels for batches of matrices may round differently from those for one, a ``forward`` may
keep count in an attribute, or do what `Rows` cannot do for it. One step of copies of two
models, for each size of batch, shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.flop_counter import FlopCounterMode

from sk_hpo.evaluation.fused.batches import Batch, Feed
from sk_hpo.evaluation.fused.dropout import drawing_from
from sk_hpo.evaluation.fused.guard import structure
from sk_hpo.evaluation.fused.losses import criterion_for
from sk_hpo.evaluation.fused.plan import Plan, plan_for
from sk_hpo.evaluation.fused.rows import Rows, is_one_by_one, plain, recorded
from sk_hpo.evaluation.fused.stack import Stack
from sk_hpo.evaluation.rng import get_state, kept

__all__ = ["equal", "why_not_together"]

_SEEDS = (11, 12)

# Products of matrices, of K models at once or in turn, take the same time. Where they are most
# of a step, or most of it is done model by model anyway, there is nothing to gain.
_MAX_FLOPS = 60e6
_MAX_FLOPS_OF_CONVOLUTIONS = 3e6
_MAX_ONE_BY_ONE = 8


def why_not_together(
    nets: Sequence[Any], feed: Feed, valid_sizes: Sequence[int], *, must_gain: bool
) -> str:
    """Return why nets of one signature cannot be trained together, or nothing.

    A single net must also have a `Plan`, without which it is faster by itself.

    Parameters
    ----------
    nets : sequence of NeuralNet
        All of them; they stay as they are. The first and the last are tried.
    feed : Feed
        Their training data.
    valid_sizes : sequence of int
        Sizes of batches that they validate with.
    must_gain : bool
        Whether nets whose steps are too long to gain anything count as well.
    """
    ends = sorted({0, len(nets) - 1})
    pair = [nets[k] for k in ends]
    if must_gain and len(nets) > 1 and _is_too_much(pair[0], feed.first(0, feed.sizes()[0])):
        return "a step is too much arithmetic to gain"
    modes = [(True, size) for size in feed.sizes()]
    modes += [(False, size) for size in valid_sizes]
    for training, size in modes:
        data = [feed.first(k, size) for k in ends]
        if all(len(tree_flatten(y)[0][0]) == size for _, y in data):
            reason = _compare(pair, data, training=training, feed=feed, must_gain=must_gain)
            if reason:
                return reason
    return ""


def _is_too_much(net: Any, data: tuple[Any, Any]) -> bool:
    """Whether a step is mostly arithmetic that takes as long for several models at once."""
    module = deepcopy(net.module_)
    _set_training([net], [module], True)
    try:
        with (
            kept(),
            _own_criteria([net]),
            torch.enable_grad(),
            FlopCounterMode(display=False) as counter,
        ):
            _alone(net, module, *data, _SEEDS[0], training=True)
    except Exception:
        return False  # the comparison says why
    flops = counter.get_flop_counts().get("Global", {})
    of_convolutions = sum(n for operator, n in flops.items() if "conv" in str(operator))
    return sum(flops.values()) > _MAX_FLOPS or of_convolutions > _MAX_FLOPS_OF_CONVOLUTIONS


def _compare(
    nets: Sequence[Any],
    data: Sequence[tuple[Any, Any]],
    *,
    training: bool,
    feed: Feed,
    must_gain: bool,
) -> str:
    own = [net.module_ for net in nets]
    copies = [deepcopy(module) for module in own]
    _set_training(nets, copies, training)
    clean = [structure(module) for module in copies]
    again = [deepcopy(module) for module in copies]
    try:
        with kept(), torch.set_grad_enabled(training):
            with _own_criteria(nets):
                alone = [
                    _alone(net, module, *d, seed, training=training)
                    for net, module, d, seed in zip(nets, copies, data, _SEEDS, strict=False)
                ]
            if [structure(module) for module in copies] != clean:
                return "its module keeps state in python"
            states = _states()
            if any(map(_wrote, own, copies)):
                return "its forward writes weights"
            with _own_criteria(nets), recorded() as calls:
                together, plan = _together(
                    nets, again, data, calls, training=training, feed=feed
                )
            if len(nets) == 1 and plan is None:
                return "its forward is no chain"
            if must_gain and sum(is_one_by_one(call[0]) for call in calls) > _MAX_ONE_BY_ONE:
                return "most of its forward is done model by model"
            if _states() != states:
                return "its module draws random numbers in a way of its own"
    except Exception as error:
        return _first_line(error)
    finally:
        _set_training(nets, own, True)
    if [structure(module) for module in again] != clean:
        return "its module keeps state in python"
    return _difference(alone, together)


@contextmanager
def _own_criteria(nets: Sequence[Any]) -> Iterator[None]:
    """Give nets copies of their criteria, which may count how often they are called."""
    own = [net.criterion_ for net in nets]
    try:
        for net, criterion in zip(nets, own, strict=True):
            vars(net)["criterion_"] = deepcopy(criterion)
        yield
    finally:
        for net, criterion in zip(nets, own, strict=True):
            vars(net)["criterion_"] = criterion


def _states() -> tuple[Any, ...]:
    state = get_state()
    return state["python"], state["numpy"]["state"]["pos"], state["torch"].tobytes()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _set_training(nets: Sequence[Any], modules: Sequence[Any], training: bool) -> None:
    for net, module in zip(nets, modules, strict=True):
        module.train(training)
        if isinstance(net.criterion_, torch.nn.Module):
            net.criterion_.train(training)


def _alone(net: Any, module: Any, X: Any, y: Any, seed: int, *, training: bool) -> list[Any]:
    """Return predictions, gradients and buffers after one forward and backward."""
    torch.manual_seed(seed)
    own = net.module_
    vars(net)["module_"] = module
    try:
        y_pred = net.infer(X)
        loss = net.get_loss(y_pred, y, X=X, training=training)
    finally:
        vars(net)["module_"] = own
    trained = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, trained) if training else ()
    return [*tree_flatten(y_pred)[0], *gradients, *module.buffers()]


def _together(
    nets: Sequence[Any],
    modules: Sequence[Any],
    data: Sequence[Any],
    record: Sequence[tuple[Any, ...]],
    *,
    training: bool,
    feed: Feed,
) -> tuple[list[list[Any]], Plan | None]:
    """Return what `_alone` returns of each net, and the plan of their forward."""
    stack = Stack(modules)
    everyone = range(len(nets))
    (X, y) = (_stacked([d[part] for d in data]) for part in (0, 1))
    batch = Batch(slice(None), everyone, tree_map(lambda x: x.as_subclass(Rows), X), y)
    generators = [torch.Generator().manual_seed(seed) for seed in _SEEDS[: len(nets)]]
    own = nets[0].module_
    vars(nets[0])["module_"] = modules[0]
    gradients: Sequence[Any] = ()
    try:
        with (
            stack.in_place(slice(None), training=training) as trained,
            drawing_from(stack.draws(everyone, generators)),
        ):
            y_pred = nets[0].infer(batch.X)
            criterion = criterion_for(nets[0], y_pred, batch.y, [feed])
            plan = plan_for(stack, criterion, record, batch.X, trained, y_pred)
            if training:
                _, gradients = criterion.step(nets, batch, y_pred, trained)
    finally:
        vars(nets[0])["module_"] = own
    for k in everyone:
        stack.detach(k)
    predicted = [plain(p) if isinstance(p, Rows) else p for p in tree_flatten(y_pred)[0]]
    values = [
        [*(p[k] for p in predicted), *(plain(g)[k] for g in gradients), *modules[k].buffers()]
        for k in everyone
    ]
    return values, plan


def _stacked(parts: Sequence[Any]) -> Any:
    leaves, structures = zip(*map(tree_flatten, parts), strict=True)
    return structures[0].unflatten([torch.stack(x) for x in zip(*leaves, strict=True)])


def _difference(alone: Sequence[list[Any]], together: Sequence[list[Any]]) -> str:
    for ours, theirs in zip(together, alone, strict=True):
        if len(ours) != len(theirs):
            return "its forward makes buffers"
        for one, other in zip(ours, theirs, strict=True):
            if one.shape != other.shape or not equal(one, other):
                return "this machine's kernels round differently for several models at once"
    return ""


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the numbers of two tensors are the same; NaN are."""
    if one.is_cuda:  # where not even two equal runs need agree to the last bit
        return torch.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def _wrote(before: torch.nn.Module, after: torch.nn.Module) -> bool:
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return not all(equal(one.detach(), other.detach()) for one, other in pairs)
