from __future__ import annotations

import os
import pickle
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from journal.strategies import HEADER, asks_and_values, written

from sk_hpo.journal.error import JournalError
from sk_hpo.journal.journal import Journal, read_header
from sk_hpo.journal.records import Raised, Run, Stop
from sk_hpo.journal.writer import JournalWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.journal"


def without_runs(records):
    return [record for record in records if not isinstance(record, Run)]


def test_what_was_written_is_read(path):
    records = asks_and_values(5)
    with JournalWriter.open(path, HEADER) as journal:
        for record in records:
            journal.append(record)
        journal.append(Stop("done"))
    found = Journal.read(path)
    assert without_runs(found.records) == [HEADER, *records, Stop("done")]
    assert found.header == HEADER
    assert found.stopped_by == "done"


def test_a_new_journal_is_for_its_user_alone(path):
    old = os.umask(0)
    try:
        JournalWriter.open(path, HEADER).close()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_record_is_in_the_file_when_append_returns(path):
    journal = JournalWriter.open(path, HEADER, sync_every=float("inf"))
    for n, record in enumerate(asks_and_values(3), start=1):
        journal.append(record)
        assert len(without_runs(Journal.read(path).records)) == 1 + n
    journal.close()


def test_a_search_that_goes_on_gets_what_was_written(path):
    written(path, 3)
    with JournalWriter.open(path, HEADER) as journal:
        assert without_runs(journal.journal.records) == [HEADER, *asks_and_values(3)]
        journal.append(Stop("done"))
    found = Journal.read(path)
    assert [run.pid for run in found.runs] == [os.getpid()] * 2
    assert found.stopped_by == "done"


def test_a_new_journal_holds_no_jobs(path):
    with JournalWriter.open(path, HEADER) as journal:
        assert journal.journal.records == (HEADER,)


@pytest.mark.parametrize("content", [b"", b'{"n":0,"hea', b'{"n":0,"header":{"format":1,"se'])
def test_a_journal_that_was_hardly_begun_is_begun_again(path, content):
    path.touch(mode=0o600)
    path.write_bytes(content)
    assert read_header(path) is None
    with pytest.raises(JournalError, match="is empty"):
        Journal.read(path)
    with JournalWriter.open(path, HEADER) as journal:
        journal.append(*asks_and_values(1))
    assert without_runs(Journal.read(path).records) == [HEADER, *asks_and_values(1)]


def test_a_last_record_torn_at_every_byte_of_the_last_two_costs_no_other(path):
    data = written(path, 3)
    lines = data.splitlines(keepends=True)
    for length in range(len(data) - len(lines[-1]) - len(lines[-2]), len(data)):
        path.write_bytes(data[:length])
        n_whole = len(data[:length].splitlines(keepends=True))
        n_whole -= not data[:length].endswith(b"\n")
        read = Journal.read(path)
        assert path.stat().st_size == length  # reading changes nothing
        with JournalWriter.open(path, HEADER) as journal:
            assert journal.journal.records == read.records
            assert len(read.records) == n_whole
            journal.append(Stop("done"))
        kept = path.read_bytes()
        assert kept.startswith(b"".join(lines[:n_whole]))
        assert Journal.read(path).records[:n_whole] == read.records
        assert Journal.read(path).stopped_by == "done"


def test_two_cannot_write_at_once(path):
    with JournalWriter.open(path, HEADER):
        with pytest.raises(JournalError, match=f"in use by process {os.getpid()} on "):
            JournalWriter.open(path, HEADER)
        Journal.read(path)  # reading is free
    JournalWriter.open(path, HEADER).close()


def test_a_journal_of_another_search_is_refused_and_left_alone(path):
    data = written(path, 1) + b'{"n":99,"to'
    path.write_bytes(data)
    other = replace(HEADER, seed=4, settings={"n_iter": 1, "data": {"X": "float64 (8, 2) ff"}})
    with pytest.raises(JournalError) as caught:
        JournalWriter.open(path, other)
    message = str(caught.value)
    assert "seed: 3 in the journal, 4 now" in message
    assert "n_iter: 2 in the journal, 1 now (it may only grow)" in message
    assert "data.X: 'float64 (9, 2) 0f' in the journal, 'float64 (8, 2) ff' now" in message
    assert path.read_bytes() == data


def test_a_setting_that_may_grow_is_recorded(path):
    written(path, 1)
    more = replace(HEADER, settings={**HEADER.settings, "n_iter": 7})
    JournalWriter.open(path, more).close()
    found = Journal.read(path)
    assert Raised({"n_iter": 7}) in found.records
    assert found.header == more
    assert found.records[0] == HEADER
    assert read_header(path) == more
    with pytest.raises(JournalError, match="n_iter: 7 in the journal, 2 now"):
        JournalWriter.open(path, HEADER)
    with pytest.raises(JournalError, match="n_iter"):
        JournalWriter.open(path, replace(more, settings={"n_iter": 9}), may_grow=())


