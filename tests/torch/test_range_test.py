import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler
from torch import nn

from sk_hpo import RandomSearchCV
from sk_hpo.evaluation.rng import get_state
from sk_hpo.torch.range_test import (
    LearningRateRange,
    LearningRateRangeDisplay,
    learning_rate_range_test,
)

mpl.use("agg")

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 3)).astype(np.float32)
y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 1).astype(np.float32)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3, 1)

    def forward(self, X):
        return self.line(X)


class Diary(Callback):
    """Tells of every method that is called."""

    def __init__(self, calls=None):
        self.calls = calls

    def on_train_begin(self, net, **kwargs):
        raise AssertionError("this is no training")

    on_epoch_begin = on_epoch_end = on_batch_begin = on_train_begin


def net(**params):
    return NeuralNetRegressor(Line, **({"batch_size": 16, "verbose": 0} | params))


def test_losses_are_those_of_a_loop_in_plain_torch():
    result = learning_rate_range_test(net(), X, y, 1e-4, 10, n_batches=60, random_state=5)
    torch.manual_seed(5)
    line = nn.Linear(3, 1)
    expected, lowest, mean = [], np.inf, 0.0
    for i, rate in enumerate(np.geomspace(1e-4, 10, 60)):
        rows = slice(16 * (i % 4), 16 * (i % 4) + 16)
        loss = nn.functional.mse_loss(line(torch.tensor(X[rows])), torch.tensor(y[rows]))
        line.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weight in line.parameters():
                weight -= rate * weight.grad
        expected.append(loss.item())
        mean = 0.9 * mean + 0.1 * expected[-1]
        assert result.smoothed[i] == pytest.approx(mean / (1 - 0.9 ** (i + 1)), rel=1e-4)
        lowest = min(lowest, mean / (1 - 0.9 ** (i + 1)))
        if mean / (1 - 0.9 ** (i + 1)) > 4 * lowest:
            break
    assert 30 < len(expected) < 60  # it diverged
    np.testing.assert_allclose(result.losses, expected, rtol=1e-4)
    np.testing.assert_allclose(
        result.learning_rates, np.geomspace(1e-4, 10, 60)[: len(expected)]
    )


def test_it_turns_where_gradient_descent_on_a_quadratic_diverges():
    design = np.column_stack([X, np.ones(len(X))])
    limit = 2 / np.linalg.eigvalsh(2 * design.T @ design / len(X)).max()
    whole = net(batch_size=-1)
    result = learning_rate_range_test(whole, X, y, 1e-4, 10, n_batches=500, random_state=0)
    assert limit / 2 < result.turning_point < 2 * limit
    assert result.learning_rates[-1] < 5 * limit
    low, median, high = result.suggestion.ppf([0, 0.5, 1])
    turn = result.turning_point
    assert (low, median, high) == pytest.approx((turn / 100, turn / 10, turn))


@pytest.mark.parametrize("random_state", [None, 3])
def test_the_net_and_the_generators_are_as_before(random_state):
    mine = net(lr=0.07, max_epochs=2).fit(X, y)
    params, state = mine.get_params(deep=False), get_state()
    weights = {k: v.clone() for k, v in mine.module_.state_dict().items()}
    optimizer, history = str(mine.optimizer_.state_dict()), len(mine.history)
    learning_rate_range_test(mine, X, y, n_batches=20, random_state=random_state)
    assert mine.get_params(deep=False) == params
    assert all(torch.equal(v, weights[k]) for k, v in mine.module_.state_dict().items())
    assert (str(mine.optimizer_.state_dict()), len(mine.history)) == (optimizer, history)
    after = get_state()
    assert torch.equal(torch.tensor(after.pop("torch")), torch.tensor(state.pop("torch")))
    assert repr(after) == repr(state)


def test_initial_weights_are_those_that_fit_would_begin_with():
    torch.manual_seed(11)
    result = learning_rate_range_test(net(), X, y, n_batches=20)
    torch.manual_seed(11)
    first = nn.functional.mse_loss(nn.Linear(3, 1)(torch.tensor(X[:16])), torch.tensor(y[:16]))
    assert result.losses[0] == pytest.approx(first.item(), rel=1e-5)


