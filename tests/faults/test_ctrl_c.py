"""Ctrl-C to a real process: once it ends well, twice at once; and the journal goes on."""

from __future__ import annotations

import os
import signal

import pytest
from faults.cheap import REFIT, marks
from faults.runs import Run, same, undisturbed

from sk_hpo import Journal


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_once_and_again(tmp_path, n_jobs):
    params = {"n_jobs": n_jobs}
    with Run("slow", tmp_path, params) as run:
        assert run.wait_for_marks(4)
        os.kill(run.process.pid, signal.SIGINT)
        found = run.end()
    assert "error" not in found
    assert found["stopped_by"] == "interrupt"
    assert any("was interrupted: the best of the" in text for text in found["warnings"])
    assert any("Call fit again to go on" in text for text in found["warnings"])
    new = marks(run.log)
    assert [entry[1] for entry in new].count(REFIT) == 1
    assert new[-1][1] == REFIT  # nothing goes on behind it
    n_known = len(found["results"]["params"])
    assert 1 <= n_known < 5
    journal = Journal.read(tmp_path / "journal")
    assert journal.stopped_by == "interrupt"
    assert len(journal.trials) >= n_known

    with Run("slow", tmp_path, params) as run:  # twice
        assert run.wait_for_marks(1)
        os.kill(run.process.pid, signal.SIGINT)
        while not any(entry[1] == REFIT for entry in marks(run.log)[run.n_before :]):
            run.process.join(0.01)
            assert run.process.exitcode is None
        os.kill(run.process.pid, signal.SIGINT)
        found = run.end()
    assert found["error"].startswith("KeyboardInterrupt")
    Journal.read(tmp_path / "journal")

    with Run("slow", tmp_path, params) as run:
        found = run.end()
    same(found, undisturbed("slow", tmp_path / "undisturbed", {}))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_before_the_first_result(tmp_path, n_jobs):
    with Run("slow", tmp_path, {"n_jobs": n_jobs, "cv": 5}) as run:
        assert run.wait_for_marks(1)
        os.kill(run.process.pid, signal.SIGINT)
        found = run.end()
    assert "before its first candidate had a result" in found["error"]
    assert Journal.read(tmp_path / "journal").stopped_by == "interrupt"
