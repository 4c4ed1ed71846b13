"""Checkpoint files of skorch nets: folds that train side by side must not share them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["private_checkpoints"]


@contextmanager
def private_checkpoints(estimator: Any) -> Iterator[None]:
    """Let what writes checkpoints in `estimator` write to a folder that goes with the block.

    Parameters
    ----------
    estimator : estimator
        Not initialised; its parameters change. A skorch net, or anything that holds one.
    """
    found = list(_checkpoints(estimator))
    if not found:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="sk_hpo-", ignore_cleanup_errors=True) as folder:
        for i, (net, name) in enumerate(found):
            # Not by `set_params`, which would make the user's folders.
            setattr(net, f"callbacks__{name}__dirname", str(Path(folder, str(i))))
        yield


def _checkpoints(estimator: Any) -> Iterator[tuple[Any, str]]:
    """Yield the nets and the names of their callbacks that write files."""
    skorch = sys.modules.get("skorch")
    if skorch is None:
        return
    kinds = (skorch.callbacks.Checkpoint, skorch.callbacks.TrainEndCheckpoint)
    for net in (estimator, *estimator.get_params(deep=True).values()):
        if not isinstance(net, skorch.NeuralNet) or net.callbacks == "disable":
            continue
        for name, listed in net._uniquely_named_callbacks():
            callback = getattr(net, f"callbacks__{name}", listed)
            kind = callback if isinstance(callback, type) else type(callback)
            if issubclass(kind, kinds):
                yield net, name
