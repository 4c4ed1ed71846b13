"""The losses of K models, and the gradients that each would have had alone.

The usual losses are done for all models at once; any other, weights of classes and all, by
the user's criterion, model by model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from skorch import NeuralNetClassifier
from torch.utils._pytree import tree_map

from sk_hpo.evaluation.fused.batches import Batch, Feed
from sk_hpo.evaluation.fused.rows import Rows, in_whole_vectors, plain
from sk_hpo.evaluation.fused.softmax import log_loss, log_softmax

__all__ = ["Criterion", "Each", "LogLoss", "SquaredError", "criterion_for", "mean_in_order"]


class Criterion:
    """How the loss of several models is computed.

    A *report* is what `values` makes floats of when a pass over the data is over.
    """

    def step(
        self, nets: Sequence[Any], batch: Batch, y_pred: Any, trained: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        """Return a report, and the gradients of each model's loss by its parameters."""
        raise NotImplementedError

    def report(self, nets: Sequence[Any], batch: Batch, y_pred: Any) -> Any:
        """Return a report without gradients."""
        raise NotImplementedError

    def slope(self, batch: Batch, y_pred: Any) -> tuple[Any, Any]:
        """Return a report, and the gradient of each model's loss by its predictions.

        Parameters
        ----------
        batch : Batch
        y_pred : Tensor of shape (n_models, n_rows, n_outputs)
            Without a graph.
        """
        raise NotImplementedError

    def values(self, reports: Sequence[Any]) -> list[list[float]]:
        """Return, for reports of equal batches, the loss of each model of each."""
        return [[float(value) for value in report] for report in reports]


