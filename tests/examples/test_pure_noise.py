"""On pure noise the best score deceives, and no other does; on little of it."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "pure_noise.py"
LINE = re.compile(r"(.+?) +(\d\.\d+) \((\d\.\d+) to (\d\.\d+)\), chance is (within|without)")


def test_pure_noise(monkeypatch, capsys, tmp_path):
    picture = tmp_path / "picture.png"
    arguments = ["--rows", "100", "--test", "40", "--candidates", "30"]
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *arguments, "--figure", str(picture)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "30 candidates on 100 rows of noise, 40 to test"
    scores = {name: rest for name, *rest in (LINE.fullmatch(line).groups() for line in lines)}
    assert list(scores) == ["best_score_", "corrected_score_", "test_score_", "nested score"]
    for estimate, low, high, where in scores.values():
        assert float(low) < float(estimate) < float(high)
        assert where == ("within" if float(low) <= 0.5 <= float(high) else "without")
    assert [where for *_, where in scores.values()] == ["without", "within", "within", "within"]
    assert picture.stat().st_size > 0


def test_interval_of_an_accuracy():
    """That of Wilson (1927): where the score test does not reject."""
    score = runpy.run_path(str(EXAMPLE))["share"]("best", 0.6, 200)
    for end in score.interval:
        assert abs(0.6 - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / 200))
