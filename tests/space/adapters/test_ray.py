import numpy as np
import pytest
from space.adapters import fakes
from space.adapters.compared import N, assert_alike, drawn

from sk_hpo import Space
from sk_hpo.space.adapters.ray import from_ray
from sk_hpo.space.distribution import describe


@pytest.fixture(params=fakes.and_real(fakes.tune, "ray.tune"))
def tune(request):
    return request.param


def given(tune):
    return {
        "lr": tune.loguniform(1e-4, 1e-1),
        "alpha": tune.uniform(-1, 1),
        "noise": tune.randn(1.0, 0.1),
        "depth": tune.randint(1, 9),
        "batch": tune.lograndint(4, 257),
        "kernel": tune.choice(["rbf", "poly", "linear"]),
        "units": tune.qrandint(16, 64, 16),
        "same": tune.qrandint(2, 6),
        "wide": tune.qlograndint(30, 300, 15),
    }


def rest(tune):
    return {
        "dropout": tune.quniform(0.0, 0.5, 0.1),
        "epochs": 5,
        "hidden": (50, 20),
        "gamma": tune.grid_search([0.1, 1.0]),
        "optimizer": {
            "name": tune.choice(["sgd", "adam"]),
            "kwargs": {"eps": tune.uniform(0, 1)},
        },
        "class_weight": {0: 1.0, 1: 2.0},
    }


def test_spaces(tune):
    space = from_ray(given(tune) | rest(tune), names={"optimizer__name": "optimizer"})
    assert {n: v if isinstance(v, list) else describe(v) for n, v in space.items()} == {
        "lr": "loguniform(0.0001, 0.1)",
        "alpha": "uniform(-1, 2)",
        "noise": "norm(1.0, 0.1)",
        "depth": "randint(1, 9)",
        "batch": "lograndint(4, 257)",
        "kernel": ["rbf", "poly", "linear"],
        "units": [16, 32, 48, 64],
        "same": "randint(2, 6)",
        "wide": "15 * lograndint(2, 21)()",
        "dropout": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        "epochs": [5],
        "hidden": [(50, 20)],
        "gamma": [0.1, 1.0],
        "optimizer": ["sgd", "adam"],
        "optimizer__kwargs__eps": "uniform(0, 1)",
        "class_weight": [{0: 1.0, 1: 2.0}],
    }
    levels = Space({"wide": space["wide"]}).dimensions[0].domain.levels()
    assert list(levels) == list(range(30, 301, 15))


def test_same_distributions_as_the_library():
    tune = fakes.real("ray.tune")
    for name, domain in given(tune).items():
        theirs = domain.sample(size=N, random_state=np.random.default_rng(1))
        assert_alike(np.asarray(theirs).tolist(), drawn(from_ray({name: domain}), name))
    # Rounding makes the ends of quniform half as probable there.
    dropout = {"dropout": tune.quniform(0.0, 0.5, 0.1)}
    theirs = np.array(dropout["dropout"].sample(size=N, random_state=0))
    assert np.mean(theirs == 0.0) == pytest.approx(1 / 10, abs=0.02)
    ours = np.array(drawn(from_ray(dropout), "dropout"))
    assert np.mean(ours == 0.0) == pytest.approx(1 / 6, abs=0.02)


def test_what_cannot_be_said(tune):
    for value, message in [
        (tune.sample_from(lambda config: 3), "'x' is computed by sample_from. Write"),
        (tune.qloguniform(1e-4, 1e-1, 1e-4), r"no qloguniform here. Write loguniform\(0.0001"),
        (tune.qrandn(0, 1, 0.1), r"no qrandn here. Write norm\(0, 1\)"),
        (tune.choice([tune.uniform(0, 1), 3]), "'x' is a choice among distributions"),
        (tune.choice([{"a": tune.uniform(0, 1)}]), "'x' is a choice among distributions"),
        ([tune.uniform(0, 1)], "something to search inside of a value"),
        (tune.quniform(0, 1, 1e-4), "'x' has 10001 values"),
        (tune.qrandint(5, 7, 4), r"no multiple of 4 is in \[5, 7\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            from_ray({"x": value})


def test_names(tune):
    with pytest.raises(TypeError, match="from_ray takes a dict, got list"):
        from_ray([tune.uniform(0, 1)])
    with pytest.raises(ValueError, match="would be called 'a__b'"):
        from_ray({"a": {"b": tune.uniform(0, 1)}, "a__b": 1})
