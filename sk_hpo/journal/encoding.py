"""JSON that gives back every number as it was: NaN, infinities and -0.0 included.

Finite floats are written by `repr`, which is exact. Others have no place in JSON; each is
written as an object with the one key ``$float``, so that any reader of JSON can read a
journal.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

__all__ = ["dumps", "loads"]

_FLOAT, _DICT = "$float", "$dict"
_MARK = '"$'


def dumps(value: Any) -> str:
    """Return JSON in one line of ASCII.

    Parameters
    ----------
    value : object
        None, bool, int, float, str, scalars of numpy, and lists, tuples and dicts of them.
        Keys are str. A tuple is read back as a list.

    Raises
    ------
    TypeError
        If `value` holds anything else.

    Examples
    --------
    >>> from sk_hpo.journal.encoding import dumps, loads
    >>> dumps({"score": 0.1, "loss": float("nan")})
    '{"score":0.1,"loss":{"$float":"nan"}}'
    >>> loads(dumps([-0.0, float("-inf")]))
    [-0.0, -inf]
    """
    try:
        text = _ENCODER.encode(value)
    except ValueError:  # a float that is not finite, or what the next line refuses
        text = _MARK
    if _MARK not in text:
        return text
    try:
        return _ENCODER.encode(_marked(value, 0))
    except ValueError as error:  # an integer of more digits than Python reads
        raise TypeError(f"What goes to a journal cannot be written: {error}") from error


def loads(text: str | bytes) -> Any:
    """Return the value that `dumps` has seen.

    Raises
    ------
    ValueError
        If `text` is not what `dumps` writes.
    """
    if isinstance(text, bytes):
        text = text.decode("ascii")
    try:
        return (_UNMARKER if _MARK in text else _DECODER).decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _scalar(value: Any) -> Any:
    """Return a scalar of numpy as one of Python."""
    if isinstance(value, np.generic):
        item = value.item()
        if isinstance(item, bool | int | float | str):
            return item
    raise TypeError(
        f"A {type(value).__name__} cannot be written to a journal: give numbers, texts, None,"
        " and lists and dicts of them."
    )


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_scalar)
_DEEPEST = 200


def _marked(value: Any, depth: int) -> Any:
    """Return `value` without floats that are not finite."""
    if depth > _DEEPEST:
        raise TypeError("What goes to a journal is nested too deeply, or in a circle.")
    if isinstance(value, np.generic):
        value = _scalar(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(float(value))}
    if isinstance(value, list | tuple):
        return [_marked(item, depth + 1) for item in value]
    if isinstance(value, dict):
        marked = {key: _marked(item, depth + 1) for key, item in value.items()}
        escaped = len(marked) == 1 and not marked.keys().isdisjoint((_FLOAT, _DICT))
        return {_DICT: list(*marked.items())} if escaped else marked
    return value


def _unmarked(pairs: dict[str, Any]) -> Any:
    """Undo `_marked` for one object, whose items are done."""
    if len(pairs) != 1:
        return pairs
    ((key, value),) = pairs.items()
    if key == _FLOAT and value in ("nan", "inf", "-inf"):
        return float(value)
    if key == _DICT and isinstance(value, list) and len(value) == 2:
        return dict([value])
    return pairs


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refused)
_UNMARKER = json.JSONDecoder(parse_constant=_refused, object_hook=_unmarked)
