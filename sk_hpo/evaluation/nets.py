"""Which estimators are skorch nets, and which of their candidates train well together.

skorch is looked at only where it is loaded: who has no net pays nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from sklearn.pipeline import Pipeline

from sk_hpo.evaluation.pipeline import PipelineResource
from sk_hpo.evaluation.resources import Accelerator, Resource

__all__ = ["epochs_of", "is_net", "kin_of", "overridden", "stock_class"]


def is_net(estimator: Any) -> bool:
    """Whether `estimator` is a skorch net."""
    skorch = sys.modules.get("skorch")
    return skorch is not None and isinstance(estimator, skorch.NeuralNet)


def stock_class(net: Any) -> Any:
    """Return the class of skorch that a net's class is made from."""
    skorch = sys.modules["skorch"]
    return next(
        kind for kind in type(net).__mro__ if getattr(skorch, kind.__name__, None) is kind
    )


def overridden(net: Any, methods: Iterable[str]) -> str:
    """Return the first of `methods` that is not skorch's own; empty if all are."""
    kind, stock = type(net), stock_class(net)
    for name in methods:
        if name in vars(net) or getattr(kind, name) is not getattr(stock, name):
            return name
    return ""


def epochs_of(
    estimator: Any, accelerator: Accelerator, private_files: bool
) -> tuple[Resource, int] | None:
    """Return how a plain ``fit`` of `estimator` is done epoch by epoch, and how many.

    None for all but skorch nets with skorch's own ``fit``, and a `Pipeline` that ends in
    one.
    """
    net = _net_of(estimator)
    if net is None or overridden(net, ("fit", "partial_fit", "initialize")):
        return None
    from sk_hpo.evaluation.skorch import SkorchEpochs

    epochs = SkorchEpochs(private_files=private_files, accelerator=accelerator)
    if net is estimator:
        return epochs, net.max_epochs
    return PipelineResource(epochs, step=estimator.steps[-1][0]), net.max_epochs


def kin_of(
    estimator: Any, accelerator: Accelerator
) -> Callable[[dict[str, Any]], Hashable] | None:
    """Return what tells whether candidates of `estimator` may be trained together.

    Returns
    -------
    kin : callable or None
        Parameters -> what is equal for candidates of one architecture. None if none can be
        trained together.
    """
    net = _net_of(estimator)
    if net is None or accelerator not in ("auto", "require"):
        return None
    prefix = "" if net is estimator else f"{estimator.steps[-1][0]}__"

    def kin(params: dict[str, Any]) -> Hashable:
        own = {n.removeprefix(prefix): v for n, v in params.items() if n.startswith(prefix)}
        return tuple(
            (name, repr(own[name]))
            for name in sorted(own)
            if name not in ("lr", "max_epochs")
            and not name.startswith(("optimizer__", "callbacks"))
            and not isinstance(own[name], float)  # a rate of dropout may differ
        )

    return kin


def _net_of(estimator: Any) -> Any:
    """Return the net that is trained; None if `estimator` is none and ends in none."""
    if is_net(estimator):
        return estimator
    # A subclass may do more than fit its steps; a memory is there to be used.
    plain = type(estimator) is Pipeline and estimator.memory is None
    if not plain or estimator.transform_input is not None:
        return None
    return estimator.steps[-1][1] if is_net(estimator.steps[-1][1]) else None
