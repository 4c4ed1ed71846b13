"""Which nets may be trained together, and why the others may not.

Nets are trained together only if that is nothing but faster. Whatever could give another
result, or is not known to give the same, is trained alone.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
)
from skorch.history import History
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from sk_hpo.evaluation.fused.optimizers import KNOWN
from sk_hpo.evaluation.nets import overridden, stock_class

__all__ = ["is_big", "is_light", "may_be_straight", "signature", "structure", "why_alone"]

# What skorch does for each batch, and what is done here instead.
_REPLACED = (
    "fit_loop",
    "run_single_epoch",
    "train_step",
    "train_step_single",
    "validation_step",
    "get_train_step_accumulator",
    "_zero_grad_optimizer",
    "_step_optimizer",
    "infer",
    "get_loss",
    "get_iterator",
    "get_dataset",
    "get_all_learnable_params",
    "initialize_optimizer",
    "notify",
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
    "on_grad_computed",
    "_set_training",
)

_OF_MODULES = frozenset(vars(torch.nn.Module()))
_HOOKS = tuple(
    name for name in vars(torch.nn.Module()) if "hooks" in name and "dict" not in name
)

# The most numbers that a model may have: beyond, products of matrices are all that counts,
# and K of them in turn are no slower than in one call.
_MAX_PARAMETERS = 300_000


def why_alone(net: Any) -> str:
    """Return why an initialised net must be trained by itself; empty if it need not."""
    return next(filter(None, (check(net) for check in _CHECKS)), "")


def is_big(net: Any) -> bool:
    """Whether a net has so many parameters that training it with others gains nothing."""
    return sum(p.numel() for p in net.module_.parameters()) > _MAX_PARAMETERS


def may_be_straight(net: Any) -> bool:
    """Whether a net may be a chain of layers that `plan` follows; cheap to ask."""
    module = net.module_
    with_weights = [part for part in module.modules() if part._parameters]
    return (
        type(net.criterion_) in _CRITERIA
        and all(isinstance(part, torch.nn.Linear) for part in with_weights)
        and all(p.requires_grad and p.device.type == "cpu" for p in module.parameters())
        and not any(True for _ in module.buffers())
    )


_CRITERIA = (torch.nn.CrossEntropyLoss, torch.nn.NLLLoss, torch.nn.MSELoss)


def is_light(callback: Any, net: Any) -> bool:
    """Whether a callback neither draws random numbers nor touches what is trained."""
    kind = type(callback)
    if kind in (EpochTimer, PassthroughScoring, PrintLog):
        return True
    if kind is EpochScoring:
        cached = callback.use_caching if net.use_caching == "auto" else net.use_caching
        return bool(cached) and isinstance(callback.scoring, str | None)
    if kind is EarlyStopping:
        return not callback.load_best
    scheduler = isinstance(callback, LRScheduler)
    return scheduler and kind.on_epoch_end is LRScheduler.on_epoch_end


def signature(net: Any) -> Hashable:
    """Return what nets that train together have in common."""
    parts = [(structure(part), _tensors(part)) for part in (net.module_, net.criterion_)]
    return stock_class(net), type(net.optimizer_), str(net.device), *parts


def _tensors(module: Any) -> Hashable:
    """Return of what kind the tensors of `module` are, part by part."""
    if not isinstance(module, torch.nn.Module):
        return ()
    return tuple(
        (name, x.shape, x.dtype, x.requires_grad)
        for part in module.modules()
        for name, x in (*part._parameters.items(), *part._buffers.items())
        if x is not None
    )


def structure(module: Any) -> Hashable:
    """Return what `module` is made of besides its tensors and the rates of its dropout."""
    if not isinstance(module, torch.nn.Module):
        return _frozen(module)
    return tuple(
        (
            name,
            type(part),
            part.training,
            tuple(
                (k, _frozen(v))
                for k, v in vars(part).items()
                if k not in _OF_MODULES and not (k == "p" and type(part) is torch.nn.Dropout)
            ),
        )
        for name, part in module.named_modules()
    )


def _frozen(value: Any) -> Hashable:
    """Return something that is equal for values that are; the object itself if in doubt."""
    if isinstance(value, list | tuple):
        return type(value), tuple(map(_frozen, value))
    if isinstance(value, dict):
        return dict, tuple((k, _frozen(v)) for k, v in value.items())
    if value is None or isinstance(value, bool | int | float | complex | str | torch.dtype):
        return type(value), repr(value)
    return _Itself(value)


class _Itself:
    """Equal to what holds the same object; keeps it alive, so that no other takes its id."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


