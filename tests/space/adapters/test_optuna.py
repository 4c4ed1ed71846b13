import pytest
from space.adapters import fakes
from space.adapters.compared import N, assert_alike, drawn, furthest

from sk_hpo.space.adapters.optuna import from_optuna
from sk_hpo.space.distribution import describe


@pytest.fixture(params=fakes.and_real(fakes.optuna, "optuna.distributions"))
def optuna(request):
    return request.param


def distributions(optuna):
    return {
        "alpha": optuna.FloatDistribution(-1.0, 1.0),
        "C": optuna.FloatDistribution(1e-6, 1e2, log=True),
        "dropout": optuna.FloatDistribution(0.0, 0.3, step=0.1),
        "one": optuna.FloatDistribution(2.0, 2.0, log=True),
        "depth": optuna.IntDistribution(1, 9),
        "units": optuna.IntDistribution(16, 64, step=16),
        "batch": optuna.IntDistribution(8, 256, log=True),
        "kernel": optuna.CategoricalDistribution(("rbf", None, 3, 0.5, True)),
    }


def test_distributions(optuna):
    space = from_optuna(distributions(optuna), names={"C": "svc__C"})
    assert {n: v if isinstance(v, list) else describe(v) for n, v in space.items()} == {
        "alpha": "uniform(-1.0, 2.0)",
        "svc__C": "loguniform(1e-06, 100.0)",
        "dropout": [0.0, 0.1, 0.2, 0.3],
        "one": [2.0],
        "depth": "randint(1, 10)",
        "units": [16, 32, 48, 64],
        "batch": "lograndint(8, 257)",
        "kernel": ["rbf", None, 3, 0.5, True],
    }


def test_what_cannot_be_said(optuna):
    for step, instead in ((1e-6, r"uniform\(0.0, 1.0\)"), (1e-9, "larger steps")):
        with pytest.raises(ValueError, match=rf"'x' has \d+ values.* {instead}"):
            from_optuna({"x": optuna.FloatDistribution(0.0, 1.0, step=step)})
    with pytest.raises(ValueError, match=r"Write randint\(0, 100001\)"):
        from_optuna({"n": optuna.IntDistribution(0, 100_000, step=2)})
    with pytest.raises(TypeError, match=r"'x': \[1, 2\] is no distribution of Optuna"):
        from_optuna({"x": [1, 2]})
    with pytest.raises(TypeError, match=r"study\.best_trial\.distributions; got list"):
        from_optuna([optuna.FloatDistribution(0.0, 1.0)])


def test_same_distributions_as_the_library():
    optuna = fakes.real("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    given = distributions(optuna.distributions)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask(given).params for _ in range(N)]
    space = from_optuna(given)
    for name in given:
        theirs = [trial[name] for trial in trials]
        if name == "batch":  # rounded there, cut off here
            assert furthest(theirs, space[name]) < 0.04
        elif name == "kernel":
            assert_alike(map(repr, theirs), map(repr, drawn(space, name)))
        else:
            assert_alike(theirs, drawn(space, name))
