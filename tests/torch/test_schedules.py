"""The oracles are torch's own schedulers, and formulas written out by hand."""

from __future__ import annotations

import math
import pickle
import re

import numpy as np
import pytest
import torch
from contracts.resource import Run
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, LRScheduler
from torch import nn
from torch.optim import lr_scheduler

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV, Space
from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.skorch import SkorchEpochs
from sk_hpo.torch import MLP, Schedule, schedule_space, without_conditions
from sk_hpo.torch.schedules import KINDS

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
y = (X[:, 0] > 0).astype(np.int64)
LR = 0.2


class Watch(Callback):
    """Records with what each epoch begins."""

    def on_epoch_begin(self, net, **kwargs):
        (group,) = net.optimizer_.param_groups
        net.history.record("lr", group["lr"])
        net.history.record("momentum", group.get("momentum", group.get("betas", [None])[0]))


def net(**params):
    params = {
        "module__n_features": 4,
        "module__n_outputs": 2,
        "module__hidden_units": 4,
        "module__dropout": 0.2,
        "callbacks": [("schedule", Schedule()), ("watch", Watch())],
        "lr": LR,
        "max_epochs": 9,
        "batch_size": 16,
        "verbose": 0,
    } | params
    return NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss, **params)


def of_torch(cls, n_epochs, momentum=0.95, optimizer=torch.optim.SGD, **params):
    """Return the learning rate and the momentum of every epoch, by a scheduler of torch."""
    optimizer = optimizer([torch.ones(1, requires_grad=True)], lr=LR, momentum=momentum)
    scheduler = cls(optimizer, **params)
    rows = []
    for _ in range(n_epochs):
        (group,) = optimizer.param_groups
        rows.append((group["lr"], group["momentum"]))
        optimizer.step()
        scheduler.step()
    return np.array(rows).T


# --- formulas


@pytest.mark.parametrize("n", [2, 3, 9, 10, 81])
@pytest.mark.parametrize("final", [0.3, 0.01, 1e-4])
def test_decays(n, final):
    last = n - 1
    expected = {
        "exponential": of_torch(lr_scheduler.ExponentialLR, n, gamma=final ** (1 / last))[0],
        "cosine": of_torch(lr_scheduler.CosineAnnealingLR, n, T_max=last, eta_min=final * LR)[
            0
        ],
        "power": [LR / (1 + t / (last * final / (1 - final))) for t in range(n)],
        "constant": [LR] * n,
    }
    for kind, lrs in expected.items():
        np.testing.assert_allclose(
            Schedule(kind, final=final).simulate(n, LR), lrs, rtol=1e-9, err_msg=kind
        )


@pytest.mark.parametrize(
    ("n", "n_drops", "milestones"),
    [(9, 1, [4]), (9, 3, [2, 4, 6]), (10, 2, [3, 6]), (10, 3, [3, 5, 7]), (2, 1, [1])],
)
def test_piecewise(n, n_drops, milestones):
    expected, _ = of_torch(
        lr_scheduler.MultiStepLR, n, milestones=milestones, gamma=0.01 ** (1 / n_drops)
    )
    schedule = Schedule("piecewise", final=0.01, n_drops=n_drops)
    np.testing.assert_allclose(schedule.simulate(n, LR), expected, rtol=1e-9)


@pytest.mark.parametrize("n", range(5, 40))
@pytest.mark.parametrize("n_drops", [1, 2, 3, 4])
def test_pieces_are_equally_long(n, n_drops):
    lrs = Schedule("piecewise", n_drops=n_drops).simulate(n, LR).round(12).tolist()
    lengths = [lrs.count(lr) for lr in sorted(set(lrs), reverse=True)]
    assert len(lengths) == n_drops + 1
    assert max(lengths) - min(lengths) <= 1 + (n_drops > 1)
    assert lrs == sorted(lrs, reverse=True)


