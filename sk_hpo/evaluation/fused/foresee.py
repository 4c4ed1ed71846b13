"""What nets of one architecture predict for rows of their own, asked at once.

The nets are asked one after the other later on, by scorers, and then find their outputs
ready: batch by batch what their ``forward_iter`` would have given, bit for bit. Two nets of
each group are asked by themselves too; if they say anything else, the group is left to do so.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import torch
from skorch.utils import to_device
from torch.utils._pytree import tree_leaves

from sk_hpo.evaluation.fused.batches import Batch, Feed, kind_of, mapped
from sk_hpo.evaluation.fused.dropout import Draws, drawing_from
from sk_hpo.evaluation.fused.guard import signature, why_alone
from sk_hpo.evaluation.fused.plan import Plan, plan_for
from sk_hpo.evaluation.fused.probe import equal
from sk_hpo.evaluation.fused.rows import Rows, plain, recorded
from sk_hpo.evaluation.fused.stack import Stack, groups_of
from sk_hpo.evaluation.nets import overridden

__all__ = ["Foreseen", "foresee"]

# What skorch does to predict, and what is done here instead.
_REPLACED = ("forward_iter", "evaluation_step", "get_iterator", "get_dataset", "infer")


class Foreseen:
    """Stands for ``forward_iter`` of a net whose outputs for `X` are known.

    Parameters
    ----------
    net : NeuralNet
    X : indexable
        What it is asked about; it must be this very object.
    outputs : sequence of Tensor, or of a structure of them
        A batch each.
    """

    def __init__(self, net: Any, X: Any, outputs: Sequence[Any]) -> None:
        self._net, self._X, self._outputs = net, X, outputs

    def __call__(self, X: Any, training: bool = False, device: Any = "cpu") -> Iterator[Any]:
        if X is not self._X or training:
            return type(self._net).forward_iter(self._net, X, training=training, device=device)
        return self._known(device)

    def _known(self, device: Any) -> Iterator[Any]:
        torch.empty((), dtype=torch.int64).random_()  # as a loader does when it begins
        self._net._set_training(False)
        for output in self._outputs:
            yield to_device(output, device=device)


def foresee(nets: Sequence[Any], Xs: Sequence[Any]) -> list[Foreseen | None]:
    """Return what stands for ``forward_iter`` of each net; None where it must do so itself.

    Parameters
    ----------
    nets : sequence of NeuralNet
        Fitted, and just trained with others.
    Xs : sequence of indexable
        What each will be asked about.
    """
    found: list[Foreseen | None] = [None] * len(nets)
    loaders = [_loader(net, X) for net, X in zip(nets, Xs, strict=True)]
    alike: dict[Hashable, list[int]] = {}
    for k, loader in enumerate(loaders):
        kind = None if loader is None else kind_of(loader)
        if kind is not None:
            alike.setdefault((signature(nets[k]), kind), []).append(k)
    for those in alike.values():
        for group in groups_of(those, nets[those[0]].module_):
            if len(group) == 1:
                continue
            outputs = _outputs([nets[k] for k in group], [loaders[k] for k in group])
            for k, of_net in zip(group, outputs or (), strict=bool(outputs)):
                found[k] = Foreseen(nets[k], Xs[k], of_net)
    return found


def _loader(net: Any, X: Any) -> Any:
    """Return the loader that a net would predict with; None if it is to do so itself."""
    if overridden(net, _REPLACED) or why_alone(net):
        return None
    try:
        return net.get_iterator(net.get_dataset(X), training=False)
    except Exception:
        return None  # the net itself says why


def _outputs(nets: Sequence[Any], loaders: Sequence[Any]) -> list[list[Any]] | None:
    """Return the outputs of each net, batch by batch; None if they are not its own."""
    feed = Feed(loaders, nets[0].device or "cpu")
    generators = [torch.Generator() for _ in nets]
    stack = Stack([net.module_ for net in nets], attached=False)
    outputs: list[list[Any]] = [[] for _ in nets]
    plans: dict[int, Plan | None] = {}  # by the size of batches
    nets[0]._set_training(False)
    try:
        with torch.no_grad():
            for batches in feed.epoch(generators):
                for batch in batches:
                    draws = stack.draws(batch.models, generators)
                    if plan := plans.get(batch.n_rows):
                        rows, _ = plan.forward(batch.X, stack.weights_of(batch.at), draws)
                    else:
                        rows = _asked(nets[0], stack, batch, draws, plans)
                    for i, k in enumerate(batch.models):
                        outputs[k].append(mapped(itemgetter(i), rows))
        ends = (0, len(nets) - 1)
        return outputs if all(_agree(nets[k], feed, k, outputs[k]) for k in ends) else None
    except Exception:
        return None


def _asked(
    net: Any, stack: Stack, batch: Batch, draws: Draws, plans: dict[int, Plan | None]
) -> Any:
    """Let a net's module do a batch of all; make a plan of what it does.

    Raises
    ------
    TypeError
        If it gives anything but what it has for each.
    """
    with (
        stack.in_place(batch.at, training=False) as trained,
        drawing_from(draws),
        recorded() as record,
    ):
        y_pred = net.infer(batch.X)
    if not all(isinstance(leaf, Rows) for leaf in tree_leaves(y_pred)):
        raise TypeError(f"not of several models: {y_pred!r}")
    size = batch.n_rows
    if size not in plans:
        plans[size] = plan_for(stack, None, record, batch.X, trained, y_pred)
    return mapped(plain, y_pred)


def _agree(net: Any, feed: Feed, k: int, outputs: Sequence[Any]) -> bool:
    """Whether a net by itself says the same of its first batch and its last."""
    for b in {0, len(outputs) - 1}:
        X, _ = feed.batch(k, b)
        alone = tree_leaves(net.evaluation_step((X, None)))
        together = tree_leaves(outputs[b])
        if len(alone) != len(together) or not all(map(equal, alone, together)):
            return False
    return True
