"""What a search was asked for, in numbers and texts: the same for the same arguments.

A description is compared and shown, and nothing is ever made from one. It is the same in
every process, so it has no addresses in memory in it, and functions and classes are told by
their names and code.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from sk_hpo.journal.fingerprint import fingerprint

__all__ = ["described", "told"]

_DEEPEST = 12
_PLAIN = (bool, int, float, str, type(None))


def described(value: Any, depth: int = 0) -> Any:
    """Return a description of `value`: numbers, texts, and lists and dicts of them.

    Parameters
    ----------
    value : object
        An argument of a search: an estimator, a scorer, a splitter, a distribution, ...
    depth : int, default=0
        How deep it lies in what is described; below 12 levels, types have to do.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> described(Ridge(alpha=2.0))["alpha"], described(np.float64(0.5)), described(Ridge)
    (2.0, 0.5, 'sklearn.linear_model._ridge.Ridge')
    """
    if isinstance(value, np.generic):
        return described(value.item()) if value.dtype != object else _name(type(value))
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, type):
        return _name(value)
    if depth > _DEEPEST:
        return _name(type(value))
    if isinstance(value, Mapping):
        return {str(key): described(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        entries = [described(entry, depth + 1) for entry in value]
        return sorted(entries, key=repr) if isinstance(value, (set, frozenset)) else entries
    if isinstance(value, (np.ndarray, range)) or hasattr(value, "__dataframe__"):
        return fingerprint(value)
    return _function(value, depth) or _object(value, depth)


def told(value: Any) -> Any:
    """Return a value of a parameter as a journal tells it: a number, a text, a bool or None."""
    plain = described(value)
    return plain if isinstance(plain, _PLAIN) else repr(plain)


def _function(value: Any, depth: int) -> Any:
    """Return the description of what can be called by a name; None for anything else."""
    if isinstance(value, partial):
        parts = [value.func, value.args, value.keywords]
        return {"partial": described(parts, depth + 1)}
    if isinstance(value, MethodType):
        return {"method": value.__name__, "of": described(value.__self__, depth + 1)}
    if isinstance(value, BuiltinFunctionType):
        return _name(value)
    if isinstance(value, FunctionType):
        closed = inspect.getclosurevars(value).nonlocals
        found = f"{_name(value)} {_of_code(value.__code__)}"
        return {found: described(closed, depth + 1)} if closed else found
    return None


def _of_code(code: CodeType) -> str:
    """Return a digest of what a function does, not of where it stands."""
    constants = list(map(_constant, code.co_consts))
    told = repr((code.co_code, constants, code.co_names, code.co_varnames))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def _constant(value: Any) -> Any:
    """Return a constant of a function as the same text in every process."""
    if isinstance(value, CodeType):
        return _of_code(value)
    if isinstance(value, frozenset):  # of ``in {...}``; its order depends on hashes
        return ["frozenset", *sorted(map(repr, map(_constant, value)))]
    if isinstance(value, tuple):
        return ["tuple", *map(_constant, value)]
    return repr(value)


def _object(value: Any, depth: int) -> Any:
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return _name(type(value))  # what it has drawn is in the seed
    if hasattr(value, "get_params"):
        inside = value.get_params(deep=False)
    else:
        inside = dict(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            names = getattr(kind, "__slots__", ())
            names = (names,) if isinstance(names, str) else names
            inside |= {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {"type": _name(type(value)), **described(inside, depth + 1)}


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
