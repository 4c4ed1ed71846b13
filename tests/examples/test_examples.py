"""The examples run, on little data and a small budget."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def digits(tmp_path):
    X, y = load_digits(return_X_y=True)
    path = tmp_path / "digits.npz"
    np.savez(path, X=X.astype(np.uint8), y=y)
    return path


def test_fashion_mnist_mlp(digits, monkeypatch, capsys):
    arguments = ["--data", str(digits), "--rows", "300", "--epochs", "3", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", ["fashion_mnist_mlp.py", *arguments])
    runpy.run_path(str(EXAMPLES / "fashion_mnist_mlp.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "(digits.npz): 240 rows to train and validate (3 folds), 60 to test" in printed
    lines = printed.splitlines()
    # 3 candidates to 1 epoch, one of them to 3, and 2 at once to 3: 3 + 2 + 6, on 3 folds.
    [hyperband] = [line for line in lines if line.startswith("HalvingHyperbandSearchCV  ")]
    assert hyperband.split()[2:4] == ["5", "33"]
    [bayes] = [line for line in lines if line.startswith("BayesSearchCV  ")]
    assert bayes.split()[2:4] == ["4", "36"]
    assert "n_resources" in printed
