"""Where models are trained: ``device`` parameters, and nets that change their device."""

from __future__ import annotations

from typing import Any

from sk_hpo.evaluation.nets import is_net
from sk_hpo.evaluation.resources import Model

__all__ = ["has_device", "move", "place"]


def _names(estimator: Any) -> list[str]:
    return [
        name
        for name in estimator.get_params(deep=True)
        if name == "device" or name.endswith("__device")
    ]


def has_device(estimator: Any) -> bool:
    """Whether an estimator, or anything in it, has a parameter ``device``."""
    return bool(_names(estimator))


def place(estimator: Any, device: str | None) -> None:
    """Set every ``device`` of an estimator that has not begun to train; None leaves it."""
    if device is not None:
        estimator.set_params(**dict.fromkeys(_names(estimator), device))


def move(model: Model, device: str | None) -> None:
    """Take a model in training to a device, with all its state; None leaves it."""
    if device is None:
        return
    inner = model.extra.get("inner")
    for estimator in (model.estimator, *([inner.estimator] if inner else [])):
        for part in (estimator, *estimator.get_params(deep=True).values()):
            if is_net(part):
                _move(part, device)
            elif hasattr(part, "device") and hasattr(part, "get_params"):
                part.set_params(device=device)


def _move(net: Any, device: str) -> None:
    import torch

    net.device = device
    for name in net.cuda_dependent_attributes_:
        value = getattr(net, name, None)
        if isinstance(value, torch.nn.Module):
            value.to(device)  # in place: the optimizer knows the same parameters
        elif isinstance(value, torch.optim.Optimizer):
            for state in value.state.values():
                for key, entry in state.items():
                    # Optimizers count their steps on the CPU unless they are told otherwise.
                    if torch.is_tensor(entry) and (key != "step" or entry.is_cuda):
                        state[key] = entry.to(device)
