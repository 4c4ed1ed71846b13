"""The CSV of results survives whatever killed the process that wrote it."""

from __future__ import annotations

import numpy as np
import pytest
from efficiency.results import Evaluation, Key, Run, append, finished, read
from hypothesis import given
from hypothesis import strategies as st

KEY = Key("random", "branin~noisy", 3, 1)
OTHER = Key("sobol", "hartmann3", 0, 4)


def evaluations(n: int, offset: float = 0.0) -> list[Evaluation]:
    return [Evaluation(offset + i, offset + 2 * i, 0.25, 0.125) for i in range(n)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.csv"


def test_runs_are_read_as_they_were_written(path):
    append(path, OTHER, "synthetic", evaluations(2))
    append(path, KEY, "synthetic~noisy", evaluations(3, offset=0.5))
    first, second = read([path])
    assert (first.key, first.suite) == (KEY, "synthetic~noisy")
    assert (second.key, second.suite) == (OTHER, "synthetic")
    assert first.observed.tolist() == [0.5, 1.5, 2.5]
    assert first.true.tolist() == [0.5, 2.5, 4.5]
    assert first.seconds.tolist() == [0.375] * 3


def test_the_file_is_a_table_with_one_head(path):
    append(path, KEY, "synthetic~noisy", evaluations(1))
    append(path, OTHER, "synthetic", evaluations(1))
    assert path.read_text().splitlines() == [
        "opt,task,suite,seed,batch,i,y,true,t_ask,t_tell",
        "random,branin~noisy,synthetic~noisy,3,1,0,0,0,0.25000,0.12500",
        "sobol,hartmann3,synthetic,0,4,0,0,0,0.25000,0.12500",
    ]


def test_several_files_are_one(path, tmp_path):
    append(path, KEY, "s", evaluations(2))
    append(tmp_path / "more.csv", OTHER, "s", evaluations(2))
    assert [run.key for run in read([path, tmp_path / "more.csv"])] == [KEY, OTHER]


def test_a_run_is_finished_when_it_has_the_budget(path):
    append(path, KEY, "s", evaluations(5))
    assert finished(path, 5) == finished(path, 4) == {KEY}
    assert finished(path, 6) == set()


def test_without_a_file_nothing_is_finished(path):
    assert finished(path, 1) == set()


@given(st.data())
def test_wherever_the_file_was_torn_the_rest_counts_and_a_new_run_mends_it(
    tmp_path_factory, data
):
    path = tmp_path_factory.mktemp("torn") / "results.csv"
    append(path, OTHER, "s", evaluations(2))
    whole = path.read_bytes()
    append(path, KEY, "s", evaluations(4))
    text = path.read_bytes()
    cut = data.draw(st.integers(len(whole), len(text) - 1))
    path.write_bytes(text[:cut])
    complete_rows = text[:cut].count(b"\n") - whole.count(b"\n")

    assert finished(path, 2) == {OTHER} | ({KEY} if complete_rows >= 2 else set())
    assert finished(path, 4) == set()
    append(path, KEY, "s", evaluations(4, offset=100.0))
    mended = {run.key: run for run in read([path])}
    assert mended[OTHER].observed.tolist() == [0, 1]
    assert mended[KEY].observed.tolist() == [100, 101, 102, 103]


@pytest.mark.parametrize(
    "line",
    ["random,branin,s,3,1,0,1.0,1.0,0.1", "random,branin,s,3,1,zero,1,1,1,1", ",,,,", ""],
)
def test_lines_that_are_no_rows_are_skipped(path, line):
    append(path, KEY, "s", evaluations(1))
    path.write_text(f"{path.read_text()}{line}\n")
    append(path, OTHER, "s", evaluations(1))
    assert [run.key for run in read([path])] == [KEY, OTHER]


def test_a_run_with_a_gap_ends_before_it(path):
    append(path, KEY, "s", evaluations(5))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3] + lines[4:]))
    [run] = read([path])
    assert run.observed.tolist() == [0, 1]


def test_the_incumbent_has_the_best_observed_value_and_is_judged_by_the_true_one():
    observed = np.array([3.0, 2.0, 2.5, 2.0, 1.0])
    true = np.array([3.0, 2.2, 2.1, 0.5, 4.0])
    run = Run(KEY, "s", observed, true, np.zeros(5))
    # The fourth is observed no better than the second, so the second stays.
    assert run.incumbent().tolist() == [3.0, 2.2, 2.2, 2.2, 4.0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_the_incumbent_is_the_first_of_the_lowest(values):
    observed = np.array(values, float)
    run = Run(KEY, "s", observed, np.arange(len(values), dtype=float), observed)
    expected = [np.argmin(observed[: n + 1]) for n in range(len(values))]
    assert run.incumbent().tolist() == expected
