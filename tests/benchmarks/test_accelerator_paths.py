"""The list of paths says how nets were trained, and sees it when they differ."""

from __future__ import annotations

import itertools
from contextlib import redirect_stdout
from io import StringIO

import accelerator_paths
import numpy as np
import pytest
import torch
import torch_cv
from accelerator_paths import Case, Plain, cases, cases_of_optimizers, make_net
from torch import nn

from sk_hpo.evaluation.fused.optimizers import KNOWN

ROWS, EPOCHS = 100, 1
X, y = (part[:ROWS] for part in torch_cv.digits())


@pytest.fixture(scope="module")
def tables():
    """What is printed of nets, of insisting, and of optimizers: name -> words behind it."""
    with redirect_stdout(StringIO()) as printed:
        accelerator_paths.main(["--rows", str(ROWS), "--epochs", str(EPOCHS)])
    return [by_name(text) for text in printed.getvalue().split("\n\n")[1:]]


def by_name(text):
    """Return the rows below a head."""
    return {line[:20].strip(): line[20:].split() for line in text.splitlines()[1:]}


def test_all_nets_are_what_they_are_alone(tables):
    nets, _, optimizers = tables
    assert len(nets) == 10
    assert [row[1:4] for row in nets.values()] == [["9", "yes", "yes"]] * 10
    heads, *rows = optimizers.values()
    assert heads == ["scores", "weights"] * 2
    assert rows == [["yes"] * 4] * 4


@pytest.mark.parametrize("name", ["BatchNorm", "two inputs", "multi-output", "class weights"])
def test_nets_that_are_trained_together(tables, name):
    nets, insisting, _ = tables
    assert nets[name] == ["together", "9", "yes", "yes"]
    assert insisting[name] == ["trained"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LSTM", "LSTM keeps a list of weights of its own"),
        ("custom train_step", "NoisyTraining overrides train_step"),
        ("gradient clipping", "its callback 'clipping' acts on every batch"),
        ("tied weights", "its module ties weights"),
    ],
)
def test_nets_that_fall_back(tables, name, reason):
    nets, insisting, _ = tables
    assert nets[name][0] == "loader"
    assert " ".join(nets[name][4:]) == reason
    assert insisting[name][0] == "RuntimeError:"
    assert " ".join(insisting[name]).endswith(f": {reason}.")


def test_each_net_is_built_as_its_name_says():
    built = {case.name: case.net.initialize() for case in cases(ROWS, EPOCHS)}
    for name, kind in {
        "BatchNorm": nn.BatchNorm1d,
        "LSTM": nn.LSTM,
        "conv": nn.Conv2d,
        "transformer layer": nn.TransformerEncoderLayer,
    }.items():
        assert any(isinstance(part, kind) for part in built[name].module_.modules())
    tied = built["tied weights"].module_
    assert len(list(tied.parameters())) < len(
        list(tied.named_parameters(remove_duplicate=False))
    )
    halves = {"upper": torch.zeros(2, 32), "lower": torch.zeros(2, 32)}
    assert built["two inputs"].module_(**halves).shape == (2, 10)
    assert [part.shape for part in built["multi-output"].module_(torch.zeros(2, 64))] == [
        (2, 10),
        (2, 2),
    ]
    assert built["class weights"].criterion_.weight.shape == (10,)


class Drawn(Plain):
    """Begins with other weights each time that one is built."""

    count = itertools.count()

    def __init__(self):
        super().__init__()
        nn.init.constant_(self[0].bias, float(next(self.count)))


def test_other_weights_are_seen(capsys):
    net = Case("drawn", make_net(Drawn, EPOCHS), X, y)
    accelerator_paths.print_nets([net])
    assert by_name(capsys.readouterr().out)["drawn"][3] == "NO"
    accelerator_paths.print_optimizers([net])
    assert by_name(capsys.readouterr().out.strip())["drawn"][1::2] == ["NO", "NO"]


def test_every_optimizer_is_in_one_of_the_tables():
    added = [case.net.optimizer for case in cases_of_optimizers(ROWS, EPOCHS)]
    elsewhere = {kind for kind, _ in torch_cv.OPTIMIZERS.values()}
    assert sorted(map(str, [*added, *elsewhere])) == sorted(map(str, KNOWN))


@pytest.mark.parametrize("path", accelerator_paths.PATHS)
def test_optimizers_take_the_path_of_their_column(path):
    for case in cases_of_optimizers(ROWS, EPOCHS):
        (way,) = accelerator_paths.search(
            case, accelerator_paths.PATHS[path]
        ).accelerator_report_
        assert (way["path"], way["n_fits"]) == (path, 9)


def test_the_accuracy_is_that_of_the_first_output():
    class Knows:
        def predict_proba(self, X):
            return np.eye(3)[X]

    classes = np.array([0, 2, 1, 1])
    said = np.array([0, 2, 1, 0])
    for y_true in (classes, np.stack([classes, 1 - classes], axis=1)):
        assert accelerator_paths.accuracy(Knows(), said, y_true) == 0.75