def test_what_is_not_json_is_not_written(path):
    with JournalWriter.open(path, HEADER) as journal:
        before = path.read_bytes()
        with pytest.raises(TypeError, match="cannot be written to a journal"):
            journal.append(Stop("first"), Stop(object()))  # type: ignore[arg-type]
        assert path.read_bytes() == before
        journal.append(Stop("second"))
    assert Journal.read(path).stopped_by == "second"


def test_a_closed_journal_is_closed(path):
    journal = JournalWriter.open(path, HEADER)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="is closed: open it again"):
        journal.append(Stop("done"))


def test_an_open_journal_is_not_pickled(path):
    with (
        JournalWriter.open(path, HEADER) as journal,
        pytest.raises(TypeError, match="cannot be pickled"),
    ):
        pickle.dumps(journal)


def test_a_journal_that_nobody_holds_any_more_is_free(path):
    journal = JournalWriter.open(path, HEADER)
    del journal
    JournalWriter.open(path, HEADER).close()


@pytest.mark.parametrize(("sync_every", "expected"), [(0.0, 8), (1.0, 2), (float("inf"), 1)])
def test_the_disk_is_waited_for_as_often_as_asked(path, monkeypatch, sync_every, expected):
    synced = []
    now = [0.0]
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append(stat.S_ISREG(os.fstat(fd).st_mode))
    )
    journal = JournalWriter.open(path, HEADER, sync_every=sync_every, clock=lambda: now[0])
    for record in asks_and_values(3)[:7]:
        now[0] += 0.25
        journal.append(record)
    assert sum(synced) == expected
    journal.close()
    assert sum(synced) == expected + bool(sync_every)  # before it is given free


class TestPaths:
    @pytest.mark.parametrize("read", [Journal.read, lambda p: JournalWriter.open(p, HEADER)])
    def test_a_folder(self, tmp_path, read):
        with pytest.raises(JournalError, match="is a folder: give the path of a file"):
            read(tmp_path)

    @pytest.mark.parametrize("read", [Journal.read, lambda p: JournalWriter.open(p, HEADER)])
    def test_a_missing_folder(self, tmp_path, read):
        with pytest.raises(JournalError, match="no such file or folder: make the folder first"):
            read(tmp_path / "missing" / "search.journal")

    @pytest.mark.parametrize("read", [Journal.read, lambda p: JournalWriter.open(p, HEADER)])
    def test_a_file_in_place_of_a_folder(self, tmp_path, read):
        (tmp_path / "file").touch()
        with pytest.raises(JournalError, match="a part of the path is not a folder"):
            read(tmp_path / "file" / "search.journal")

    @pytest.mark.parametrize("name", ["", "a\0b"])
    @pytest.mark.parametrize("read", [Journal.read, lambda p: JournalWriter.open(p, HEADER)])
    def test_no_path(self, name, read):
        with pytest.raises(JournalError, match="cannot be used"):
            read(name)

    def test_a_file_that_is_no_journal(self, path):
        path.write_text("my thesis\n")
        path.chmod(0o600)
        with pytest.raises(JournalError, match="is not a journal: it begins with b'my thesis"):
            JournalWriter.open(path, HEADER)
        assert path.read_text() == "my thesis\n"

    @pytest.mark.parametrize("read", [Journal.read, lambda p: JournalWriter.open(p, HEADER)])
    def test_a_device_and_a_pipe(self, path, read):
        os.mkfifo(path, 0o600)
        for name in ("/dev/zero", path):
            with pytest.raises(JournalError, match="is not a file: give the path of one"):
                read(name)

    @pytest.mark.parametrize("mode", [0o602, 0o620])
    def test_a_journal_that_others_may_write(self, path, mode):
        written(path, 1)
        path.chmod(mode)
        with pytest.raises(JournalError, match="chmod go-w"):
            JournalWriter.open(path, HEADER)

    def test_a_journal_of_another_user(self, path, monkeypatch):
        written(path, 1)
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        with pytest.raises(JournalError, match=f"belongs to user {me}, not to you"):
            JournalWriter.open(path, HEADER)

    def test_no_permission(self, path, monkeypatch):
        def refused(*args):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refused)
        with pytest.raises(JournalError, match="you have no permission: chmod it"):
            JournalWriter.open(path, HEADER)

    def test_a_link_to_a_journal_is_followed(self, path, tmp_path):
        written(path, 2)
        link = tmp_path / "link"
        link.symlink_to(path)
        with JournalWriter.open(link, HEADER) as journal:
            assert len(journal.journal.asks) == 2

    def test_there_is_no_header_where_there_is_no_file(self, path):
        assert read_header(Path(path)) is None
