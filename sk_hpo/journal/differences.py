"""What differs between the search of a journal and the one that wants to continue it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sk_hpo.journal.encoding import dumps, loads
from sk_hpo.journal.records import Header, Raised, Record

__all__ = ["differences", "in_force", "raised"]

_ABSENT = object()
_LONGEST = 120  # characters of a value that are shown


def differences(
    old: Header, new: Header, may_grow: Sequence[str] = ("n_iter", "max_resources")
) -> list[str]:
    """Return what forbids to continue a search, one message for each difference.

    Versions are not compared.

    Parameters
    ----------
    old : Header
        Of the journal, as it is in force.
    new : Header
        Of the search that is about to begin.
    may_grow : sequence of str, default=("n_iter", "max_resources")
        Dotted names of settings that may be greater now.

    Returns
    -------
    messages : list of str

    Examples
    --------
    >>> from sk_hpo.journal.differences import differences
    >>> from sk_hpo.journal.records import Header
    >>> old = Header(0, {"n_iter": 20, "data": {"X": "float64 (9, 2) 1f"}, "cv": 5})
    >>> new = Header(0, {"n_iter": 10, "data": {"X": "float64 (8, 2) 9c"}, "cv": 5})
    >>> for message in differences(old, new):
    ...     print(message)
    n_iter: 20 in the journal, 10 now (it may only grow)
    data.X: 'float64 (9, 2) 1f' in the journal, 'float64 (8, 2) 9c' now
    """
    before, now = _flat(old), _flat(new)
    messages = []
    for name in [*before, *(name for name in now if name not in before)]:
        a, b = before.get(name, _ABSENT), now.get(name, _ABSENT)
        if _same(a, b) or (name in may_grow and _grows(a, b)):
            continue
        hint = " (it may only grow)" if name in may_grow else ""
        messages.append(f"{name}: {_shown(a)} in the journal, {_shown(b)} now{hint}")
    if not messages and old.parameters != new.parameters:
        orders = ([p.name for p in header.parameters] for header in (old, new))
        messages.append("order of the space: {} in the journal, {} now".format(*orders))
    return messages


def raised(old: Header, new: Header, may_grow: Sequence[str]) -> dict[str, Any]:
    """Return the settings of `new` that are greater, by dotted name."""
    before, now = _flat(old), _flat(new)
    return {
        name: now[name]
        for name in may_grow
        if name in before and name in now and _grows(before[name], now[name])
    }


def in_force(records: Sequence[Record]) -> Header:
    """Return the header with the settings that were raised since.

    Parameters
    ----------
    records : sequence of Record
        Of one journal; the first is its header.
    """
    header = records[0]
    assert isinstance(header, Header)
    settings = dict(header.settings)
    for record in records:
        if isinstance(record, Raised):
            for name, value in record.settings.items():
                settings = _with(settings, name.split("."), value)
    return replace(header, settings=settings)


def _with(settings: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return `settings` with another value at `path`."""
    first, *rest = path
    inner = settings.get(first)
    if rest:
        value = _with(inner if isinstance(inner, dict) else {}, rest, value)
    return {**settings, first: value}


def _flat(header: Header) -> dict[str, Any]:
    """Return everything that is compared, by dotted name."""
    found: dict[str, Any] = {"seed": header.seed}
    for parameter in header.parameters:
        name = f"space.{parameter.name or 'which dict'}"
        while name in found:  # it is in several dicts
            name += "'"
        described = asdict(parameter)
        del described["name"]
        found[name] = loads(dumps(described))
    found |= {name: getattr(header, name) for name in ("n_splits", "metric", "resource")}
    # As it is read back, so that a tuple is a list on both sides.
    return found | dict(_leaves("", loads(dumps(dict(header.settings)))))


def _leaves(prefix: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(f"{prefix}{name}.", value)
        else:
            yield prefix + name, value


def _same(a: Any, b: Any) -> bool:
    if a is _ABSENT or b is _ABSENT:
        return False
    return dumps(a) == dumps(b)  # NaN is NaN, True is not 1


def _grows(a: Any, b: Any) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    return numbers and bool(b > a)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, dict) and "domain" in value:
        value = value["domain"] if value.get("values") is None else value["values"]
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
