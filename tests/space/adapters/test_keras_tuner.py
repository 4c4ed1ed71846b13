import random

import numpy as np
import pytest
from scipy import stats
from space.adapters import fakes
from space.adapters.compared import N, assert_alike, drawn

from sk_hpo import Space
from sk_hpo.space.adapters.keras_tuner import from_keras_tuner, reverse_loguniform
from sk_hpo.space.condition import When
from sk_hpo.space.distribution import describe


@pytest.fixture(params=fakes.and_real(fakes.keras_tuner, "keras_tuner"))
def keras_tuner(request):
    return request.param


def declared(keras_tuner):
    hp = keras_tuner.HyperParameters()
    hp.Int("n_layers", 1, 3)
    hp.Int("units", 32, 160, step=32)
    hp.Int("batch", 16, 512, sampling="log")
    hp.Int("powers", 2, 64, step=2, sampling="log")
    hp.Int("backwards", 2, 60, sampling="reverse_log")
    hp.Int("steps_back", 1, 8, step=2, sampling="reverse_log")
    hp.Float("dropout", 0.0, 0.5)
    hp.Float("l2", 0.0, 0.5, step=0.25)
    hp.Float("lr", 1e-4, 1e-1, sampling="log")
    hp.Float("decades", 0.001, 10, step=10, sampling="log")
    hp.Float("momentum", 0.01, 1.0, sampling="reverse_log")
    hp.Choice("activation", ["relu", "tanh"])
    hp.Choice("alpha", [0.1, 1.0])
    hp.Boolean("bias")
    hp.Fixed("epochs", 10)
    return hp


def test_hyperparameters(keras_tuner):
    space = from_keras_tuner(declared(keras_tuner), names={"lr": "optimizer__lr"})
    assert space.pop("decades") == pytest.approx([0.001, 0.01, 0.1, 1, 10])
    assert {n: v if isinstance(v, list) else describe(v) for n, v in space.items()} == {
        "n_layers": "randint(1, 4)",
        "units": [32, 64, 96, 128, 160],
        "batch": "lograndint(16, 513)",
        "powers": [2, 4, 8, 16, 32, 64],
        "backwards": "reverse_lograndint(2, 61)()",
        "steps_back": [1, 5, 7, 8],
        "dropout": "uniform(0.0, 0.5)",
        "l2": [0.0, 0.25, 0.5],
        "optimizer__lr": "loguniform(0.0001, 0.1)",
        "momentum": "reverse_loguniform(0.01, 1.0)",
        "activation": ["relu", "tanh"],
        "alpha": [0.1, 1.0],
        "bias": [False, True],
        "epochs": [10],
    }


def test_parents_and_scopes_are_conditions(keras_tuner):
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", ["linear", "mlp", "cnn"])
    hp.Int("n_layers", 1, 3, parent_name="model", parent_values=["mlp", "cnn"])
    with (
        hp.conditional_scope("model", ["mlp", "cnn"]),
        hp.conditional_scope("n_layers", [2, 3]),
    ):
        hp.Int("units_2", 8, 64)
    hp.Choice("scale", [0.5, 1.0])
    hp.Boolean("centred", parent_name="scale", parent_values=[1.0])
    # In one branch and in another: the same thing.
    for model in ("linear", "cnn"):
        hp.Float("alpha", 0.0, 1.0, parent_name="model", parent_values=[model])
    space = from_keras_tuner(hp, names={"model": "net__model"})
    conditions = {n: v.conditions for n, v in space.items() if isinstance(v, When)}
    assert conditions == {
        "n_layers": (("net__model", ("mlp", "cnn")),),
        "units_2": (("net__model", ("mlp", "cnn")), ("n_layers", (2, 3))),
        "centred": (("scale", (1.0,)),),
        "alpha": (("net__model", ("linear", "cnn")),),
    }
    assert Space(space).names == tuple(sorted(space))


def test_what_cannot_be_said(keras_tuner):
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", ["a", "b"])
    hp.Int("n", 1, 9, parent_name="model", parent_values=["a"])
    hp.Int("n", 1, 99, parent_name="model", parent_values=["b"])
    with pytest.raises(ValueError, match="'n' is declared several times, with other values"):
        from_keras_tuner(hp)
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", ["a", "b"])
    hp.Int("n", 1, 9)
    hp.Int("n", 1, 9, parent_name="model", parent_values=["b"])
    with pytest.raises(ValueError, match="'n' is declared several times, with other parents"):
        from_keras_tuner(hp)
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", ["a", "b"])
    hp.Int("n", 1, 9, parent_name="model", parent_values=["c"])
    with pytest.raises(ValueError, match="'n' can never exist"):
        from_keras_tuner(hp)
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0, 1)
    hp.Int("n", 1, 9, parent_name="x", parent_values=[0.5])
    with pytest.raises(
        ValueError, match="'n' exists for some values of 'x', but these are too"
    ):
        from_keras_tuner(hp)
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0, 1, step=1e-5)
    with pytest.raises(ValueError, match=r"'x' has 100001 values.*uniform\(0.0, 1.0\)"):
        from_keras_tuner(hp)
    with pytest.raises(TypeError, match=r"takes keras_tuner\.HyperParameters, got dict"):
        from_keras_tuner({"x": [1]})


def test_same_distributions_as_the_library():
    keras_tuner = fakes.real("keras_tuner")
    hp = declared(keras_tuner)
    space = from_keras_tuner(hp)
    chance = random.Random(0)
    for one in hp.space:
        theirs = [one.prob_to_value(chance.random()) for _ in range(N)]
        assert_alike(theirs, drawn(space, one.name))


def test_reverse_loguniform_is_the_mirror_of_loguniform():
    ours, mirrored = reverse_loguniform(0.01, 2.0), stats.loguniform(0.01, 2.0)
    x = np.linspace(0.01, 2.0, 9)
    np.testing.assert_allclose(ours.cdf(x), mirrored.sf(2.01 - x), atol=1e-12)
    np.testing.assert_allclose(ours.pdf(x)[1:-1], mirrored.pdf(2.01 - x)[1:-1])
    np.testing.assert_allclose(ours.ppf(ours.cdf(x)), x)
