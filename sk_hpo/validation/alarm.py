"""The alarm: what a check of leakage has seen; and what is done about it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Alarm", "LeakageError", "LeakageWarning", "each", "n_rows_of", "report"]


class LeakageWarning(UserWarning):
    """A score is likely to be better than the model is."""


class LeakageError(ValueError):
    """As `LeakageWarning`, for ``leakage="raise"``."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a check has seen.

    Parameters
    ----------
    kind : str
        "overlap", "duplicates", "groups", "time", "early_stopping" or "score".
    n_rows : int
        Number of rows that it concerns.
    message : str
        What was seen, and what to do.
    """

    kind: str
    n_rows: int
    message: str


def report(alarms: Sequence[Alarm], mode: str, stacklevel: int = 2) -> None:
    """Warn of the alarms, or raise them.

    Parameters
    ----------
    alarms : sequence of Alarm
        What the checks returned.
    mode : {"warn", "raise", "ignore"}
        One `LeakageWarning` for each alarm; one `LeakageError` for all; or nothing.
    stacklevel : int, default=2
        As in `warnings.warn`: 2 is the caller of this function.

    Raises
    ------
    LeakageError
        If there is an alarm and `mode` is "raise".

    Examples
    --------
    >>> from sk_hpo.validation.alarm import Alarm, report
    >>> report([Alarm("score", 3, "3 rows were seen before.")], "raise")
    Traceback (most recent call last):
    sk_hpo.validation.alarm.LeakageError: 3 rows were seen before.
    """
    if mode == "raise" and alarms:
        raise LeakageError("\n".join(alarm.message for alarm in alarms))
    if mode == "warn":
        for alarm in alarms:
            warnings.warn(alarm.message, LeakageWarning, stacklevel=stacklevel)


def n_rows_of(n: int, verb: str = "") -> str:
    """Return "1 row" or "2 rows", and a regular verb that agrees with it."""
    noun = "1 row" if n == 1 else f"{n} rows"
    return f"{noun} {verb}{'s' if n == 1 else ''}" if verb else noun


def each(counts: Sequence[int]) -> str:
    """Return the counts of the splits, of no more than ten."""
    if len(counts) == 1:
        return "in the only split"
    shown = ", ".join(map(str, counts[:10])) + (", ..." if len(counts) > 10 else "")
    return f"{shown} in splits 0 to {len(counts) - 1}"
