"""The axis of a parameter: which one, and where it is labelled."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sk_hpo.inspection.record import Parameter, SearchRecord

__all__ = ["chosen", "tick_values", "ticks"]


def chosen(record: SearchRecord, names: Sequence[str] | None) -> tuple[Parameter, ...]:
    """Return the parameters of these names, in their order; all for None.

    Raises
    ------
    ValueError
        If there is no such parameter.
    """
    if names is None:
        return record.parameters
    known = {parameter.name: parameter for parameter in record.parameters}
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in known:
            raise ValueError(f"There is no parameter {name!r}; there are {sorted(known)}.")
    return tuple(known[name] for name in names)


def ticks(parameter: Parameter, most: int = 12) -> list[tuple[float, str]]:
    """Return where an axis from 0 to 1 is labelled, and how.

    Of more than `most` choices, some of them.

    Examples
    --------
    >>> ticks(Parameter("kernel", "choice", labels=("rbf", "poly")))
    [(0.25, 'rbf'), (0.75, 'poly')]
    >>> ticks(Parameter("C", "number", log=True, low=1.0, high=1e6))
    [(0.0, '1'), (0.333..., '100'), (0.666..., '1e+04'), (1.0, '1e+06')]
    """
    if parameter.kind == "choice":
        step = math.ceil(len(parameter.labels) / most)
        return [
            ((i + 0.5) / len(parameter.labels), label)
            for i, label in enumerate(parameter.labels)
            if i % step == 0
        ]
    low, high = parameter.low, parameter.high
    if not low < high:
        return [(0.5, f"{low:.4g}")] if math.isfinite(low) else []
    values = tick_values(low, high, parameter.log)
    return [(parameter.position(value), f"{value:.4g}") for value in values]


def tick_values(low: float, high: float, log: bool, most: int = 6) -> list[float]:
    """Return round numbers from `low` to `high`; of a short logarithmic axis, its thirds.

    Examples
    --------
    >>> tick_values(1e-5, 1.0, log=True, most=4)
    [1e-05, 0.001, 0.1]
    >>> tick_values(16, 256, log=True), tick_values(0, 0.95, log=False, most=3)
    ([16, 64.0, 256], [0.0, 0.5])
    """
    from matplotlib.ticker import MaxNLocator

    if log:
        first, last = math.ceil(math.log10(low) - 0.01), math.floor(math.log10(high) + 0.01)
        step = max(1, math.ceil((last - first + 1) / most))
        decades = [10.0**exponent for exponent in range(first, last + 1, step)]
        return decades if len(decades) > 1 else [low, math.sqrt(low * high), high]
    slack = 1e-9 * (high - low)
    found = MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(v) for v in found if low - slack <= v <= high + slack]
