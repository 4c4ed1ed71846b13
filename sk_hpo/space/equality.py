"""Whether two objects are the same value, where ``==`` is too lax, too strict or fails."""

from __future__ import annotations

import math
from types import FunctionType, NoneType
from typing import Any

import numpy as np

__all__ = ["differ", "equal"]

_PLAIN = (bool, int, float, complex, str, bytes, NoneType, np.generic, np.ndarray, type)


def equal(a: Any, b: Any) -> bool:
    """Whether two objects are the same value: True is not 1, 1 is not 1.0.

    Functions are, if they have the same code and what it refers to is the same; objects
    without an ``==`` of their own, if a copy of one would be a copy of the other. False if in
    doubt.
    """
    a, b = (x.item() if isinstance(x, np.generic) else x for x in (a, b))
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    by_identity: Any = object.__eq__
    try:
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(map(equal, a, b))
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
        if isinstance(a, np.ndarray):
            return a.dtype == b.dtype and equal(a.tolist(), b.tolist())
        if isinstance(a, float) and math.isnan(a):
            return math.isnan(b)
        if isinstance(a, FunctionType):
            return a.__code__ == b.__code__ and equal(_around(a), _around(b))
        if type(a).__eq__ is by_identity:
            # An estimator, say: a copy of it has the same state. What reduces to a name,
            # as a builtin function does, is only equal to itself.
            state = a.__reduce_ex__(4)
            return isinstance(state, tuple) and equal(state, b.__reduce_ex__(4))
        return bool(a == b)
    except Exception:  # an __eq__ that raises, something that cannot be copied, a cycle
        return False


def _around(function: FunctionType) -> list[Any]:
    """Return what the code of a function refers to."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [id(function.__globals__), function.__defaults__, function.__kwdefaults__, *cells]


def differ(a: Any, b: Any) -> bool:
    """Whether two objects are certainly not the same value. False if in doubt."""
    if a is b:
        return False
    if type(a) is not type(b):
        return True
    if isinstance(a, list | tuple):
        return len(a) != len(b) or any(map(differ, a, b))
    if isinstance(a, dict):
        return a.keys() != b.keys() or any(differ(a[key], b[key]) for key in a)
    if isinstance(a, _PLAIN):
        return not equal(a, b)
    if hasattr(a, "get_params"):
        return differ(a.get_params(deep=False), b.get_params(deep=False))
    return False
