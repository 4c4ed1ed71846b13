"""What selection adds to a score, and that the corrections take it off, on known truths."""

from __future__ import annotations

import runpy
import sys

import numpy as np
import pytest
from selection_bias import METHODS, N_CANDIDATES, N_ROWS, WORLDS, simulate


@pytest.mark.parametrize("name", WORLDS)
def test_candidates_are_as_accurate_as_said_and_as_alike(name):
    rng = np.random.RandomState(0)
    drawn = [WORLDS[name].draw(rng) for _ in range(20)]
    for truth, right in drawn:
        assert right.shape == (N_ROWS, N_CANDIDATES)
        assert truth.shape == (N_CANDIDATES,)
    excess = np.concatenate([right.mean(axis=0) - truth for truth, right in drawn])
    share = WORLDS[name].alike
    # Candidates that are alike err together: fewer than 2,000 independent errors.
    assert abs(excess.mean()) < 0.002 + 0.02 * share
    agreement = np.mean([np.corrcoef(right.T).mean() for _, right in drawn])
    assert agreement == pytest.approx(0.01, abs=0.01) if share == 0 else agreement > 0.2


def test_the_best_of_a_hundred_on_two_hundred_rows():
    found = simulate(WORLDS["around 0.6, wide"], "bbc_cv", repetitions=500)
    assert 1.5 < found.naive < 2.5
    assert abs(found.corrected) < 1
    assert 0.90 <= found.coverage <= 0.98


@pytest.mark.parametrize("name", ["around 0.8", "around 0.8, alike", "nearly equal"])
def test_other_candidates_are_corrected_too(name):
    found = simulate(WORLDS[name], "bbc_cv", repetitions=200)
    assert found.naive > 1.3
    assert abs(found.corrected) < 1
    assert found.coverage >= 0.95


def test_the_scores_of_few_folds_correct_and_those_of_many_overdo_it():
    few, many = (
        simulate(WORLDS["around 0.6, wide"], f"tibshirani, {n} folds", repetitions=300)
        for n in (5, 10)
    )
    assert -few.naive < few.corrected < 0
    assert many.corrected < -many.naive
    assert min(few.coverage, many.coverage) >= 0.95


def test_the_script_prints_a_line_for_each(benchmarks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["selection_bias.py", "--repetitions", "2"])
    runpy.run_path(str(benchmarks / "selection_bias.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "200 rows, 2 repetitions" in printed
    for name in WORLDS:
        assert printed.count(f"\n{name:20}") == len(METHODS)
