"""Whatever is in a file: it is refused with `JournalError`, or read up to the damage."""

from __future__ import annotations

import ast
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal.strategies import HEADER, asks_and_values, counts, json, records, written

from sk_hpo.journal import journal as module
from sk_hpo.journal.error import JournalError
from sk_hpo.journal.journal import Journal, journal_of
from sk_hpo.journal.line import line
from sk_hpo.journal.records import Restart, Stop, content_of, kind_of
from sk_hpo.journal.writer import JournalWriter

PACKAGE = Path(module.__file__).parent


def example() -> tuple[bytes, tuple]:
    with tempfile.TemporaryDirectory() as folder:
        data = written(Path(folder, "j"), 4)
        return data, Journal.read(Path(folder, "j")).records


DATA, RECORDS = example()
LINES = DATA.splitlines(keepends=True)


@st.composite
def edited(draw):
    """Return the journal after some edits: bytes put in, taken out, altered or moved."""
    data = bytearray(DATA)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([1, 200])))))
        kind = draw(st.sampled_from(["alter", "insert", "delete", "copy", "cut", "zero"]))
        if kind == "alter":
            data[start:stop] = draw(st.binary(min_size=stop - start, max_size=stop - start))
        elif kind == "insert":
            data[start:start] = draw(st.binary(max_size=30) | st.sampled_from(LINES))
        elif kind == "delete":
            del data[start:stop]
        elif kind == "copy":
            data[start:start] = data[start:stop]
        elif kind == "zero":
            data[start:stop] = bytes(stop - start)
        else:
            del data[start:]
    return bytes(data)


@settings(max_examples=500)
@given(edited() | st.binary(max_size=300))
def test_edited_bytes(data):
    try:
        found, lines = journal_of(data, "j")
    except JournalError:
        return
    assert found is None or found.records == RECORDS[: len(found.records)]
    assert lines.end + lines.torn == len(data)
    assert data[: lines.end] == DATA[: lines.end]


@settings(max_examples=100)
@given(edited())
def test_edited_files_are_continued_or_left_alone(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j")
        path.touch(mode=0o600)
        path.write_bytes(data)
        try:
            journal = JournalWriter.open(path, HEADER)
        except JournalError:
            assert path.read_bytes() == data
            return
        n = len(journal.journal.records)
        assert journal.journal.records == (RECORDS[:n] if n > 1 else (HEADER,))
        journal.append(Stop("done"))
        journal.close()
        assert Journal.read(path).stopped_by == "done"
        assert os.listdir(folder) == ["j"]


@st.composite
def plausible(draw):
    """Return lines that are whole, numbered, and hold anything."""
    header = line(0, "header", content_of(HEADER))
    lines = [draw(st.just(header) | st.just(line(0, "header", draw(json))))]
    contents = [(kind_of(r), content_of(r)) for r in asks_and_values(3)]
    for n in range(1, draw(st.integers(1, 6))):
        kind, content = draw(st.sampled_from(contents))
        content = dict(content)
        for name in draw(st.lists(st.sampled_from(sorted(content)), max_size=2)):
            content[name] = draw(counts | json)
        any_kind = st.sampled_from(["header", "run", "raised", "ask", "value", "stop", "x"])
        if draw(st.booleans()):
            kind, content = draw(any_kind), draw(json)
        lines.append(line(n, kind, content))
    return b"".join(lines)


@settings(max_examples=500)
@given(
    plausible()
    | st.lists(records).map(
        lambda found: b"".join(line(n, kind_of(r), content_of(r)) for n, r in enumerate(found))
    )
)
def test_lines_that_somebody_forged(data):
    try:
        found, _ = journal_of(data, "j")
    except JournalError:
        return
    if found is not None:
        shown = found.to_frame()
        assert len(shown) == len({(ask.job.trial, ask.job.rung) for ask in found.asks})
        assert len(found.trials) == len({ask.job.trial for ask in found.asks})


@settings(max_examples=300)
@given(st.lists(st.sampled_from(RECORDS[2:]) | records, max_size=8), json)
def test_values_of_any_kind_are_shown(more, scores):
    value = {"test_scores": scores, "fit_time": scores, "error": scores, "score_errors": scores}
    found = [HEADER, *asks_and_values(1)[:1], *more]
    data = [line(n, kind_of(r), content_of(r)) for n, r in enumerate(found)]
    data.append(line(len(data), "value", {"job": 0, "part": 1, "value": value}))
    try:
        journal, _ = journal_of(b"".join(data), "j")
    except JournalError:
        return
    assert journal is not None
    known = {ask.job.trial for ask in journal.asks}
    assert set(journal.to_frame()["trial"]) == known
    assert {trial.id for trial in journal.trials} == known
    assert 0 in known or any(isinstance(record, Restart) for record in more)


RUNS_CODE = {
    *("pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"),
    *("eval", "exec", "compile", "__import__", "importlib", "runpy", "subprocess", "ctypes"),
    *("numpy.load", "read_pickle", "allow_pickle", "getattr_static", "literal_eval"),
}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_nothing_here_can_run_what_it_reads(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0], *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Name):
            names = {node.id}
        elif isinstance(node, ast.Attribute):
            names = {node.attr} - {"compile"}  # of a regular expression
        elif isinstance(node, ast.keyword):
            names = {node.arg}
        else:
            continue
        assert not names & RUNS_CODE
