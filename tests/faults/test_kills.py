"""A search that is killed again and again ends as one that was left in peace."""

from __future__ import annotations

import pytest
from faults.runs import Run, same, survive, undisturbed


def report(capsys, name, tally):
    with capsys.disabled():
        print(f"\n{name}: {tally}", end=" ")


def test_fifty_kills(tmp_path, capsys):
    tally = survive("random", tmp_path, 50)
    report(capsys, "random", tally)
    assert tally.kills == 50
    assert tally.recomputed <= tally.kills


@pytest.mark.parametrize("case", ["bayes", "epochs", "bohb", "asha", "net"])
def test_every_search(tmp_path, capsys, case):
    tally = survive(case, tmp_path, 6)
    report(capsys, case, tally)
    assert tally.recomputed <= tally.kills == 6


@pytest.mark.parametrize("case", ["random", "net"])
def test_two_workers(tmp_path, capsys, case):
    """Every other kill leaves the workers to what they do, beside those of the next run."""
    tally = survive(case, tmp_path, 6, workers=2, in_flight=4)
    report(capsys, f"{case}, 2 workers", tally)
    assert tally.kills == 6
    assert tally.recomputed <= 4 * 6


def test_nets_that_train_together(tmp_path, capsys):
    """A call is many fits then, which are all lost with it."""
    tally = survive("net", tmp_path, 6, accelerator="auto", in_flight=None)
    report(capsys, "nets together", tally)
    assert tally.kills == 6


def test_workers_of_the_search_itself(tmp_path):
    """loky workers are new processes, which outlive a driver that is killed."""
    params = {"n_iter": 20}
    with Run("random", tmp_path, {"n_jobs": 2, **params}) as run:
        assert run.wait_for_marks(5)
    with Run("random", tmp_path, {"n_jobs": 2, **params}) as run:
        found = run.end()
    same(found, undisturbed("random", tmp_path / "undisturbed", params))
