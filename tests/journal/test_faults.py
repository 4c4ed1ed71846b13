"""Full disks, interrupts, killed processes: the file always ends with a whole record."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from journal.strategies import HEADER, asks_and_values, written

from sk_hpo.journal.error import JournalError, JournalWriteError
from sk_hpo.journal.journal import Journal
from sk_hpo.journal.records import Run, Stop
from sk_hpo.journal.writer import JournalWriter

TESTS = Path(__file__).parents[1]
NEVER = float("inf")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.journal"


def jobs_and_values(path):
    return [r for r in Journal.read(path).records[1:] if not isinstance(r, Run)]


class Disk:
    """A disk of so many bytes that writes by halves, and then is full."""

    def __init__(self, monkeypatch, room, cut=True, error=errno.ENOSPC):
        self.room = room
        self._pwrite, self._truncate = os.pwrite, os.ftruncate
        self._cut, self._error = cut, error
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "ftruncate", self.ftruncate)

    def pwrite(self, fd, data, offset):
        n = min(len(data), self.room - offset, max(1, len(data) // 2))
        if n <= 0:
            raise OSError(self._error, os.strerror(self._error))
        return self._pwrite(fd, data[:n], offset)

    def ftruncate(self, fd, length):
        if not self._cut:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._truncate(fd, length)


@pytest.mark.parametrize("cut", [True, False])
def test_a_full_disk_at_every_byte_of_two_records(path, monkeypatch, cut):
    records = asks_and_values(4)
    before = written(path, 0)
    end = len(written(path.with_suffix(".long"), 1))
    for room in range(len(before), end):
        with monkeypatch.context() as patch:
            path.write_bytes(before)
            disk = Disk(patch, len(before) + 100_000, cut=True)
            journal = JournalWriter.open(path, HEADER, sync_every=NEVER)
            disk.room, disk._cut = path.stat().st_size + room - len(before), cut
            n_told = 0
            for n, record in enumerate(records, start=1):
                try:
                    journal.append(record)
                except JournalWriteError:
                    n_told += 1
                    assert journal.n_missing > 0
                found = jobs_and_values(path)  # never a corrupted record
                assert found == records[: n - journal.n_missing]
            assert n_told > 0
            disk.room += 100_000  # somebody made room
            disk._cut = True
            journal.append(Stop("done"))
            assert journal.n_missing == 0
            journal.close()
            assert jobs_and_values(path) == [*records, Stop("done")]


def test_a_disk_that_stays_full_is_told_when_the_journal_is_closed(path, monkeypatch):
    journal = JournalWriter.open(path, HEADER)
    disk = Disk(monkeypatch, path.stat().st_size)
    for record in asks_and_values(1):
        with pytest.raises(
            JournalWriteError, match=r"No space left on device.*wait in memory\. Make room"
        ):
            journal.append(record)
    with pytest.raises(JournalWriteError, match=r"3 record\(s\)"):
        journal.close()
    disk.room = 10**6
    with JournalWriter.open(path, HEADER) as again:  # it was given free all the same
        assert again.journal.asks == []


def test_the_error_of_a_search_is_not_hidden_by_that_of_its_journal(path, monkeypatch):
    def search():
        with JournalWriter.open(path, HEADER) as journal:
            Disk(monkeypatch, path.stat().st_size)
            with pytest.raises(JournalWriteError):
                journal.append(Stop("done"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search()


@pytest.mark.parametrize("room", [0, 1, 40, 200])
def test_a_disk_that_is_full_from_the_start(path, monkeypatch, room):
    disk = Disk(monkeypatch, room)
    with pytest.raises(JournalWriteError, match="No space left"):
        JournalWriter.open(path, HEADER)
    assert path.stat().st_size == 0
    disk.room = 10**6
    JournalWriter.open(path, HEADER).close()


def test_a_disk_that_fails_to_keep_what_it_took(path, monkeypatch):
    journal = JournalWriter.open(path, HEADER, sync_every=0)

    def failed(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failed)
        with pytest.raises(JournalWriteError, match="Input/output error"):
            journal.append(Stop("first"))
    journal.append(Stop("second"))
    journal.close()
    assert jobs_and_values(path) == [Stop("first"), Stop("second")]


@pytest.mark.parametrize("change", ["delete", "shorten"])
def test_a_file_that_somebody_spoils_while_it_is_open(path, change):
    journal = JournalWriter.open(path, HEADER)
    if change == "delete":
        path.unlink()
    else:
        os.truncate(path, 10)
    with pytest.raises(JournalWriteError, match=f"the file was {change}"):
        journal.append(Stop("done"))
    with pytest.raises(JournalWriteError):
        journal.close()


class Interrupt(BaseException):
    """As `KeyboardInterrupt`, which may come between any two instructions."""


def test_an_interrupt_between_any_two_lines_of_code_does_no_harm(path):
    records = asks_and_values(2)
    before = sys.gettrace()  # of who measures what tests cover
    for instant in range(1000):
        path.unlink(missing_ok=True)
        journal = JournalWriter.open(path, HEADER, sync_every=NEVER)
        journal.append(records[0])
        left = [instant]

        def trace(frame, event, argument, left=left):
            if not frame.f_code.co_filename.endswith("writer.py"):
                return None
            if event == "line":
                left[0] -= 1
                if left[0] < 0:
                    sys.settrace(None)
                    raise Interrupt
            return trace

        sys.settrace(trace)
        try:
            journal.append(records[1])
        except Interrupt:
            pass
        finally:
            sys.settrace(before)
        journal.append(records[2])
        journal.close()
        found = jobs_and_values(path)
        assert found in (records[:3], [records[0], records[2]])
        if left[0] >= 0:
            assert instant > 20
            return
    pytest.fail("append never came to its end")


def run(code, *args, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path + [str(TESTS)])},
        **options,
    )


HOLD = """
import os, sys, time
from journal.strategies import HEADER
from sk_hpo.journal.writer import JournalWriter
journal = JournalWriter.open(sys.argv[1], HEADER)
if sys.argv[2] == "fork" and not os.fork():
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(600)
os.write(1, b"held\\n")
time.sleep(600)
"""


def test_another_process_is_kept_out_until_the_first_is_killed(path):
    process = run(HOLD, path, "alone")
    with process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(JournalError, match=f"in use by process {process.pid} on "):
                JournalWriter.open(path, HEADER)
            Journal.read(path)
        finally:
            process.kill()
    JournalWriter.open(path, HEADER).close()


def test_a_forked_child_of_a_killed_process_does_not_hold_the_journal(path):
    process = run(HOLD, path, "fork")
    with process:
        try:
            said = {process.stdout.readline().strip(), process.stdout.readline().strip()}
        finally:
            process.kill()
        (child,) = map(int, said - {"held"})
        try:
            process.wait()
            JournalWriter.open(path, HEADER).close()
        finally:
            os.kill(child, signal.SIGKILL)


KILLS = """
import os, signal, sys
from random import Random
from journal.strategies import HEADER, asks_and_values
from sk_hpo.journal.journal import Journal
from sk_hpo.journal.records import Run
from sk_hpo.journal.writer import JournalWriter

