"""A search and its journal: what identifies the search, what is kept, and how it goes on."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sk_hpo.evaluation.as_json import from_json, to_json
from sk_hpo.evaluation.evaluator import CrossValidation
from sk_hpo.evaluation.records import FoldResult
from sk_hpo.journal.differences import raised
from sk_hpo.journal.error import JournalError, JournalWriteError
from sk_hpo.journal.fingerprint import fingerprint
from sk_hpo.journal.journal import Journal, read_header
from sk_hpo.journal.records import Ask, Header, Parameter, Record, Restart, Stop, Value
from sk_hpo.journal.writer import JournalWriter
from sk_hpo.loop import Asked, Came, Unfinished, go_on
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.search.described import described, told
from sk_hpo.search.problem import Problem
from sk_hpo.space.build import HIDDEN
from sk_hpo.space.space import Space
from sk_hpo.trial import Job, Outcome

__all__ = ["Recorder", "header", "journal_path", "seed_of"]

# Arguments that change neither what is tried nor what comes of it, and those that other
# parts of the header tell in full.
_ELSEWHERE = (
    *("accelerator", "devices", "error_score", "executor", "journal", "leakage", "max_retries"),
    *("n_jobs", "pre_dispatch", "refit", "refit_epochs", "refit_on_all", "stop", "time_budget"),
    *("trial_timeout", "verbose", "warm_start_from"),
    *("cv", "param_distributions", "random_state"),
)


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_MAY_GROW = ("n_iter", "max_resources")


def journal_path(search: Any, X: Any, y: Any, params: Mapping[str, Any]) -> str | None:
    """Return the file of a search's journal, None if it has none.

    In a folder, each search has a file of its own, which the same search on the same data
    finds again; the searches of a cross-validation or a comparison, also those that differ in
    `n_iter` alone, do not get in one another's way.
    """
    if search.journal is None:
        return None
    path = os.fspath(search.journal)
    if not os.path.isdir(path):
        return path
    told = [_arguments(search), described(search.random_state)]
    of = fingerprint([repr(told), fingerprint(X), fingerprint(y), fingerprint(dict(params))])
    return os.path.join(path, f"{type(search).__name__}-{of.split()[-1][:16]}.journal")


def seed_of(path: str) -> int | None:
    """Return the seed of the search that a journal is of; None if it has not begun."""
    found = read_header(path)
    return None if found is None else found.seed


def _arguments(search: Any) -> dict[str, Any]:
    """Return the arguments that make a search what it is, described."""
    arguments = search.get_params(deep=False)
    return {name: described(v) for name, v in arguments.items() if name not in _ELSEWHERE}


def header(search: Any, problem: Problem, metric: str) -> Header:
    """Return what a search is: what must be the same for its journal to be continued."""
    function = search.param_distributions if problem.space.by_run else None
    settings = {
        "search": type(search).__name__,
        **_arguments(search),
        **({} if function is None else {"param_distributions": described(function)}),
        "data": {
            "X": fingerprint(problem.X),
            "y": fingerprint(problem.y),
            "cv": fingerprint([list(split) for split in problem.splits]),
            "fit_params": fingerprint([problem.fit_params, problem.score_params]),
        },
    }
    return Header(
        seed=problem.seed,
        settings=settings,
        parameters=tuple(_parameters(problem.space)),
        metric=metric,
        resource=search._resource_name,
        n_splits=len(problem.splits),
    )


def _parameters(space: Space) -> list[Parameter]:
    found = []
    for dimension in space.dimensions:
        levels = None
        if dimension.kind in ("categorical", "ordinal"):
            codes = map(int, dimension.domain.levels())
            levels = tuple(told(dimension.value(code)) for code in codes)
        domain = _ADDRESS.sub("", repr(dimension.domain)) if levels is None else "a list"
        if dimension.condition is not None:
            when = dimension.condition
            domain += f", if {'asked for' if space.by_run else described(when)}"
        name = "" if dimension.name == HIDDEN else dimension.name
        found.append(Parameter(name, dimension.kind, domain, levels))
    return found


class Recorder:
    """Keeps what happens in a journal, and begins a search where that ends.

    Parameters
    ----------
    path : str or path-like
        The journal; begun if it is not there.
    header : Header
        Of the search.
    space : Space
        What is searched.

    Attributes
    ----------
    n_asked : int
        How many jobs the journal has.
    begun : list of Unfinished
        Those that are not done, after `take_up`.
    n_known : int
        How many fits need not be done again, after `take_up`.

    Raises
    ------
    JournalError
        As `JournalWriter.open`.
    """

    def __init__(self, path: str | os.PathLike[str], header: Header, space: Space) -> None:
        self._space = space
        self._writer = JournalWriter.open(path, header, may_grow=_MAY_GROW)
        self._journal: Journal | None = self._writer.journal
        journal = self._journal
        self._grown = bool(raised(journal.header, header, _MAY_GROW))
        self._known: dict[tuple[Any, ...], FoldResult] = {}
        self._warned = False
        self.begun: list[Unfinished] = []
        self.n_known = sum(isinstance(record, Value) for record in journal.current)
        self.n_asked = sum(isinstance(record, Ask) for record in journal.records)

    def take_up(
        self,
        scheduler: Scheduler,
        evaluator: CrossValidation,
        told: Callable[[Job, Outcome], object] | None,
    ) -> bool:
        """Bring a new scheduler and evaluator to where the journal ends.

        A search with raised settings may ask in another order. It must then begin anew, with
        another scheduler and evaluator, and runs only what is not `known`. Who stops the
        search is `told` of what there is, and so counts as if it had never been away.

        Returns
        -------
        taken : bool
            Whether they are there; False if the search must begin anew.

        Raises
        ------
        JournalError
            If the search asks for something else than the journal says, though nothing
            differs from it.
        """
        assert self._journal is not None
        self._check_params(self._journal)
        begun = go_on(scheduler, evaluator, _events(self._journal), told)
        if begun is not None:
            self.begun = begun
        elif not self._grown:
            raise JournalError(
                f"The search asks for other candidates than those of the journal"
                f" {self._journal.path}, with the same arguments: that was written by another"
                " version of sk_hpo, numpy or scipy, or warm_start_from has changed. Give"
                " another path, and this one as warm_start_from."
            )
        else:
            self._folds = evaluator.folds
            self._known = _known(self._journal, evaluator.folds)
            self.n_known = len(self._known)
            self._append(Restart())
        self._journal = None  # it may be large
        return begun is not None

    def note(self, event: Asked | Came) -> None:
        """Keep an event."""
        if isinstance(event, Asked):
            params = self._digest(event.job)
            self._append(Ask(event.number, event.job, event.reason, params))
        else:
            self._append(Value(event.number, event.part, to_json(event.value)))

    def known(self, job: Job) -> Mapping[int, FoldResult]:
        """Return the results of folds that were brought to the same resource before."""
        if not self._known:
            return {}
        keys = [_key(job, fold) for fold in self._folds(job)]
        return {part: self._known[key] for part, key in enumerate(keys) if key in self._known}

    def end(self, why: str | None) -> None:
        """Keep why the search ended, None if it was done; give the file free."""
        self._append(Stop(why or "done"))
        self.close()

    def close(self) -> None:
        """Give the file free."""
        try:
            self._writer.close()
        except JournalWriteError as error:
            warnings.warn(
                f"{error} What is missing will be trained again if the search goes on.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _digest(self, job: Job) -> str:
        """Return a digest of what a space that is a function makes of a config."""
        if not self._space.by_run:
            return ""
        told = repr(described(self._space.params(job.config)))
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    def _check_params(self, journal: Journal) -> None:
        """Raise JournalError if the function makes something else of a config by now."""
        if not self._space.by_run:
            return
        for ask in journal.asks:
            if ask.params != self._digest(ask.job):
                raise JournalError(
                    f"Candidate {ask.job.trial} of the journal {journal.path} had other"
                    f" parameters than {self._space.params(ask.job.config)}, which the function"
                    " makes of it now: something that it relies on has changed. Give another"
                    " path."
                )

    def _append(self, record: Record) -> None:
        """Write a record; a disk that takes no more does not end the search."""
        try:
            self._writer.append(record)
        except JournalWriteError as error:
            if not self._warned:
                warnings.warn(f"{error} The search goes on.", RuntimeWarning, stacklevel=2)
            self._warned = True


def _events(journal: Journal) -> list[Asked | Came]:
    events: list[Asked | Came] = []
    for record in journal.current:
        if isinstance(record, Ask):
            events.append(Asked(record.number, record.job, record.reason))
        elif isinstance(record, Value):
            events.append(Came(record.number, record.part, _result(record)))
    return events


def _known(
    journal: Journal, folds: Callable[[Job], Sequence[int]]
) -> dict[tuple[Any, ...], FoldResult]:
    """Return the results of all folds that were ever trained, whatever was asked for."""
    jobs: dict[int, Job] = {}
    found = {}
    for record in journal.records:
        if isinstance(record, Ask):
            jobs[record.number] = record.job
        elif isinstance(record, Value):
            job = jobs[record.number]
            found[_key(job, folds(job)[record.part])] = _result(record)
    return found


def _result(record: Value) -> FoldResult:
    try:
        return from_json(dict(record.value))
    except (ValueError, TypeError, KeyError) as error:
        raise JournalError(
            f"The journal tells of a result that is none (part {record.part} of job"
            f" {record.number}): {error}. It was written by another version of sk_hpo, or by"
            " something else. Give another path."
        ) from error


def _key(job: Job, fold: int) -> tuple[Any, ...]:
    return job.trial, job.config, job.stop, fold