def test_only_callbacks_on_gradients_act():
    callbacks = [
        ("diary", Diary()),
        ("schedule", LRScheduler("StepLR", step_size=1, step_every="batch")),
    ]
    plain = learning_rate_range_test(net(), X, y, random_state=0)
    with_callbacks = learning_rate_range_test(net(callbacks=callbacks), X, y, random_state=0)
    np.testing.assert_array_equal(plain.losses, with_callbacks.losses)
    clipped = net(callbacks=[("clip", GradientNormClipping(0.1))])
    assert len(learning_rate_range_test(clipped, X, y, random_state=0).losses) > len(
        plain.losses
    )


def test_every_parameter_group_gets_the_learning_rate():
    grouped = net(optimizer__param_groups=[("line.bias", {"lr": 5.0})])
    plain = learning_rate_range_test(net(), X, y, random_state=0)
    np.testing.assert_allclose(
        learning_rate_range_test(grouped, X, y, random_state=0).losses, plain.losses, rtol=1e-5
    )


def test_suggestion_is_for_a_search():
    result = learning_rate_range_test(net(), X, y, random_state=0)
    search = RandomSearchCV(net(max_epochs=2), {"lr": result.suggestion}, n_iter=2, cv=2)
    rate = search.fit(X, y).best_params_["lr"]
    assert result.turning_point / 100 <= rate <= result.turning_point


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"low": 1.0, "high": 0.1}, "0 < low < high, got low=1.0, high=0.1"),
        ({"low": 0}, "0 < low < high"),
        ({"high": float("inf")}, "0 < low < high"),
        ({"low": "1e-6"}, "0 < low < high"),
        ({"n_batches": 3}, "n_batches must be an integer of at least 10, got 3"),
        ({"low": 50, "high": 100}, "The loss never fell"),
        ({"low": 1e-9, "high": 1e-8}, "The loss never fell by more than its noise"),
    ],
)
def test_wrong_arguments(params, message):
    with pytest.raises(ValueError, match=message):
        learning_rate_range_test(net(), X, y, random_state=0, **params)


def test_wrong_nets_and_data():
    for wrong in (Ridge(), make_pipeline(StandardScaler(), net()), Line()):
        with pytest.raises(TypeError, match="takes a skorch net, got"):
            learning_rate_range_test(wrong, X, y)
    with pytest.raises(ValueError, match="not finite from the beginning"):
        learning_rate_range_test(net(), X * np.float32(np.inf), y)
    with pytest.raises(ValueError, match="There are no batches in X"):
        learning_rate_range_test(net(batch_size=100, iterator_train__drop_last=True), X, y)


def test_picture():
    rates = np.geomspace(1e-3, 1e1, 41)
    losses = np.concatenate([np.linspace(2, 0.5, 31), np.linspace(0.6, 9, 10)])
    result = LearningRateRange(rates, losses, losses)
    assert result.turning_point == pytest.approx(1.0)
    display = result.plot()
    ax = display.ax_
    assert display.figure_ is ax.figure
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "Learning rate")
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), np.column_stack([rates, losses]))
    (shade,) = ax.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((0.01, 1.0))
    assert ax.get_ylim()[1] < 3  # what diverged leaves room for the rest
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[2] == "suggested: 0.01 to 1"
    figure, own = plt.subplots()
    assert LearningRateRangeDisplay.from_result(result, ax=own).ax_ is own
    plt.close(figure)
    plt.close(display.figure_)


def test_steepest_is_no_recovery_from_a_peak():
    rates = np.geomspace(1e-4, 1e0, 81)
    losses = 2.0 - 1.5 / (1 + (0.01 / rates) ** 2)
    losses[70] = 1.9
    assert LearningRateRange(rates, losses, losses).steepest == pytest.approx(0.01, rel=0.2)
