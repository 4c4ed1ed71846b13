"""Which parameter names an estimator understands.

``get_params`` knows them all for a scikit-learn estimator. A skorch net understands more
than it lists: the arguments of its module, optimizer, criterion and data loaders, which
are worth checking before a training that would fail at the first fold.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from sklearn.base import clone

__all__ = ["valid_names"]


def valid_names(estimator: Any, wanted: Iterable[str]) -> set[str]:
    """Return the names among which a searched parameter must be.

    Parameters
    ----------
    estimator : estimator
        What is searched over.
    wanted : iterable of str
        Searched names. Where the component itself is searched (``module``), or takes any
        keyword, its arguments cannot be known and are taken as they come.
    """
    wanted = set(wanted)
    params = estimator.get_params(deep=True)
    valid = set(params)
    taken: set[str] = set()
    for prefix, net in _nets(estimator, params):
        for component, target in _components(net):
            path = f"{prefix}{component}"
            start = f"{path}__"
            taken |= {name for name in wanted if name.startswith(start)}
            arguments = None if path in wanted else _arguments(target)
            if arguments is None:
                valid |= {name for name in wanted if name.startswith(start)}
            else:
                valid |= {start + argument for argument in arguments}
                valid |= {n for n in wanted if n.startswith(f"{start}param_groups")}
    return valid | {name for name in wanted - valid - taken if _settable(estimator, name)}


def _settable(estimator: Any, name: str) -> bool:
    """Whether an estimator that does not list a parameter takes it all the same."""
    try:
        clone(estimator).set_params(**{name: None})
    except Exception:
        return False
    return True


def _nets(estimator: Any, params: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    skorch = sys.modules.get("skorch")
    if skorch is None:
        return
    for name, value in {"": estimator, **params}.items():
        if isinstance(value, skorch.NeuralNet):
            yield (f"{name}__" if name else "", value)


def _components(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield each prefix that the net hands keyword arguments to, and what gets them."""
    # An uninitialized net knows its module, criterion and optimizer by their arguments only.
    for component in {"module", "criterion", "optimizer", *net.prefixes_} - {"callbacks"}:
        yield component, getattr(net, component, None)


def _arguments(target: Any) -> list[str] | None:
    """Return the names of a callable's arguments, None if it takes any or is unknown."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]
