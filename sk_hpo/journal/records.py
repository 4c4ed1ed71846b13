"""What a journal holds: frozen records, and how each is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from sk_hpo._version import __version__
from sk_hpo.trial import Job, Origin, Reason

__all__ = [
    "FORMAT",
    "Ask",
    "Header",
    "Parameter",
    "Raised",
    "Record",
    "Restart",
    "Run",
    "Stop",
    "Value",
    "content_of",
    "kind_of",
    "record_of",
]

FORMAT = 1
_MOST_SPLITS = 10**7  # more are damage, and would fill the memory


@dataclass(frozen=True, slots=True)
class Parameter:
    """One dimension of the space, as a journal tells of it.

    Parameters
    ----------
    name : str
        The estimator's parameter; empty for a dimension that is none.
    kind : str
        "categorical", "ordinal", "integer" or "real".
    domain : str
        What it is drawn from, and under which condition.
    values : tuple or None, default=None
        What the codes 0, 1, ... mean: numbers, texts, bools or None, and of other objects a
        description. None where a code is the value itself.
    """

    name: str
    kind: str
    domain: str
    values: tuple[Any, ...] | None = None

    def value(self, code: Any) -> Any:
        """Return what a code means; the code itself if it means nothing known."""
        if self.values is None or not isinstance(code, int):
            return code
        return self.values[code] if 0 <= code < len(self.values) else code


@dataclass(frozen=True, slots=True)
class Header:
    """What a search is: the first record.

    Parameters
    ----------
    seed : int
        From which everything random derives.
    settings : mapping of str to object
        Whatever must be the same for a journal to be continued: arguments, fingerprints of
        the data. Numbers, texts, bools, None, and lists and dicts of them.
    parameters : tuple of Parameter, default=()
        The space, in its order.
    n_splits : int, default=1
        How many folds there are.
    metric : str, default="score"
        Which of several scores the search steers by.
    resource : str or None, default=None
        What the search trains by, say "epochs"; None for a search without rungs.
    version : str
        Of the library that began the journal.
    """

    seed: int
    settings: Mapping[str, Any]
    parameters: tuple[Parameter, ...] = ()
    n_splits: int = 1
    metric: str = "score"
    resource: str | None = None
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Run:
    """A process has begun to work on the search, or has taken it up again.

    Parameters
    ----------
    pid : int
        Of the process.
    host : str
        Its machine.
    time : float
        When, in seconds since 1970.
    """

    pid: int
    host: str
    time: float


@dataclass(frozen=True, slots=True)
class Raised:
    """Settings that were raised, and replace those of the header.

    Parameters
    ----------
    settings : mapping of str to object
        New values by dotted name.
    """

    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Restart:
    """The search asks again from its beginning, since settings were raised.

    What follows stands by itself: it repeats what is known of the jobs that it asks for.
    """


@dataclass(frozen=True, slots=True)
class Ask:
    """The scheduler has asked for a job.

    Parameters
    ----------
    number : int
        Of the job, from 0, in the order of asking.
    job : Job
        What is to be done.
    reason : Reason, default=Reason()
        Why its config was suggested.
    params : str, default=""
        Digest of what a space that is a function made of the config.
    """

    number: int
    job: Job
    reason: Reason = Reason()  # noqa: RUF009 - frozen
    params: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A part of a job is done.

    Parameters
    ----------
    number : int
        Of the job.
    part : int
        Of its parts, from 0.
    value : mapping of str to object
        What came of it; for a fold, the fields of its result by name.
    """

    number: int
    part: int
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """The run is over.

    Parameters
    ----------
    why : str
        "done", "interrupt", or what else ended it.
    """

    why: str


Record = Header | Run | Raised | Restart | Ask | Value | Stop


def kind_of(record: Record) -> str:
    """Return what a line calls this kind of record."""
    return type(record).__name__.lower()


