from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_hpo.validation.alarm import Alarm
from sk_hpo.validation.fingerprint import Fingerprint
from sk_hpo.validation.leakage import fit_alarms
from sk_hpo.validation.row_hashes import row_hashes
from sk_hpo.validation.watching import evaluation_set_alarms, watching_alarms

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler  # noqa: E402
from skorch.dataset import Dataset, ValidSplit  # noqa: E402
from skorch.helper import predefined_split  # noqa: E402

X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
Y = np.arange(100) % 2
ROWS = Fingerprint.of(X)
SCORED = np.ones(100, bool)
DATASETS = {
    "skorch": Dataset(X[:30], Y[:30]),
    "tensors": torch.utils.data.TensorDataset(torch.tensor(X[:30]), torch.tensor(Y[:30])),
    "subset": torch.utils.data.Subset(Dataset(X, Y), list(range(30))),
    "subset of subset": torch.utils.data.Subset(
        torch.utils.data.Subset(Dataset(torch.tensor(X), Y), list(range(60))), range(30)
    ),
}
MESSAGE = (
    "30 rows in the dataset of train_split=predefined_split(dataset), by which the callbacks"
    " of NeuralNetClassifier choose its epochs, are also validation rows: they score what"
    " suits them. Use train_split=ValidSplit(...), which carves its rows from the training"
    " rows of each split."
)


def net(dataset, callbacks):
    split = dataset if isinstance(dataset, ValidSplit) else predefined_split(dataset)
    return skorch.NeuralNetClassifier(torch.nn.Linear, train_split=split, callbacks=callbacks)


@pytest.mark.parametrize("kind", DATASETS)
def test_early_stopping_that_watches_rows_that_score(kind):
    alarms = watching_alarms(ROWS, net(DATASETS[kind], [EarlyStopping()]), SCORED)
    assert alarms == [Alarm("early_stopping", 30, MESSAGE)]


def test_a_net_in_a_pipeline_and_only_rows_that_are_scored_count():
    pipeline = make_pipeline(FunctionTransformer(), net(DATASETS["skorch"], [EarlyStopping()]))
    splits = [(np.arange(20, 100), np.arange(20))]
    alarms = fit_alarms(ROWS, X, Y, splits, estimator=pipeline, held_out="test")
    assert [a.n_rows for a in alarms] == [20]
    assert "are also test rows" in alarms[0].message


@pytest.mark.parametrize(
    ("callbacks", "n_alarms"),
    [
        ([("stop", EarlyStopping())], 1),
        ([EarlyStopping], 1),
        ([EarlyStopping(monitor="train_loss")], 0),
        ([Checkpoint(load_best=True)], 1),
        ([Checkpoint()], 0),
        ([LRScheduler(torch.optim.lr_scheduler.ReduceLROnPlateau, monitor="valid_loss")], 1),
        ([LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1)], 0),
        ([EpochScoring("accuracy")], 0),
        ([], 0),
        (None, 0),
        ("disable", 0),
    ],
)
def test_only_callbacks_that_act_on_validation_count(callbacks, n_alarms):
    assert len(watching_alarms(ROWS, net(DATASETS["skorch"], callbacks), SCORED)) == n_alarms


class Unread(torch.utils.data.Dataset):
    """Has no table of rows, and must not be gone through."""

    def __getitem__(self, i):
        raise AssertionError

    def __len__(self):
        return 30


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset(X[:30] + 1, Y[:30]),
        ValidSplit(5),
        Unread(),
        torch.utils.data.Subset(Unread(), [0, 1]),
        Dataset({"a": np.zeros(2), "b": np.zeros(3)}, length=2),
    ],
    ids=["other rows", "ValidSplit", "no table", "subset of no table", "unreadable"],
)
def test_what_watches_no_row_of_x_gives_no_alarm(dataset):
    assert watching_alarms(ROWS, net(dataset, [EarlyStopping()]), SCORED) == []


@pytest.mark.parametrize("estimator", [None, HistGradientBoostingClassifier(), EarlyStopping])
def test_estimators_without_a_net_give_no_alarm(estimator):
    assert watching_alarms(ROWS, estimator, SCORED) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eval_set", [(X[:30], Y[:30])]),
        ("eval_set", [(X + 1, Y), (X[:30], Y[:30])]),
        ("eval_set", (X[:30], Y[:30])),
        ("model__eval_set", [(X[:30], Y[:30])]),
        ("eval_X", X[:30]),
        ("X_val", pd.DataFrame(X[:30])),
        ("X_valid", X[:30]),
        ("validation_data", (X[:30], Y[:30])),
    ],
)
def test_an_evaluation_set_of_rows_that_score(name, value):
    message = (
        f"30 rows in {name} are also validation rows: an estimator that stops early by them"
        " is scored on what it was fitted to. Pass rows that are not in X, or let the"
        " estimator carve its own from the training rows of each split."
    )
    alarms = fit_alarms(ROWS, X, Y, KFold(5).split(X), fit_params={name: value})
    assert alarms == [Alarm("early_stopping", 30, message)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eval_set", None),
        ("eval_set", []),
        ("eval_set", [(X, Y), (X + 1, Y)]),
        ("X_val", X + 1),
        ("X_val", object()),
        ("X", X),
        ("sample_weight", X[:, 0]),
    ],
)
def test_other_arguments_of_fit_give_no_alarm(name, value):
    assert evaluation_set_alarms(ROWS, {name: value}, SCORED) == []


def test_rows_of_a_coarse_table_are_not_taken_for_those_that_score():
    coarse = np.random.default_rng(0).integers(0, 3, (200, 3))
    new = np.random.default_rng(1).integers(0, 3, (200, 3))
    rows = Fingerprint.of(coarse)
    assert np.isin(row_hashes(new), rows.hashes).sum() > 150
    assert evaluation_set_alarms(rows, {"X_val": new}, np.ones(200, bool)) == []