@pytest.mark.parametrize("n", [2, 9, 10, 81])
@pytest.mark.parametrize(("peak", "start", "final"), [(0.3, 0.1, 0.01), (0.5, 0.04, 1e-4)])
def test_one_cycle_is_that_of_torch(n, peak, start, final):
    expected, momentum = of_torch(
        lr_scheduler.OneCycleLR,
        n,
        max_lr=LR,
        total_steps=n,
        pct_start=(peak * (n - 1) + 1) / n,  # torch's first phase ends at pct_start n - 1
        div_factor=1 / start,
        final_div_factor=start / final,
        base_momentum=0.85,
        max_momentum=0.95,
    )
    schedule = Schedule("1cycle", start=start, peak=peak, final=final)
    np.testing.assert_allclose(schedule.simulate(n, LR), expected, rtol=1e-9)
    fitted = net(
        callbacks=[("schedule", schedule), ("watch", Watch())],
        optimizer__momentum=0.95,
        max_epochs=n,
    ).fit(X, y)
    np.testing.assert_allclose(fitted.history[:, "lr"], expected, rtol=1e-9)
    np.testing.assert_allclose(fitted.history[:, "momentum"], momentum, rtol=1e-9)


@pytest.mark.parametrize(("n", "peak", "epochs"), [(11, 0.3, 3), (21, 0.5, 10)])
def test_warmup_is_linear(n, peak, epochs):
    expected, _ = of_torch(
        lr_scheduler.LinearLR, n, start_factor=0.2, end_factor=1.0, total_iters=epochs
    )
    schedule = Schedule("warmup", start=0.2, peak=peak)
    np.testing.assert_allclose(schedule.simulate(n, LR), expected, rtol=1e-9)


def test_no_warmup():
    assert Schedule("warmup", peak=0.0).simulate(3, LR).tolist() == [LR] * 3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "performance"])
def test_the_highest_is_the_nets_own_and_the_budget_may_be_overrun(kind):
    schedule = Schedule(kind, max_epochs=11)
    lrs = schedule.simulate(15, LR)
    assert lrs.max() == pytest.approx(LR, rel=1e-6)
    assert lrs[10:].tolist() == [lrs[10]] * 5
    assert Schedule(kind, max_epochs=1).simulate(2, LR).tolist() == [LR, LR]


def test_performance_is_a_plateau():
    losses = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.5, 1.4, 1.3, 1.2]
    schedule = Schedule("performance", factor=0.5, patience=0.2)  # 2 of 10 epochs
    expected = [LR] * 5 + [LR / 2] * 4 + [LR / 4]
    assert schedule.simulate(10, LR, losses).tolist() == pytest.approx(expected)


# --- in a net


def fitted(kind, **params):
    torch.manual_seed(0)
    return clone(net(**params)).set_params(callbacks__schedule__kind=kind).fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_follows_it(kind):
    history = fitted(kind, callbacks__schedule__patience=0.0, lr=3.0).history
    losses = history[:, "valid_loss"]
    expected = Schedule(kind, patience=0.0).simulate(9, 3.0, losses)
    assert history[:, "lr"] == expected.tolist()
    assert history[:, "event_lr"] == expected.tolist()
    assert (len(set(expected)) > 1) == (kind != "constant")


def test_constant_changes_nothing():
    plain = net(callbacks=[("watch", Watch())])
    torch.manual_seed(0)
    plain.fit(X, y)
    scheduled = fitted("constant")
    assert plain.history[:, "train_loss"] == scheduled.history[:, "train_loss"]


@pytest.mark.parametrize(
    ("optimizer", "params", "own"),
    [
        (torch.optim.SGD, {"optimizer__momentum": 0.8}, 0.8),
        (torch.optim.SGD, {"optimizer__momentum": 0.8, "optimizer__nesterov": True}, 0.8),
        (torch.optim.Adam, {}, 0.9),
        (torch.optim.NAdam, {"optimizer__betas": (0.5, 0.99)}, 0.5),
    ],
)
def test_momentum_goes_down_while_the_learning_rate_goes_up(optimizer, params, own):
    trained = fitted("1cycle", optimizer=optimizer, callbacks__schedule__peak=0.25, **params)
    momentum = trained.history[:, "momentum"]
    assert momentum[0] == pytest.approx(own)
    assert momentum[2] == min(momentum) == pytest.approx(own * 0.85 / 0.95)
    assert momentum[-1] == pytest.approx(own)
    assert np.argmax(trained.history[:, "lr"]) == 2
    if "optimizer__betas" in params:
        assert trained.optimizer_.param_groups[0]["betas"][1] == 0.99
    fixed = fitted("1cycle", optimizer=optimizer, callbacks__schedule__cycle_momentum=False)
    assert len(set(fixed.history[:, "momentum"])) == 1


