"""Row visits are counted as they were, and no test row is visited before the look."""

from __future__ import annotations

import sys

import pytest
import row_visits
from contracts.recording import write
from row_visits import Visits, count, main


def test_visits_are_counted_on_both_sides_of_the_look(tmp_path):
    log = tmp_path / "log"
    for method, rows in [
        ("fit", [0, 1, 2, 3]),
        ("predict", [4, 8, 5]),  # 8 is a test row
        ("fit", [0, 1, 2, 3, 4, 5, 6]),
        ("transform", [7, 8, 9]),
        ("predict", [7, 8, 9]),
    ]:
        write(log, method=method, rows=rows)
    seen = count(log, [7, 8, 9], n_steps=2)
    assert seen == Visits(searches=1, calls=5, all=20, before=1, looking=6)
    assert seen + Visits(1, 2, 3, 0, 3) == Visits(2, 7, 23, 1, 9)


@pytest.fixture
def printed(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["row_visits.py", *arguments])
        main()
        return [line.rsplit(maxsplit=5) for line in capsys.readouterr().out.splitlines()]

    return call


def test_no_test_row_is_visited_before_the_look(printed):
    _, *lines, total = printed("--kinds", "random", "epochs", "--jobs", "1")
    assert [line[0].strip() for line in lines] == [
        "plain, n_jobs=1",
        "pipeline, n_jobs=1",
        "stopping, n_jobs=1",
    ]
    assert [int(line[1]) for line in lines] == [2, 2, 1]  # no epochs with early stopping
    assert [int(line[4]) for line in lines] == [0, 0, 0]
    # 18 test rows for each search, and twice in a pipeline.
    assert [int(line[5]) for line in lines] == [36, 72, 18]
    for column in range(1, 6):
        assert int(total[column]) == sum(int(line[column]) for line in lines)


def test_a_visit_before_the_look_is_an_error(printed, monkeypatch):
    leaky = Visits(searches=1, calls=2, all=9, before=3, looking=3)
    monkeypatch.setattr(row_visits, "run", lambda kind, shape, n_jobs: leaky)
    with pytest.raises(SystemExit, match="visited 6 times before the look"):
        printed("--kinds", "random", "--shapes", "plain", "--jobs", "1", "2")
