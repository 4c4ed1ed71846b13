"""The reading side of a journal: what a file holds, as values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sk_hpo.journal import frame
from sk_hpo.journal.differences import in_force
from sk_hpo.journal.error import JournalError
from sk_hpo.journal.line import Lines, read_lines
from sk_hpo.journal.place import read_file
from sk_hpo.journal.records import Ask, Header, Record, Restart, Run, Stop, Value, record_of
from sk_hpo.trial import Trial

__all__ = ["Journal", "journal_of", "read_header"]


@dataclass(frozen=True, slots=True)
class Journal:
    """What the journal of a search holds.

    Parameters
    ----------
    path : str
        The file.
    records : tuple of Record
        In the order of writing; the first is the header.

    Examples
    --------
    >>> from sk_hpo.journal.journal import Journal
    >>> from sk_hpo.journal.records import Ask, Header, Parameter, Value
    >>> from sk_hpo.trial import Job
    >>> alpha = Parameter("alpha", "ordinal", "[0.1, 0.2, 0.4]", (0.1, 0.2, 0.4))
    >>> journal = Journal("search.journal", (
    ...     Header(seed=0, settings={}, parameters=(alpha,), n_splits=2),
    ...     Ask(0, Job(trial=0, config=(2,), start=0, stop=1)),
    ...     Value(0, 0, {"test_scores": 0.5, "fit_time": 1.5}),
    ...     Value(0, 1, {"test_scores": 0.7, "fit_time": 1.0}),
    ... ))
    >>> journal.to_frame()[["trial", "param_alpha", "split1_test_score", "mean_test_score"]]
       trial  param_alpha  split1_test_score  mean_test_score
    0      0          0.4                0.7              0.6
    """

    path: str
    records: tuple[Record, ...]

    def __repr__(self) -> str:
        n_trials = len({ask.job.trial for ask in self.asks})
        ended = self.stopped_by or "not ended"
        return f"<Journal {self.path!r}: {n_trials} trials, {ended}; see to_frame()>"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Journal:
        """Read a journal, also one that a search is writing.

        Parameters
        ----------
        path : str or path-like
            The file. It is not changed.

        Raises
        ------
        JournalError
            If the file cannot be read, is no journal, holds nothing yet, or is damaged
            before its last record.
        """
        name = os.fspath(path)
        found, _ = journal_of(read_file(name), name)
        if found is None:
            raise JournalError(f"The journal {name} is empty: no search has begun to write it.")
        return found

    @property
    def header(self) -> Header:
        """What the search is, with the settings that were raised since it began."""
        return in_force(self.records)

    @property
    def current(self) -> tuple[Record, ...]:
        """The records since the search began, or began anew with settings that were raised."""
        last = max((i for i, r in enumerate(self.records) if isinstance(r, Restart)), default=0)
        return self.records[last:]

    @property
    def asks(self) -> list[Ask]:
        """The jobs of `current`, in the order of asking."""
        return [record for record in self.current if isinstance(record, Ask)]

    @property
    def runs(self) -> list[Run]:
        """When which processes have worked on the search."""
        return [record for record in self.records if isinstance(record, Run)]

    @property
    def stopped_by(self) -> str | None:
        """Why the last run ended; None if it has not, or was killed."""
        last = self.records[-1]
        return last.why if isinstance(last, Stop) else None

    def values(self) -> dict[int, dict[int, Mapping[str, Any]]]:
        """Return what is known of each job of `current`: number -> part -> value."""
        found: dict[int, dict[int, Mapping[str, Any]]] = {}
        for record in self.current:
            if isinstance(record, Value):
                found.setdefault(record.number, {})[record.part] = record.value
        return found

    @property
    def trials(self) -> list[Trial]:
        """The trials, with an outcome for each resource where one is known of every fold."""
        return frame.trials(self.header, self.asks, self.values())

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame` with a row per trial and rung.

        Columns are those of ``cv_results_``: ``trial``, ``bracket``, ``iter``,
        ``n_resources``, ``param_*``, ``split*_test_*``, ``mean_*`` and ``std_*`` of scores
        and times in seconds; and ``suggested_by``, ``acquisition``, ``predicted_mean``,
        ``predicted_sd``; ``status`` ("done", "failed", "running") and ``error``, the
        traceback of the first fold that failed. Means are over the folds that are there.
        Values of a list are shown as they are if they are numbers, texts, bools or None,
        and by a description otherwise.
        """
        import pandas as pd

        columns = frame.columns(self.header, self.asks, self.values())
        return pd.DataFrame(columns)


def read_header(path: str | os.PathLike[str]) -> Header | None:
    """Return the header of a journal; None if no search has begun it.

    Raises
    ------
    JournalError
        As `Journal.read`.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        return None
    found, _ = journal_of(read_file(name), name)
    return None if found is None else found.header


def journal_of(data: bytes, name: str) -> tuple[Journal | None, Lines]:
    """Return what is in `data`, None if it is empty; and its lines.

    Raises
    ------
    JournalError
        If it is no journal, or damaged.
    """
    lines = read_lines(data, name)
    records: list[Record] = []
    check = _Order()
    for number, (kind, content) in enumerate(lines.contents):
        try:
            record = record_of(kind, content)
            check(record)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise JournalError(
                f"Line {number + 1} of {name} cannot be understood: {error}. Read it with the"
                " version of sk_hpo that wrote it, or give another path."
            ) from error
        records.append(record)
    return (Journal(name, tuple(records)) if records else None), lines


class _Order:
    """Checks that each record has its place after those before it."""

    def __init__(self) -> None:
        self._header: Header | None = None
        self._n_parts: list[int] = []  # of each job

    def __call__(self, record: Record) -> None:
        """Raise ValueError if the next record cannot be this one."""
        if isinstance(record, Header) or self._header is None:
            if not isinstance(record, Header) or self._header is not None:
                raise ValueError("a header stands first, and nowhere else")
            self._header = record
        elif isinstance(record, Ask):
            self._ask(record, self._header)
        elif isinstance(record, Value):
            known = record.number < len(self._n_parts)
            if not known or record.part >= self._n_parts[record.number]:
                raise ValueError(
                    f"part {record.part} of job {record.number} was never asked for"
                )

    def _ask(self, ask: Ask, header: Header) -> None:
        job = ask.job
        if ask.number != len(self._n_parts):
            raise ValueError(f"job {ask.number} stands where job {len(self._n_parts)} should")
        if len(job.config) != len(header.parameters):
            raise ValueError(
                f"{job.config} is no config of {len(header.parameters)} parameters"
            )
        if max(job.folds or (0,)) >= header.n_splits:
            raise ValueError(f"there are no folds {job.folds} among {header.n_splits}")
        self._n_parts.append(header.n_splits if job.folds is None else len(job.folds))
