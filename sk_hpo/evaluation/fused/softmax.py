"""Logarithms of the softmax over few classes, of many rows at a time.

Over the last dimension ATen's kernels go through each row by itself; over the first they go
through as many rows as a vector holds, in a tenth of the time for few classes. Where both
give the same bits, which depends on the order in which classes are added up, this takes the
faster. (Not so `softmax`: its kernels differ in their exponentials.)
"""

from __future__ import annotations

from functools import lru_cache

import torch

__all__ = ["log_loss", "log_softmax"]

_MOST_CLASSES = 32
_VECTOR = 16  # numbers in the widest


def log_softmax(x: torch.Tensor) -> torch.Tensor:
    """Return the logarithms of the softmax over the last dimension, perhaps as a view."""
    if _rows_at_once(x):
        return torch.log_softmax(_classes_first(x), 0).movedim(0, -1)
    return torch.log_softmax(x, -1)


def log_loss(x: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logarithms of the softmax, at the targets, and the gradient of their mean loss.

    Parameters
    ----------
    x : Tensor of shape (n_models, n_rows, n_classes)
        Logits.
    target : LongTensor of shape (n_models, n_rows)

    Returns
    -------
    logs : Tensor of shape (n_models, n_rows)
    of_x : Tensor of the shape of `x`
        Gradient of each model's ``-logs.mean()``.
    """
    first = _rows_at_once(x)
    dim = 0 if first else 2
    logs = torch.log_softmax(_classes_first(x) if first else x, dim)
    at = target.unsqueeze(dim)
    slope = torch.zeros_like(logs).scatter_(dim, at, -1 / target.shape[1])
    of_x = torch._log_softmax_backward_data(slope, logs, dim, logs.dtype)
    at_target = logs.gather(dim, at).squeeze(dim)
    return at_target, of_x.movedim(0, -1).contiguous() if first else of_x


def _classes_first(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(-1, 0).contiguous()


def _rows_at_once(x: torch.Tensor) -> bool:
    n_classes = x.shape[-1]
    if x.device.type != "cpu" or n_classes > _MOST_CLASSES or x.numel() // n_classes % _VECTOR:
        return False  # rows that fill no vector are rounded in yet another way
    return _round_alike(x.shape, x.dtype, torch.get_num_threads())


@lru_cache(maxsize=256)
def _round_alike(shape: torch.Size, dtype: torch.dtype, n_threads: int) -> bool:
    """Whether both kinds of kernels give the same bits for tensors of this shape."""
    generator = torch.Generator().manual_seed(0)
    backward = torch._log_softmax_backward_data
    for scale in (0.1, 1.0, 1.0, 3.0, 3.0, 30.0):
        x, slope = scale * torch.randn(2, *shape, generator=generator, dtype=dtype)
        y, other = torch.log_softmax(x, -1), torch.log_softmax(_classes_first(x), 0)
        of_x = backward(slope, y, -1, dtype)
        of_other = backward(_classes_first(slope), other, 0, dtype)
        if not torch.equal(y, other.movedim(0, -1)):
            return False
        if not torch.equal(of_x, of_other.movedim(0, -1)):
            return False
    return True
