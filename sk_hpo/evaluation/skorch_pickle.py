"""A picture of a skorch net in training, from which it goes on as if never paused.

The whole net goes in one pickle, so that whatever referred to the same object still does.
(skorch's own pickling puts modules and optimizers in an inner pickle. That gives schedulers
of the learning rate a copy of the optimizer to step, and cannot hold classes of ``__main__``.
`torch.save` asks a question in python about every number of the history.)
What some parts of a net leave out of their pickles, though training needs it, goes along.
"""

from __future__ import annotations

import builtins
import copyreg
import inspect
import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakValueDictionary

import cloudpickle
import numpy as np
import torch
from skorch.callbacks import EarlyStopping, EpochScoring, PrintLog
from torch.nn.utils.parametrize import is_parametrized

from sk_hpo.evaluation.nets import overridden

__all__ = ["callbacks_of", "dumps", "loads"]


_PRINT = inspect.signature(PrintLog).parameters["sink"].default


# What none of the questions below is about; asking takes longer than the rest.
_TENSORS = {torch.Tensor, torch.nn.Parameter}
_ORDINARY = _TENSORS | {OrderedDict, np.ndarray, np.float64}


class _Pickler(cloudpickle.Pickler):
    """Pickles the memory of tensors, once for all that share it, and parametrized modules.

    Those (weight norm, spectral norm) torch refuses: it wants them to be rebuilt by code and
    filled from a state dict, for pickles that last; the pickle of a paused net does not.
    Ray puts a function of its own in the place of `print`, which skorch's callbacks hold.
    """

    def __init__(self, buffer: io.BytesIO) -> None:
        # One dictionary instead of a chain of them, which is asked in python for each object.
        self.dispatch_table = dict(cloudpickle.Pickler.dispatch_table)
        super().__init__(buffer, protocol=5)

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is OrderedDict and not obj and not vars(obj):
            return OrderedDict, ()  # a module has eight of them
        if kind in _TENSORS and _is_plain(obj):
            return _tensor, _parts(obj)
        if kind in _ORDINARY:
            return NotImplemented
        if isinstance(obj, torch.UntypedStorage):
            return _memory, (_numbers(obj).cpu().numpy().tobytes(), str(obj.device))
        if isinstance(obj, torch.storage.TypedStorage):
            return _typed, (obj._untyped_storage, obj.dtype)
        if isinstance(obj, torch.nn.Module) and is_parametrized(obj):
            return copyreg.__newobj__, (type(obj),), vars(obj)  # type: ignore[attr-defined]
        if obj is _PRINT:
            return getattr, (builtins, "print")
        if isinstance(obj, type) and _is_of_main(obj):
            return _class, _by_value(obj)
        return super().reducer_override(obj)


def _is_of_main(cls: type) -> bool:
    """Whether it is a class of a notebook or script, as opposed to one made for an object."""
    if cls.__module__ != "__main__":
        return False
    try:
        return attrgetter(cls.__qualname__)(sys.modules["__main__"]) is cls
    except AttributeError:
        return False


_pickled: WeakKeyDictionary[type, tuple[str, bytes]] = WeakKeyDictionary()
_classes: WeakValueDictionary[str, type] = WeakValueDictionary()


def _by_value(cls: type) -> tuple[str, bytes]:
    """Return a class as a token and a pickle, which holds its code and is made once."""
    if cls not in _pickled:
        _pickled[cls] = token, _ = uuid4().hex, cloudpickle.dumps(cls)
        _classes[token] = cls
    return _pickled[cls]


def _class(token: str, packed: bytes) -> type:
    """Return the class itself where it is known, else what was pickled."""
    found = _classes.get(token)
    if found is None:
        found = _classes[token] = pickle.loads(packed)
    return found


def _is_plain(tensor: Any) -> bool:
    """Whether a tensor has nothing but its numbers, so that torch need not be asked."""
    known = tensor.layout is torch.strided and tensor.device.type in ("cpu", "cuda")
    return known and not (
        (tensor.dtype.is_complex or tensor.is_quantized or tensor.is_nested)
        or (tensor.is_neg() or tensor._is_zerotensor() or not tensor.is_leaf)
        or (vars(tensor) or tensor._backward_hooks)
    )


def _parts(tensor: Any) -> tuple[Any, ...]:
    where = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
    storage = tensor.untyped_storage()
    return type(tensor), storage, tensor.dtype, where, tensor.requires_grad


def _tensor(kind: type, storage: Any, dtype: torch.dtype, where: Any, learns: bool) -> Any:
    tensor = torch.empty(0, dtype=dtype, device=storage.device).set_(storage, *where)
    return tensor.requires_grad_(learns) if kind is torch.Tensor else kind(tensor, learns)


def _numbers(storage: Any) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


def _memory(content: bytes, device: str) -> Any:
    """Return a storage, on the CPU if it comes from a CUDA device that is not here."""
    lost = device.startswith("cuda") and not torch.cuda.is_available()
    new = torch.empty(len(content), dtype=torch.uint8, device="cpu" if lost else device)
    if content:
        new.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    return new.untyped_storage()