RECORDS = asks_and_values(20_000)

def write(path, said):
    journal = JournalWriter.open(path, HEADER, sync_every=float("inf"))
    done = len(journal.journal.records) - 1 - len(journal.journal.runs)
    for record in RECORDS[done:]:
        journal.append(record)
        done += 1
        os.write(said, b"%d\\n" % done)  # it has returned

random = Random(0)
n = 0
for kill in range(50):
    reader, said = os.pipe()
    child = os.fork()
    if not child:
        write(sys.argv[1], said)
        os._exit(1)
    os.close(said)
    with open(reader) as lines:
        heard = [lines.readline() for _ in range(random.randrange(1, 300))]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        returned = int((heard + lines.readlines())[-1])
    found = [r for r in Journal.read(sys.argv[1]).records[1:] if not isinstance(r, Run)]
    assert found == RECORDS[: len(found)]
    assert n < returned <= len(found) <= returned + 1, (n, returned, len(found))
    n = len(found)
print(n)
"""


def test_what_a_process_has_appended_is_there_after_fifty_kills(path):
    process = run(KILLS, path)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert int(said) >= 50


LIMITED = """
import resource, sys
from journal.strategies import HEADER, asks_and_values
from sk_hpo.journal.error import JournalWriteError
from sk_hpo.journal.writer import JournalWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
journal = JournalWriter.open(sys.argv[1], HEADER)
for record in asks_and_values(100):
    try:
        journal.append(record)
    except JournalWriteError as error:
        print(error, flush=True)
        break
"""


@pytest.mark.parametrize("limit", [2000, 2011, 2099])
def test_a_quota(path, limit):
    process = run(LIMITED, path, limit)
    assert "File too large" in process.communicate()[0]
    assert process.returncode == 0
    found = jobs_and_values(path)
    assert found == asks_and_values(100)[: len(found)]
    assert len(found) > 5
    assert path.read_bytes().endswith(b"}\n")
    with JournalWriter.open(path, HEADER) as journal:
        journal.append(*asks_and_values(100)[len(found) :])
    assert jobs_and_values(path) == asks_and_values(100)
