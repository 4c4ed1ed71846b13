"""The benchmark of cross-validated nets compares what it says it compares."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch_cv
from scipy.stats import uniform
from sklearn.datasets import load_iris
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.tree import DecisionTreeClassifier
from torch_cv import Comparison, Ladder, Spent


def test_it_runs_and_writes_what_it_printed(tmp_path, capsys):
    file = tmp_path / "out.json"
    options = ("--repeats", "1", "--epochs", "1", "--max-epochs", "3", "--json", str(file))
    torch_cv.main([*options, "--only", "fit,hyperband"])
    printed = capsys.readouterr().out
    fit, hyperband = json.loads(file.read_text())["rows"]
    assert fit["target"] == 1.0
    assert fit["ratio"] == fit["theirs"][0]["wall"] / fit["ours"][0]["wall"]
    assert f"{fit['ratio']:9.2f}" in printed
    ours, theirs = hyperband["ours"][0]["said"], hyperband["theirs"][0]["said"]
    # Candidates at 1 and 3 epochs: 3 and 1, then 2; scikit-learn trains the one anew.
    assert theirs["epochs"] - ours["epochs"] == 3
    assert min(ours["test"], theirs["test"]) > 0.3


def test_rows_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(SystemExit):
        torch_cv.main(["--only", "fit,nothing", "--json", str(tmp_path / "out.json")])


def test_a_ratio_is_their_time_by_ours_repeat_by_repeat():
    ours = [Spent(1.0, 2.0, None), Spent(2.0, 2.0, None)]
    theirs = [Spent(6.0, 6.0, None), Spent(8.0, 8.0, None)]
    row = Comparison("name", 5.0, ours, theirs)
    assert row.ratios() == [4.0, 6.0]
    assert row.ratios("cpu") == [3.0, 4.0]
    assert row.line().split()[-1] == "met"


def test_both_sides_take_turns():
    turns = []

    def ours(i):
        turns.append(("ours", i))
        return {}

    torch_cv.compare("", 1.0, ours, lambda i: turns.append(i), 2)
    assert turns == [("ours", 0), 0, ("ours", 1), 1]


def test_nets_have_the_same_digest_only_with_the_same_weights():
    X, y = torch_cv.digits()
    net = torch_cv.make_net(epochs=1, module__hidden=(3,)).fit(X[:64], y[:64])
    before = torch_cv.digest(net, X, y)
    assert torch_cv.digest(net, X, y) == before
    bias = net.module_.layers[0].bias.data
    bias[0] = float(np.nextafter(np.float32(bias[0]), np.float32(2)))
    assert torch_cv.digest(net, X, y) != before


def test_candidates_of_a_ladder_are_those_that_sklearn_draws(monkeypatch):
    space = {"min_impurity_decrease": uniform(0, 0.5), "max_depth": [1, 2, 3]}
    monkeypatch.setattr(torch_cv, "HALVING_SPACE", space)
    search = HalvingRandomSearchCV(
        DecisionTreeClassifier(), space, n_candidates=7, min_resources=30, random_state=5
    ).fit(*load_iris(return_X_y=True))
    first = search.cv_results_["iter"] == 0
    drawn = [
        p for p, is_first in zip(search.cv_results_["params"], first, strict=True) if is_first
    ]
    assert Ladder(7, 30, 5).candidates() == drawn


def test_images_are_digits_enlarged():
    images, labels = torch_cv.images(rows=20)
    X, y = torch_cv.digits()
    assert images.shape == (20, 1, 28, 28)
    assert images.dtype == np.float32
    assert (labels == y[:20]).all()
    np.testing.assert_array_equal(images[:, 0, 3:26:3, 3:26:3].reshape(20, 64), X[:20])