def content_of(record: Record) -> dict[str, Any]:
    """Return what a line holds of a record; what is as by default is left out.

    Examples
    --------
    >>> from sk_hpo.journal.records import Ask, content_of
    >>> from sk_hpo.trial import Job
    >>> content_of(Ask(4, Job(trial=2, config=(0.5, 1), start=0, stop=3)))
    {'job': 4, 'trial': 2, 'config': (0.5, 1), 'start': 0, 'stop': 3}
    """
    if isinstance(record, Ask):
        params = {"params": record.params} if record.params else {}
        return {"job": record.number, **_shown(record.job), **_shown(record.reason), **params}
    if isinstance(record, Value):
        return {"job": record.number, "part": record.part, "value": dict(record.value)}
    if isinstance(record, Header):
        shown = {f.name: getattr(record, f.name) for f in fields(record)}
        shown["parameters"] = [_shown(parameter) for parameter in record.parameters]
        shown["settings"] = dict(record.settings)
        return {"format": FORMAT, **shown}
    return {f.name: getattr(record, f.name) for f in fields(record)}


def record_of(kind: str, content: Any) -> Record:
    """Return the record that `content_of` has seen.

    Raises
    ------
    ValueError, TypeError, KeyError
        If there is no such record.
    """
    content = _a(dict, content)
    read = _READERS.get(kind)
    if read is None:
        raise ValueError(f"there are no records of the kind {kind!r}")
    return read(content)


def _shown(record: Any) -> dict[str, Any]:
    """Return the fields that are not as by default."""
    shown = {}
    for f in fields(record):
        value = getattr(record, f.name)
        unknown = isinstance(value, float) and math.isnan(value)
        if not (value == f.default or (unknown and f.default is math.nan)):
            shown[f.name] = value
    return shown


def _header(content: dict[str, Any]) -> Header:
    if content["format"] != FORMAT:
        raise ValueError(
            f"it was written in format {content['format']!r} by version"
            f" {content.get('version')!r}; this is version {__version__}, which reads format"
            f" {FORMAT}: install the other version"
        )
    parameters = [_parameter(_a(dict, p)) for p in _a(list, content["parameters"])]
    resource = content["resource"]
    if not 0 < _count(content["n_splits"]) <= _MOST_SPLITS:
        raise ValueError(f"{content['n_splits']} is no number of folds")
    return Header(
        seed=_a(int, content["seed"]),
        settings=_a(dict, content["settings"]),
        parameters=tuple(parameters),
        n_splits=content["n_splits"],
        metric=_a(str, content["metric"]),
        resource=None if resource is None else _a(str, resource),
        version=_a(str, content["version"]),
    )


def _parameter(content: dict[str, Any]) -> Parameter:
    values = content.get("values")
    return Parameter(
        name=_a(str, content["name"]),
        kind=_a(str, content["kind"]),
        domain=_a(str, content["domain"]),
        values=None if values is None else tuple(_a(list, values)),
    )


def _ask(content: dict[str, Any]) -> Ask:
    folds = content.get("folds")
    job = Job(
        trial=_count(content["trial"]),
        config=tuple(_code(code) for code in _a(list, content["config"])),
        start=_count(content["start"]),
        stop=_count(content["stop"]),
        bracket=_count(content.get("bracket", 0)),
        rung=_count(content.get("rung", 0)),
        resumable=_a(bool, content.get("resumable", False)),
        folds=None if folds is None else tuple(_count(fold) for fold in _a(list, folds)),
    )
    origin = content.get("origin", Reason().origin)
    if origin not in get_args(Origin):
        raise ValueError(f"{origin!r} is no origin of a config")
    known = {name: content.get(name, math.nan) for name in ("acquisition", "mean", "sd")}
    reason = Reason(origin, **{name: float(_a(float, x)) for name, x in known.items()})
    return Ask(_count(content["job"]), job, reason, _a(str, content.get("params", "")))


def _value(content: dict[str, Any]) -> Value:
    return Value(_count(content["job"]), _count(content["part"]), _a(dict, content["value"]))


_READERS: dict[str, Callable[[dict[str, Any]], Record]] = {
    "header": _header,
    "run": lambda c: Run(_count(c["pid"]), _a(str, c["host"]), float(_a(float, c["time"]))),
    "raised": lambda c: Raised(_a(dict, c["settings"])),
    "restart": lambda c: Restart(),
    "ask": _ask,
    "value": _value,
    "stop": lambda c: Stop(_a(str, c["why"])),
}


def _a(kind: Any, value: Any) -> Any:
    """Return `value` if it is of a kind; a bool is no number, an int may be a float."""
    wanted = int | float if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _count(value: Any) -> int:
    if _a(int, value) < 0:
        raise ValueError(f"{value} is negative")
    return int(value)


def _code(value: Any) -> float | int | None:
    code: float | int | None = None if value is None else _a(float, value)
    return code