@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad", "RMSprop"])
def test_without_momentum_there_is_none_to_cycle(optimizer):
    trained = fitted("1cycle", optimizer=getattr(torch.optim, optimizer))
    assert not any(trained.history[:, "momentum"])
    (group,) = trained.optimizer_.param_groups
    assert ("momentum" in group) == (optimizer != "Adagrad")
    assert len(set(trained.history[:, "lr"])) > 5


def test_performance_without_validation_rows_looks_at_training():
    trained = fitted("performance", train_split=None, callbacks__schedule__patience=0, lr=9.0)
    losses = trained.history[:, "train_loss"]
    expected = Schedule("performance", patience=0).simulate(9, 9.0, losses)
    assert trained.history[:, "lr"] == expected.tolist()
    assert len(set(expected)) > 1


def test_performance_by_another_column():
    trained = fitted("performance", callbacks__schedule__monitor="epoch")
    assert trained.history[-1, "lr"] == pytest.approx(LR * 0.3**3)  # after 3, 5 and 7


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "performance"])
def test_training_that_is_begun_again_goes_on(kind):
    expected = fitted(kind, optimizer__momentum=0.9)
    trained = net(callbacks__schedule__kind=kind, optimizer__momentum=0.9)
    for _ in range(3):
        trained.partial_fit(X, y, epochs=3)
    assert trained.history[:, "lr"] == expected.history[:, "lr"]
    assert trained.history[:, "momentum"] == expected.history[:, "momentum"]


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"kind": "cosin"}, "kind must be one of .*, got 'cosin'"),
        ({"start": 0}, "start of a Schedule cannot be 0"),
        ({"peak": 1.0}, "peak of a Schedule cannot be 1.0"),
        ({"final": 2}, "final of a Schedule cannot be 2"),
        ({"n_drops": 0}, "n_drops of a Schedule cannot be 0"),
        ({"factor": 1}, "factor of a Schedule cannot be 1"),
        ({"patience": -1}, "patience of a Schedule cannot be -1"),
        ({"max_epochs": 0}, "max_epochs of a Schedule cannot be 0"),
    ],
)
def test_impossible_parameters(params, complaint):
    with pytest.raises(ValueError, match=complaint):
        net(callbacks=[Schedule(**params)]).fit(X, y)


def test_it_is_a_citizen_of_scikit_learn():
    schedule = Schedule("1cycle", peak=0.2, max_epochs=27)
    assert isinstance(schedule, LRScheduler)
    for copy in (clone(schedule), pickle.loads(pickle.dumps(schedule))):
        assert copy.get_params() == schedule.get_params()
    assert schedule.get_params()["peak"] == 0.2
    trained = fitted("1cycle", optimizer__momentum=0.9)
    again = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(again.predict_proba(X), trained.predict_proba(X))


def test_the_class_will_do():
    trained = net(callbacks=[("schedule", Schedule)], callbacks__schedule__kind="cosine")
    trained.fit(X, y)
    expected = Schedule("cosine").simulate(9, LR)
    assert trained.history[:, "event_lr"] == expected.tolist()