def _typed(storage: Any, dtype: torch.dtype) -> Any:
    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def dumps(net: Any, rest: dict[str, Any]) -> bytes:
    """Return a picture of `net`, which stays as it is, and of `rest`.

    Parameters
    ----------
    net : NeuralNet
        Initialised.
    rest : dict
        Picklable; what else to keep, e.g. references to parts of the net.

    Raises
    ------
    pickle.PicklingError
        If the net holds what cannot be pickled; the message says where.
    """
    aside = _hidden_from_skorch(net)
    picture = {
        "net": net,
        "rest": rest,
        "attributes": {name: getattr(net, name) for name in aside},
        "best_weights": _best_weights(net),
        "optimizers": [_hidden_state(optimizer) for optimizer in _optimizers(net)],
        "gradients": _gradients(net),
    }
    buffer = io.BytesIO()
    with ExitStack() as stack:
        stack.enter_context(_replaced(net, **aside))
        for callback in callbacks_of(net, EpochScoring):
            # Predictions of the last epoch; forgotten when the next one begins.
            stack.enter_context(_replaced(callback, y_trues_=[], y_preds_=[]))
        try:
            _Pickler(buffer).dump(picture)
        except Exception as exc:
            raise pickle.PicklingError(_complaint(net, exc)) from exc
    return buffer.getvalue()


def loads(packed: bytes) -> tuple[Any, dict[str, Any]]:
    """Return the net and the rest that `dumps` has seen; without CUDA, on the CPU."""
    picture = pickle.loads(packed)
    net = picture["net"]
    vars(net).update(picture["attributes"])
    stoppers = callbacks_of(net, EarlyStopping)
    for stopper, weights in zip(stoppers, picture["best_weights"], strict=True):
        stopper.best_model_weights_ = weights
    for optimizer, hidden in zip(_optimizers(net), picture["optimizers"], strict=True):
        _reveal(optimizer, hidden)
    for parameter, gradient in picture["gradients"]:
        parameter.grad = gradient
    return net, picture["rest"]


def callbacks_of(net: Any, kind: type) -> list[Any]:
    """Return the callbacks of an initialised net that are of that kind."""
    return [callback for _, callback in net.callbacks_ if isinstance(callback, kind)]


def _optimizers(net: Any) -> list[Any]:
    return [getattr(net, name + "_") for name in net._optimizers]


@contextmanager
def _replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    """Give `owner` other instance attributes for the time of the block."""
    before = {name: getattr(owner, name) for name in attributes}
    vars(owner).update(attributes)
    try:
        yield
    finally:
        vars(owner).update(before)


def _hidden_from_skorch(net: Any) -> dict[str, Any]:
    """Return attributes of the net that pickling must not see, with their stand-ins.

    ``cuda_dependent_attributes_`` go to skorch's inner pickle, and the device None would
    be replaced by the CPU at unpickling.
    """
    aside: dict[str, Any] = {"cuda_dependent_attributes_": []}
    return aside if net.device is not None else {**aside, "device": "cpu"}


def _best_weights(net: Any) -> list[Any]:
    """Return what `EarlyStopping` does not pickle."""
    stoppers = callbacks_of(net, EarlyStopping)
    return [getattr(stopper, "best_model_weights_", None) for stopper in stoppers]


def _hidden_state(optimizer: Any) -> dict[str, Any]:
    """Return the attributes that torch does not pickle, e.g. ``_params`` of LBFGS.

    ``step`` is one where a learning-rate scheduler has wrapped it. The wrapper only tells
    schedulers that it is there; `_reveal` makes another.
    """
    pickled = ("defaults", "state", "param_groups")
    hidden = {k: v for k, v in vars(optimizer).items() if k not in pickled}
    return {**hidden, "step": None} if "step" in hidden else hidden


def _reveal(optimizer: Any, hidden: dict[str, Any]) -> None:
    vars(optimizer).update({k: v for k, v in hidden.items() if k != "step"})
    if "step" in hidden:
        step = partial(type(optimizer).step, optimizer)
        step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
        optimizer.step = step


_TRAINING_STEPS = (
    "fit_loop",
    "run_single_epoch",
    "train_step",
    "train_step_single",
    "_step_optimizer",
    "_zero_grad_optimizer",
)


def _gradients(net: Any) -> list[tuple[Any, Any]]:
    """Return (parameter, gradient) if the net may accumulate gradients over batches."""
    if not overridden(net, _TRAINING_STEPS):
        return []
    groups = [group for optimizer in _optimizers(net) for group in optimizer.param_groups]
    parameters = [parameter for group in groups for parameter in group["params"]]
    return [(p, p.grad) for p in parameters if p.grad is not None]


def _complaint(net: Any, exc: Exception) -> str:
    """Say which part of the net cannot be pickled."""
    parts = [(f"its callback {name!r}", callback) for name, callback in net.callbacks_]
    parts += [
        (f"its attribute {name!r}", value)
        for name, value in vars(net).items()
        if not name.startswith("callbacks")
    ]
    for part, value in parts:
        try:
            _Pickler(io.BytesIO()).dump(value)
        except Exception as reason:
            what = f"{part} cannot be pickled: {reason}"
            break
    else:
        what = f"it cannot be pickled: {exc}"
    return f"a {type(net).__name__} cannot be put aside between rungs, {what}"
