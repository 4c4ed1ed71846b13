"""Say what to do about it when torch complains about dtypes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from sk_hpo.evaluation.resources import TrainingData

__all__ = ["dtype_hints"]


@contextmanager
def dtype_hints(data: TrainingData) -> Iterator[None]:
    """Add to torch's complaints about dtypes what to do about them."""
    try:
        yield
    except (RuntimeError, ValueError) as exc:
        if re.search(r"dtype|(scalar|result|input) type|not implemented for", str(exc), re.I):
            for note in _notes(data, str(exc)):
                exc.add_note(note)
        raise


def _notes(data: TrainingData, complaint: str) -> Iterator[str]:
    if "float64" in _dtypes(data.X):
        yield (
            "X is float64, but parameters of torch modules are float32 by default. Cast X, "
            "e.g. with FunctionTransformer(np.asarray, kw_args={'dtype': np.float32}) as "
            "the step before the net."
        )
    of_y = _dtypes(data.y)
    if "float64" in of_y:
        yield "y is float64: losses of classifiers want int64, those of regressors float32."
    if odd := sorted(d for d in of_y if "int" in d and d != "int64"):
        yield f"y is {odd[0]}: losses of classifiers want int64, those of regressors float32."
    if "int64" in of_y and "can't be cast" in complaint:
        yield "y is int64, but this loss wants the dtype of the module's output: float32."


def _dtypes(data: Any) -> set[str]:
    """Return the names of the dtypes in (dicts and lists of) arrays, tensors and frames."""
    if isinstance(data, Mapping | list | tuple):
        parts = data.values() if isinstance(data, Mapping) else data
        return {name for part in parts if not np.isscalar(part) for name in _dtypes(part)}
    dtypes = getattr(data, "dtypes", None)
    found = [getattr(data, "dtype", None)] if dtypes is None else np.atleast_1d(dtypes)
    return {str(dtype).removeprefix("torch.") for dtype in found if dtype is not None}
