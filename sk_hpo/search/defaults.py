"""A constructor that differs from another in its defaults, and in nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = ["with_defaults"]


def with_defaults(init: Callable[..., None], **defaults: Any) -> Callable[..., None]:
    """Return a constructor like `init`, whose signature has other defaults.

    scikit-learn reads the parameters of an estimator from that signature.

    Parameters
    ----------
    init : callable
        An ``__init__``.
    **defaults
        Parameters of `init` with the values that they have if none is given.

    Examples
    --------
    >>> class Brush:
    ...     def __init__(self, width, *, colour="red"):
    ...         self.width, self.colour = width, colour
    >>> class BlueBrush(Brush):
    ...     __init__ = with_defaults(Brush.__init__, colour="blue")
    >>> BlueBrush(3).colour, BlueBrush(3, colour="green").colour
    ('blue', 'green')
    >>> inspect.signature(BlueBrush)
    <Signature (width, *, colour='blue')>
    """
    signature = inspect.signature(init)
    changed = [
        p.replace(default=defaults.get(p.name, p.default))
        for p in signature.parameters.values()
    ]

    @wraps(init)
    def __init__(self: Any, *args: Any, **params: Any) -> None:
        init(self, *args, **defaults | params)

    __init__.__signature__ = signature.replace(parameters=changed)  # type: ignore[attr-defined]
    return __init__
