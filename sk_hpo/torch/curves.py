"""Curves of the learning rate over the whole budget, and what follows them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch.optim.lr_scheduler import LambdaLR

__all__ = ["Curve", "OneCycleMomentum"]


@dataclass(frozen=True)
class Curve:
    """What the learning rate is multiplied by, as a function of the epoch.

    Parameters
    ----------
    kind : str
        As for `Schedule`, but "performance", which is no function of the epoch.
    start, peak, final, n_drops : float
        As for `Schedule`.
    max_epochs : int
        Epochs from the first to the last; after them the factor stays as it is.

    Examples
    --------
    >>> curve = Curve("exponential", final=0.01, max_epochs=3)
    >>> [round(curve(epoch), 4) for epoch in range(5)]
    [1.0, 0.1, 0.01, 0.01, 0.01]
    """

    kind: str
    max_epochs: int
    start: float = 0.1
    peak: float = 0.3
    final: float = 0.01
    n_drops: int = 3

    def __call__(self, epoch: int) -> float:
        """Return the factor in that epoch, counted from 0."""
        if self.max_epochs == 1:
            return 1.0
        last = self.max_epochs - 1
        return _FACTORS[self.kind](min(Fraction(epoch, last), Fraction(1)), self)


# --- one function per kind; `progress` is 0 in the first epoch and 1 in the last, exactly.


def _constant(progress: Fraction, curve: Curve) -> float:
    return 1.0


def _power(progress: Fraction, curve: Curve) -> float:
    # 1 / (1 + t / s), with the s that makes it `final` in the last epoch.
    return 1 / (1 + float(progress) * (1 / curve.final - 1))


def _exponential(progress: Fraction, curve: Curve) -> float:
    return float(curve.final ** float(progress))


def _piecewise(progress: Fraction, curve: Curve) -> float:
    n_dropped = min(int(progress * (curve.n_drops + 1)), curve.n_drops)
    return float(curve.final ** (n_dropped / curve.n_drops))


def _one_cycle(progress: Fraction, curve: Curve) -> float:
    # Smith & Topin, arXiv:1708.07120, with the cosines of torch's OneCycleLR.
    return _up_and_down(float(progress), curve.peak, curve.start, 1.0, curve.final)


def _one_cycle_momentum(progress: Fraction, curve: Curve) -> float:
    return _up_and_down(float(progress), curve.peak, 1.0, _LOWEST_MOMENTUM, 1.0)


def _up_and_down(
    progress: float, peak: float, first: float, middle: float, last: float
) -> float:
    if progress < peak:
        return _cosine_between(first, middle, progress / peak)
    return _cosine_between(middle, last, (progress - peak) / (1 - peak))


def _cosine(progress: Fraction, curve: Curve) -> float:
    # Loshchilov & Hutter, ICLR 2017, eq. 5, without restarts.
    return _cosine_between(1.0, curve.final, float(progress))


def _cosine_between(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def _warmup(progress: Fraction, curve: Curve) -> float:
    if progress >= curve.peak:
        return 1.0
    return curve.start + (1 - curve.start) * float(progress) / curve.peak


_FACTORS: dict[str, Callable[[Fraction, Curve], float]] = {
    "constant": _constant,
    "power": _power,
    "exponential": _exponential,
    "piecewise": _piecewise,
    "1cycle": _one_cycle,
    "1cycle momentum": _one_cycle_momentum,
    "cosine": _cosine,
    "warmup": _warmup,
}
# Of 1cycle, as a fraction of the optimizer's own: 0.85 for 0.95.
_LOWEST_MOMENTUM = 0.85 / 0.95


class OneCycleMomentum(LambdaLR):
    """A `LambdaLR` that changes the momentum too, where the optimizer has one.

    Parameters
    ----------
    optimizer : Optimizer
        What it calls momentum or the first of its betas is cycled.
    lr_lambda, momentum_lambda : callable
        The factor as a function of the epoch.
    last_epoch : int, default=-1
        As for `LambdaLR`.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        lr_lambda: Callable[[int], float],
        momentum_lambda: Callable[[int], float],
        last_epoch: int = -1,
    ) -> None:
        self.momentum_lambda = momentum_lambda
        for group in optimizer.param_groups:
            own = group["betas"][0] if "betas" in group else group.get("momentum", 0.0)
            group.setdefault("initial_momentum", own)
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates of this epoch; set its momentum."""
        for group in self.optimizer.param_groups:
            momentum = group["initial_momentum"] * self.momentum_lambda(self.last_epoch)
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif momentum:
                group["momentum"] = momentum
        return super().get_lr()