# -- checks: a net -> why it is trained alone, or nothing --------------------------------------


def _methods(net: Any) -> str | None:
    name = overridden(net, _REPLACED)
    return f"{type(net).__name__} overrides {name}" if name else None


def _parts(net: Any) -> str | None:
    if net._modules != ["module"] or net._criteria != ["criterion"]:
        return "it has several modules or criteria"
    if net._optimizers != ["optimizer"]:
        return "it has several optimizers"
    if net.compile:
        return "it is compiled"
    if type(net.history) is not History:
        return f"its history is a {type(net.history).__name__}"
    return None


def _optimizer(net: Any) -> str | None:
    optimizer = net.optimizer_
    kind = type(optimizer)
    if kind not in KNOWN:
        return f"{kind.__name__} is not an optimizer that treats each number alike"
    if len(optimizer.param_groups) > 1:
        return "it has parameter groups"
    (group,) = optimizer.param_groups
    for name in ("foreach", "fused", "capturable", "differentiable"):
        if group.get(name):
            return f"optimizer__{name} is set"
    if any(isinstance(group.get(name), torch.Tensor) for name in group if name != "params"):
        return "a hyperparameter of its optimizer is a tensor"
    if any(
        (
            optimizer._optimizer_step_pre_hooks,
            optimizer._optimizer_step_post_hooks,
            _global_optimizer_pre_hooks,
            _global_optimizer_post_hooks,
        )
    ):
        return "its optimizer has hooks"
    return None


def _module(net: Any) -> str | None:
    module = net.module_
    if not isinstance(module, torch.nn.Module):
        return "its module is not a torch Module"
    parts = [part for _, part in module.named_modules(remove_duplicate=False)]
    parameters = [p for part in parts for p in part._parameters.values() if p is not None]
    ids = list(map(id, parameters))
    if len(ids) != len(set(ids)):
        return "its module ties weights"
    if ids != list(map(id, net.optimizer_.param_groups[0]["params"])):
        return "its optimizer has other parameters than its module"
    trained = [p for p in parameters if p.requires_grad]
    if not trained:
        return "nothing in it is trained"
    if any(p.ndim == 0 for p in trained):
        return "a parameter has no dimension"
    if len({(p.dtype, p.device) for p in trained}) > 1:
        return "its parameters are of several dtypes or on several devices"
    return None


def _module_parts(net: Any) -> str | None:
    for name, part in net.module_.named_modules():
        if isinstance(part, torch.nn.RNNBase):
            return f"{type(part).__name__} keeps a list of weights of its own"
        if "parametrizations" in part._modules:
            return f"{name!r} is parametrized"
        if any(map(vars(part).get, _HOOKS)):
            return f"{name!r} has hooks"
        if isinstance(part, torch.nn.modules.lazy.LazyModuleMixin):
            return f"{name!r} is lazy"
        if any(p is not None and p._backward_hooks for p in part._parameters.values()):
            return "a parameter has hooks"
    return None


def _criterion(net: Any) -> str | None:
    criterion = net.criterion_
    if isinstance(criterion, torch.nn.Module) and any(True for _ in criterion.parameters()):
        return "its criterion has parameters"
    return None


def _callbacks(net: Any) -> str | None:
    for name, callback in net.callbacks_:
        kind = type(callback)
        if isinstance(callback, LRScheduler) and callback.step_every != "epoch":
            return f"its callback {name!r} steps every batch"
        for method, known in _ON_BATCH.items():
            if getattr(kind, method) not in known:
                return f"its callback {name!r} acts on every batch"
        if isinstance(callback, ParamMapper):
            return f"its callback {name!r} changes what is trained"
        known = (Callback.on_epoch_begin, EpochScoring.on_epoch_begin)
        if kind.on_epoch_begin not in known and not is_light(callback, net):
            return f"its callback {name!r} acts before every epoch"
    return None


_ON_BATCH = {
    "on_batch_begin": (Callback.on_batch_begin,),
    "on_batch_end": (
        Callback.on_batch_end,
        EpochScoring.on_batch_end,
        LRScheduler.on_batch_end,
    ),
    "on_grad_computed": (Callback.on_grad_computed,),
}

_CHECKS = (_methods, _parts, _criterion, _optimizer, _module, _module_parts, _callbacks)
