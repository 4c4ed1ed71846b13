"""Results of folds as dicts of numbers, texts and lists, with nothing that could run code."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from sk_hpo.evaluation.records import FoldResult

__all__ = ["from_json", "to_json"]


def to_json(result: FoldResult) -> dict[str, Any]:
    """Return a result as a dict; what is as by default is left out.

    Arrays of predictions become texts in base64, of what `numpy.save` writes.

    Examples
    --------
    >>> result = FoldResult(test_scores=0.5, train_scores=None, fit_time=1.0, score_time=0.1)
    >>> to_json(result)
    {'test_scores': 0.5, 'train_scores': None, 'fit_time': 1.0, 'score_time': 0.1}
    >>> from_json(to_json(result)) == result
    True
    """
    found = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if field.name == "predictions":
            value = value and {name: _array(array) for name, array in value.items()}
        default = field.default if field.default_factory is MISSING else {}
        if default is MISSING or value != default:
            found[field.name] = value
    return found


def from_json(record: dict[str, Any]) -> FoldResult:
    """Return the result that `to_json` was given.

    Raises
    ------
    ValueError, TypeError, KeyError
        If `record` is not of `to_json`.
    """
    known = set(_KINDS)
    values = {name: value for name, value in record.items() if name in known}
    for name, value in values.items():
        if not _KINDS[name](value):
            raise TypeError(f"{name} is {value!r}")
    if values.get("predictions"):
        values["predictions"] = {
            name: _as_array(array) for name, array in values["predictions"].items()
        }
    return FoldResult(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_scores(value: Any) -> bool:
    return _is_number(value) or (
        isinstance(value, dict) and all(map(_is_number, value.values()))
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "test_scores": _is_scores,
    "train_scores": _or_none(_is_scores),
    "fit_time": _is_number,
    "score_time": _is_number,
    "cost": _is_number,
    "error": _or_none(_is_text),
    "score_errors": _is_texts,
    "path": _is_text,
    "reason": _is_text,
    "predictions": _or_none(lambda value: isinstance(value, dict)),
    "digest": _is_text,
    "n_epochs": _or_none(lambda value: isinstance(value, int)),
    "began": _or_none(_is_number),
    "ended": _or_none(_is_number),
    "worker": _is_text,
    "losses": lambda value: isinstance(value, int),
}


def _array(value: Any) -> Any:
    if isinstance(value, (list, tuple)):  # of a multi-output classifier
        return [_array(entry) for entry in value]
    array = np.asarray(value)
    if array.dtype == object:
        return {"objects": array.tolist()}
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return {"npy": base64.b64encode(file.getvalue()).decode("ascii")}


def _as_array(record: Any) -> Any:
    if isinstance(record, list):
        return [_as_array(entry) for entry in record]
    if "objects" in record:
        return np.array(record["objects"], dtype=object)
    return np.load(io.BytesIO(base64.b64decode(record["npy"])), allow_pickle=False)
