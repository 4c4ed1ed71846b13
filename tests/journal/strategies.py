"""What a journal may hold, for hypothesis; and a small journal on disk."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hypothesis import strategies as st

from sk_hpo.journal.records import (
    Ask,
    Header,
    Parameter,
    Raised,
    Record,
    Restart,
    Run,
    Stop,
    Value,
)
from sk_hpo.journal.writer import JournalWriter
from sk_hpo.trial import Job, Origin, Reason

texts = st.text(st.characters(), max_size=20)  # lone surrogates too
integers = st.integers() | st.integers(-(10**400), 10**400)
scalars = st.none() | st.booleans() | integers | st.floats() | texts
json = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.sampled_from(["$float", "$dict"]), inner, max_size=4)
    ),
    max_leaves=20,
)
settings = st.dictionaries(texts, json, max_size=4)
counts = st.integers(0, 10**12)
codes = st.none() | integers.filter(lambda i: abs(i) < 10**300) | st.floats()
jobs = st.builds(
    Job,
    trial=counts,
    config=st.lists(codes, max_size=5).map(tuple),
    start=counts,
    stop=counts,
    bracket=counts,
    rung=counts,
    resumable=st.booleans(),
    folds=st.none() | st.lists(counts, max_size=4).map(tuple),
)
reasons = st.builds(
    Reason,
    origin=st.sampled_from(get_args(Origin)),
    acquisition=st.floats(),
    mean=st.floats(),
    sd=st.floats(),
)
parameters = st.builds(
    Parameter,
    name=texts,
    kind=texts,
    domain=texts,
    values=st.none() | st.lists(scalars, max_size=4).map(tuple),
)
headers = st.builds(
    Header,
    seed=integers,
    settings=settings,
    parameters=st.lists(parameters, max_size=3).map(tuple),
    n_splits=st.integers(1, 10**7),
    metric=texts,
    resource=st.none() | texts,
    version=texts,
)
records: st.SearchStrategy[Record] = st.one_of(
    headers,
    st.builds(Run, pid=counts, host=texts, time=st.floats()),
    st.builds(Raised, settings=settings),
    st.builds(Ask, number=counts, job=jobs, reason=reasons),
    st.builds(Value, number=counts, part=counts, value=settings),
    st.builds(Stop, why=texts),
    st.just(Restart()),
)

HEADER = Header(
    seed=3,
    settings={"n_iter": 2, "data": {"X": "float64 (9, 2) 0f"}},
    parameters=(Parameter("C", "real", "uniform(0, 1)"),),
    n_splits=2,
)


def asks_and_values(n_jobs: int) -> list[Record]:
    """Return what a search of two folds writes."""
    found: list[Record] = []
    for job in range(n_jobs):
        found.append(Ask(job, Job(job, (job / 7,), 0, 1), Reason("model", 0.1, 0.2, 0.3)))
        found += [Value(job, part, {"test_scores": job / 3 + part}) for part in range(2)]
    return found


def written(path: Path, n_jobs: int) -> bytes:
    """Write a journal; return its bytes."""
    with JournalWriter.open(path, HEADER) as journal:
        journal.append(*asks_and_values(n_jobs))
    return path.read_bytes()
