from __future__ import annotations

import json

import pytest

from sk_hpo.journal.error import JournalError
from sk_hpo.journal.line import FIRST, line, read_lines

HEADER = line(0, "header", {"format": 1})
LINES = [HEADER, *(line(n, "stop", {"why": f"reason {n}"}) for n in range(1, 5))]


def test_a_line_is_json_with_a_newline():
    found = json.loads(LINES[2])
    assert list(found) == ["n", "stop", "crc32"]
    assert LINES[2].endswith(b"}\n")
    assert HEADER.startswith(FIRST)


def test_lines_are_read_in_order():
    data = b"".join(LINES)
    found = read_lines(data, "j")
    assert [content.get("why") for _, content in found.contents[1:]] == [
        f"reason {n}" for n in range(1, 5)
    ]
    assert (found.end, found.torn) == (len(data), 0)


@pytest.mark.parametrize("n_whole", [1, 3, 4])
def test_an_end_that_was_cut_short_is_left_out(n_whole):
    whole = b"".join(LINES[:n_whole])
    for length in range(len(LINES[n_whole])):
        found = read_lines(whole + LINES[n_whole][:length], "j")
        assert (len(found.contents), found.end, found.torn) == (n_whole, len(whole), length)


def test_any_one_bit_of_the_last_record_that_changed_leaves_it_out():
    whole = b"".join(LINES[:-1])
    for i in range(len(LINES[-1])):
        for bit in range(8):
            last = bytearray(LINES[-1])
            last[i] ^= 1 << bit
            found = read_lines(whole + bytes(last), "j")
            assert (len(found.contents), found.end) == (len(LINES) - 1, len(whole))


def test_any_one_bit_that_changed_before_the_last_record_is_refused():
    start, stop = len(HEADER), len(b"".join(LINES[:-1])) - 1  # the newline joins two lines
    for i in range(start, stop):
        data = bytearray(b"".join(LINES))
        data[i] ^= 1
        with pytest.raises(JournalError, match=r"Line [234] of j is damaged.*head -n [123]"):
            read_lines(bytes(data), "j")


@pytest.mark.parametrize(
    "order", [[0, 2, 3, 4], [0, 1, 1, 2], [0, 1, 3, 2, 4], [0, 1, 2, 4], [0, 0, 1]]
)
def test_a_line_that_is_missing_or_was_moved_is_refused(order):
    with pytest.raises(JournalError, match="lines are missing or were moved"):
        read_lines(b"".join(LINES[i] for i in order), "j")


def test_zeros_after_a_loss_of_power_are_an_end_cut_short():
    data = b"".join(LINES[:3])
    found = read_lines(data + bytes(4096), "j")
    assert (len(found.contents), found.torn) == (3, 4096)


@pytest.mark.parametrize("length", [0, 1, 10, len(FIRST), len(FIRST) + 2, len(HEADER) - 1])
def test_a_journal_whose_header_was_cut_short_is_empty(length):
    assert read_lines(HEADER[:length], "j").contents == []


@pytest.mark.parametrize("text", [b"hello", b"\n", b"{}\n", b"\0" * 9, b"PK\3\4", LINES[1]])
def test_what_is_no_journal_is_refused(text):
    with pytest.raises(JournalError, match="j is not a journal: it begins with"):
        read_lines(text, "j")


def test_a_damaged_header_is_refused():
    data = bytearray(b"".join(LINES))
    data[len(FIRST)] ^= 1
    with pytest.raises(JournalError, match="The first line of j is damaged"):
        read_lines(bytes(data), "j")


def test_line_endings_of_another_system_are_refused():
    with pytest.raises(JournalError, match="first line of j is damaged"):
        read_lines(b"".join(LINES).replace(b"\n", b"\r\n"), "j")