class Each(Criterion):
    """Asks each net for its loss, as skorch does."""

    def step(
        self, nets: Sequence[Any], batch: Batch, y_pred: Any, trained: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        losses = self._losses(nets, batch, y_pred, training=True)
        with torch._C.DisableTorchFunctionSubclass():
            gradients = torch.autograd.grad(
                losses, trained, [torch.ones_like(x) for x in losses]
            )
        return [loss.detach() for loss in losses], gradients

    def report(self, nets: Sequence[Any], batch: Batch, y_pred: Any) -> Any:
        return self._losses(nets, batch, y_pred, training=False)

    def _losses(
        self, nets: Sequence[Any], batch: Batch, y_pred: Any, *, training: bool
    ) -> list[torch.Tensor]:
        losses = []
        for i, net in enumerate(nets):
            X, y = batch.of(i)
            own = tree_map(lambda p, i=i: plain(p)[i] if isinstance(p, Rows) else p, y_pred)
            losses.append(net.get_loss(own, y, X=X, training=training))
        return losses


class _Whole(Criterion):
    """A loss whose slope is known for all models at once."""

    def step(
        self, nets: Sequence[Any], batch: Batch, y_pred: Any, trained: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        with torch._C.DisableTorchFunctionSubclass():
            y_pred = plain(y_pred)
            report, slope = self.slope(batch, y_pred.detach())
            gradients = torch.autograd.grad(y_pred, trained, slope)
        return report, gradients


class LogLoss(_Whole):
    """`CrossEntropyLoss`, and `NLLLoss` of a skorch classifier, without weights.

    Parameters
    ----------
    from_logits : bool
        Whether the nets give logits; if not, probabilities.
    """

    def __init__(self, *, from_logits: bool) -> None:
        self._from_logits = from_logits

    def slope(self, batch: Batch, y_pred: Any) -> tuple[Any, Any]:
        if self._from_logits:
            return log_loss(y_pred, batch.y)
        logs, at = self._logs(y_pred), batch.y.unsqueeze(2)
        slope = torch.zeros_like(logs).scatter_(2, at, -1 / batch.y.shape[1])
        slope = slope.div(y_pred + torch.finfo(y_pred.dtype).eps)
        return logs.gather(2, at).squeeze(2), slope

    def report(self, nets: Sequence[Any], batch: Batch, y_pred: Any) -> Any:
        return self._logs(y_pred).gather(2, batch.y.unsqueeze(2)).squeeze(2)

    def values(self, reports: Sequence[Any]) -> list[list[float]]:
        return mean_in_order(-torch.stack(list(reports))).tolist()

    def _logs(self, y_pred: Any) -> torch.Tensor:
        y_pred = plain(y_pred)
        if self._from_logits:
            return log_softmax(y_pred)
        shifted = y_pred + torch.finfo(y_pred.dtype).eps
        if in_whole_vectors(shifted):
            return torch.log(shifted)
        return torch.stack([torch.log(of_k) for of_k in shifted])


class SquaredError(_Whole):
    """`MSELoss` of targets in the shape of the predictions."""

    def slope(self, batch: Batch, y_pred: Any) -> tuple[Any, Any]:
        # As ATen's mse_loss_backward: the difference times the factor.
        slope = (y_pred - batch.y) * (2.0 / y_pred[0].numel())
        return self.report((), batch, y_pred), slope

    def report(self, nets: Sequence[Any], batch: Batch, y_pred: Any) -> Any:
        return [F.mse_loss(p, y) for p, y in zip(plain(y_pred), batch.y, strict=True)]


def criterion_for(net: Any, y_pred: Any, y: Any, feeds: Sequence[Feed]) -> Criterion:
    """Return how the losses of nets like `net` are computed.

    Parameters
    ----------
    net : NeuralNet
        Initialised.
    y_pred : Rows, or a structure of them
        What the nets predict.
    y : Tensor of shape (n_models, n_rows, ...), or a structure of them
        Targets.
    feeds : sequence of Feed
        Where all targets are.
    """
    criterion, kind = net.criterion_, type(net.criterion_)
    if not isinstance(y_pred, Rows) or not isinstance(y, torch.Tensor):
        return Each()
    if getattr(criterion, "reduction", None) != "mean":
        return Each()
    if getattr(criterion, "weight", None) is not None:
        return Each()
    classes = y.dtype == torch.int64 and y.ndim == 2 and plain(y_pred).ndim == 3
    ignored = getattr(criterion, "ignore_index", None)
    if classes:
        n_classes = plain(y_pred).shape[-1]
        classes = all(feed.targets_are_classes(n_classes, ignored) for feed in feeds)
    if kind is torch.nn.CrossEntropyLoss and classes:
        return LogLoss(from_logits=True) if criterion.label_smoothing == 0 else Each()
    if kind is torch.nn.NLLLoss and classes:
        # Only skorch's classifier takes the logarithm itself.
        return LogLoss(from_logits=False) if isinstance(net, NeuralNetClassifier) else Each()
    alike = plain(y_pred).shape == y.shape and plain(y_pred).dtype == y.dtype
    return SquaredError() if kind is torch.nn.MSELoss and alike else Each()


def mean_in_order(losses: torch.Tensor) -> torch.Tensor:
    """Return the means over the last dimension, summed as ATen's ``nll_loss`` sums.

    The first number stands apart, the others go in blocks of 16, blocks in blocks of 16, and
    so on: another order gives other last digits.

    Examples
    --------
    >>> logs = torch.randn(5, 100).log_softmax(1)
    >>> target = torch.arange(100) % 100 // 20
    >>> alone = F.nll_loss(logs.T, target)
    >>> bool(alone == mean_in_order(-logs[target, torch.arange(100)]))
    True
    """
    n = losses.shape[-1]
    levels = [torch.zeros_like(losses[..., 0]) for _ in range(7)]
    whole = (n - 1) // 16 * 16
    blocks = losses[..., 1 : 1 + whole].unflatten(-1, (-1, 16)) if whole else None
    carries = () if blocks is None else _sum(blocks).unbind(-1)
    for i, carry in enumerate(carries, 1):
        level = 1
        while True:
            levels[level] = levels[level] + carry
            if level == 6 or i & (15 << 4 * (level - 1)):
                break
            carry, levels[level] = levels[level], torch.zeros_like(carry)
            level += 1
    total = _sum(losses[..., 1 + whole :]) if n > 1 + whole else levels[0]
    for level in levels[1:]:
        total = total + level
    return (total + losses[..., 0]) / n


def _sum(block: torch.Tensor) -> torch.Tensor:
    """Return the sums over the last dimension, one number after the other."""
    first, *others = block.unbind(-1)
    total = first.clone()
    for other in others:
        total += other
    return total