# --- paused


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pause_leaves_no_trace(kind, optimizer):
    params = {"optimizer": getattr(torch.optim, optimizer), "callbacks__schedule__kind": kind}
    if optimizer == "SGD":
        params |= {"optimizer__momentum": 0.9, "callbacks__schedule__patience": 0.0, "lr": 2.0}
    else:
        params |= {"lr": 0.01}
    torch.manual_seed(3)
    expected = net(**params).fit(X, y)
    run = Run(SkorchEpochs(), net(**params, max_epochs=4), TrainingData(X, y), 9, seed=3)
    for to in (1, 3, 9):
        run.advance(to).pause()
    trained = run.finish()
    for column in ("lr", "momentum", "event_lr", "train_loss", "valid_loss"):
        assert trained.history[:, column] == expected.history[:, column], column
    for name, weights in expected.module_.state_dict().items():
        assert torch.equal(trained.module_.state_dict()[name], weights)
    (group,), (stock,) = (n.optimizer_.param_groups for n in (trained, expected))
    assert {k: v for k, v in group.items() if k != "params"} == {
        k: v for k, v in stock.items() if k != "params"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_stopped_early_has_seen_the_beginning_of_the_whole(kind):
    kinds = {"callbacks__schedule__kind": kind, "callbacks__schedule__patience": 0.0}
    run = Run(SkorchEpochs(), net(**kinds, max_epochs=1), TrainingData(X, y), 81, seed=3)
    history = run.advance(3).finish().history
    whole = Schedule(kind, patience=0.0).simulate(81, LR, [0.0] * 81)
    if kind != "performance":
        assert history[:, "lr"] == whole[:3].tolist()
    assert len(history) == 3


def test_hyperband_lays_it_out_over_its_budget():
    search = HalvingHyperbandSearchCV(
        net(max_epochs=2), schedule_space(kinds=["1cycle", "cosine"]) | {"lr": [0.1, LR]},
        max_resources=9, resource="epochs", cv=2, random_state=0,
    )  # fmt: skip
    search.fit(X, y)
    best = search.best_estimator_
    names = ("kind", "start", "peak", "final")
    params = {n: search.best_params_.get(f"callbacks__schedule__{n}") for n in names}
    schedule = Schedule(**{n: value for n, value in params.items() if value is not None})
    expected = schedule.simulate(9, search.best_params_["lr"])
    assert best.history[:, "lr"] == expected.tolist()


# --- the space

OWN = {
    "constant": set(),
    "power": {"final"},
    "exponential": {"final"},
    "piecewise": {"final", "n_drops"},
    "performance": {"factor", "patience"},
    "1cycle": {"start", "peak", "final"},
    "cosine": {"final"},
    "warmup": {"start", "peak"},
}


def test_every_kind_has_its_own_parameters_and_no_other():
    space = Space(schedule_space())
    rng = np.random.default_rng(0)
    seen = {}
    for _ in range(300):
        params = space.params(space.sample(rng))
        params = {n.removeprefix("callbacks__schedule__"): v for n, v in params.items()}
        kind = params["kind"]
        assert seen.setdefault(kind, set(params) - {"kind"}) == set(params) - {"kind"}
        Schedule(**params).simulate(9, LR, [1.0] * 9)
    assert seen == OWN


def test_a_choice_of_kinds_over_a_budget_under_another_name():
    space = schedule_space(81, ["power"], name="lr", prefix="net__")
    assert set(space) == {f"net__callbacks__lr__{n}" for n in ("kind", "final", "max_epochs")}
    assert space["net__callbacks__lr__max_epochs"] == [81]


@pytest.mark.parametrize("kinds", [[], ["cosine", "cosin"]])
def test_unknown_kinds(kinds):
    with pytest.raises(ValueError, match=re.escape(f"got {kinds}")):
        schedule_space(kinds=kinds)


def test_grid_search():
    search = GridSearchCV(
        net(),
        [
            {"callbacks__schedule__kind": ["cosine", "exponential"],
             "callbacks__schedule__final": [0.1, 0.01]},
            {"callbacks__schedule__kind": ["1cycle"], "lr": [0.1, 0.5]},
        ],
        cv=2,
    ).fit(X, y)  # fmt: skip
    assert len(search.cv_results_["params"]) == 6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_params_
    lr = best.get("lr", LR)
    schedule = Schedule(
        best["callbacks__schedule__kind"], final=best.get("callbacks__schedule__final", 0.01)
    )
    expected = schedule.simulate(9, lr).tolist()
    assert search.best_estimator_.history[:, "lr"] == expected


@pytest.mark.parametrize("callback", [Schedule, Schedule()])
def test_random_searches(callback):
    one = net(callbacks=[("schedule", callback)], max_epochs=3)
    for search in (
        RandomizedSearchCV(one, without_conditions(schedule_space()), n_iter=8, cv=2),
        RandomSearchCV(one, schedule_space(), n_iter=8, cv=2),
    ):
        search.set_params(random_state=0, refit=False).fit(X, y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_misspelt_parameter_is_reported_before_training():
    search = RandomSearchCV(net(), {"callbacks__schedule__finl": [0.1]}, n_iter=1, cv=2)
    with pytest.raises(ValueError, match="finl"):
        search.fit(X, y)


def test_the_cosine_is_a_cosine():
    # The formula of the paper, in degrees of the whole.
    lrs = Schedule("cosine", final=0.5).simulate(5, 1.0)
    expected = [0.5 + 0.25 * (1 + math.cos(math.pi * t / 4)) for t in range(5)]
    np.testing.assert_allclose(lrs, expected)
