"""The simulated searches, on next to nothing."""

from __future__ import annotations

import json
import runpy

import numpy as np
import pytest


@pytest.fixture
def script(benchmarks):
    return runpy.run_path(str(benchmarks / "asynchronous.py"))


def test_fit_times_are_log_normal_with_sigma_1(script):
    logs = np.log(script["TIMES"])
    assert np.mean(logs) == pytest.approx(0, abs=0.02)
    assert np.std(logs) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("times", ["by_fit", "by_resource"])
@pytest.mark.parametrize("name", ["ASHA", "asynchronous Hyperband"])
def test_nobody_waits_until_the_last_trial_has_begun(script, name, times):
    row = script["utilisation"](name, script[times], 300, workers=20)
    assert row.trials >= 300
    assert row.begun == pytest.approx(1.0)
    assert 0 < row.whole < 1


def test_a_bracket_that_waits_is_seen(script):
    row = script["utilisation"]("Hyperband, sampler learns", script["by_fit"], 300, workers=20)
    assert row.begun < 0.5


@pytest.mark.parametrize("name", ["random search", "ASHA", "asynchronous Hyperband"])
def test_growth_counts_every_trial(script, name):
    row = script["growth"](name, 300, workers=50)
    assert row.trials >= 300
    assert min(row.seconds, row.microseconds) > 0


def test_it_prints_and_writes(script, capsys, tmp_path):
    script["main"](["--trials", "100", "--growth", "", "--json", str(tmp_path / "r.json")])
    rows = json.loads((tmp_path / "r.json").read_text())["utilisation"]
    assert len(rows) == 2 * len(script["UTILISATION"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in script["UTILISATION"])
