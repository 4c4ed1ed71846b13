from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from contracts.sampler import SamplerContract
from contracts.spaces import FINITE, MIXED, SQUARE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import randint, uniform

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.gp import GPSampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.samplers.tpe import TPESampler
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Outcome, Trial


class TestContract(SamplerContract):
    def make(self) -> Sampler:
        return GPSampler(n_initial_points=3)


def branin(params: dict) -> float:
    x, y = 15 * params["x"] - 5, 15 * params["y"]
    bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return -(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10) + 0.397887


def conditional(params: dict) -> float:
    """The best is 0: poly of degree 4 with C = 10, gamma = 0.1 and coef0 = 0.3."""
    loss = 0.2 * (math.log10(params["C"]) - 1) ** 2 + 0.05 * math.log10(params["units"])
    loss += {"rbf": 0.5, "poly": 0.0, "linear": 1.0}[params["kernel"]]
    loss += 0.3 * (math.log10(params.get("gamma", 0.1)) + 1) ** 2
    if params["kernel"] == "poly":
        loss += 0.2 * abs(params["degree"] - 4) + abs(params.get("coef0", 0.8) - 0.3)
    return -loss


def search(
    sampler: Sampler,
    score: Callable[[dict], float],
    n_trials: int,
    batch: int = 1,
    history: list[Trial] | None = None,
) -> list[Trial]:
    history = [] if history is None else history
    while len(history) < n_trials:
        for config in sampler.suggest(history, batch):
            outcome = Outcome(score(sampler.space.params(config)))
            history.append(Trial(len(history), config).told(1, outcome))
    return history


def best(history: list[Trial]) -> float:
    return max(trial.outcome.score for trial in history if not trial.outcome.failed)


def random_best(space: Space, score: Callable[[dict], float], seed: int) -> float:
    rng = np.random.default_rng(seed)
    return max(score(space.params(space.sample(rng))) for _ in range(40))


@pytest.mark.parametrize(
    ("space", "score", "factor"), [(SQUARE, branin, 0.05), (MIXED, conditional, 0.3)]
)
@pytest.mark.parametrize("batch", [1, 4])
def test_regret_is_far_below_that_of_random_search(
    space: Space, score: Callable[[dict], float], factor: float, batch: int
) -> None:
    random = np.median([-random_best(space, score, seed) for seed in range(5)])
    ours = []
    for seed in range(5):
        history = search(GPSampler().bind(space, seed), score, 40, batch)
        ours.append(-best(history))
        assert len({trial.config for trial in history}) == 40
    assert np.median(ours) < factor * random


def test_the_initial_design_is_sobol() -> None:
    sampler, sobol = GPSampler(n_initial_points=6).bind(MIXED, 3), SobolSampler().bind(MIXED, 3)
    history = search(sampler, conditional, 6)
    for i, trial in enumerate(history):
        assert sobol.suggest(history[:i]) == [trial.config]
    assert sampler.suggest(history) != sobol.suggest(history)


@pytest.mark.parametrize(("n_dimensions", "n_initial"), [(1, 3), (4, 5), (9, 7), (30, 10)])
def test_auto_initial_points(n_dimensions: int, n_initial: int) -> None:
    space = Space({f"x{i}": uniform(0, 1) for i in range(n_dimensions)})
    sampler, sobol = GPSampler().bind(space, 0), SobolSampler().bind(space, 0)
    history = search(sampler, lambda params: params["x0"], n_initial)
    assert [trial.config for trial in history] == sobol.suggest([], n_initial)
    assert sampler.suggest(history) != sobol.suggest(history)


def test_a_batch_crosses_from_the_design_to_the_model() -> None:
    sampler = GPSampler(n_initial_points=6).bind(SQUARE, 0)
    history = search(sampler, branin, 4)
    batch = sampler.suggest(history, 5)
    assert batch[:2] == SobolSampler().bind(SQUARE, 0).suggest(history, 2)
    assert len(set(batch)) == 5


def test_a_finite_space_is_exhausted_exactly_once() -> None:
    sampler = GPSampler(n_initial_points=4).bind(FINITE, 0)
    history: list[Trial] = []
    while configs := sampler.suggest(history, 4):
        for config in configs:
            outcome = Outcome(-len(FINITE.params(config)) + config[-1])
            history.append(Trial(len(history), config).told(1, outcome))
    tried = [trial.config for trial in history]
    assert len(tried) == len(set(tried)) == FINITE.size
    assert set(tried) == set(FINITE.enumerate())


def test_few_allowed_configs_of_many() -> None:
    space = Space(
        {"a": randint(0, 64), "b": randint(0, 64)},
        constraint=lambda params: params["a"] == params["b"] and params["a"] % 4 == 0,
    )
    sampler = GPSampler(n_initial_points=2).bind(space, 0)
    history: list[Trial] = []
    while configs := sampler.suggest(history, 3):
        for config in configs:
            history.append(Trial(len(history), config).told(1, Outcome(float(config[0]))))
    assert sorted(trial.config for trial in history) == [(i, i) for i in range(0, 64, 4)]


def test_the_last_configs_of_many() -> None:
    space = Space({"a": randint(0, 40), "b": randint(0, 40)})
    configs = list(space.enumerate())
    left = {configs[i] for i in (17, 800, 1599)}
    history = [Trial(i, c) for i, c in enumerate(c for c in configs if c not in left)]
    history[:30] = [t.told(1, Outcome(float(t.config[1]))) for t in history[:30]]
    suggested = GPSampler().bind(space, 0).suggest(history, 5)
    assert len(suggested) == 3
    assert set(suggested) == left


def test_a_corner_is_suggested_once() -> None:
    """The best is at a corner, where L-BFGS ends again and again."""
    history = search(GPSampler().bind(SQUARE, 0), lambda p: p["x"] + p["y"], 30)
    assert len({trial.config for trial in history}) == 30
    assert best(history) > 1.999


def outcomes() -> st.SearchStrategy[dict[int, Outcome]]:
    special = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, 0.5])
    score = st.one_of(special, st.floats(-1, 1))
    folds = st.lists(score, max_size=4).map(tuple)
    outcome = st.builds(Outcome, score, scores=folds)
    return st.dictionaries(st.sampled_from([1, 3, 9]), outcome, max_size=3)


@given(
    space=st.sampled_from([SQUARE, MIXED, FINITE]),
    told=st.lists(outcomes(), min_size=1, max_size=14),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 3),
    sampler=st.sampled_from([
        GPSampler(1), GPSampler(2, fold_noise=False), GPSampler(1, "ucb"),
    ]),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_any_history_is_answered(
    space: Space, told: list[dict[int, Outcome]], seed: int, n: int, sampler: GPSampler
) -> None:
    rng = np.random.default_rng(seed)
    configs = dict.fromkeys(space.sample(rng) for _ in told)
    history = [
        Trial(i, c, outcomes=o) for i, (c, o) in enumerate(zip(configs, told, strict=False))
    ]
    bound = sampler.bind(space, seed)
    answer = bound.suggest(history, n)
    assert len(answer) == len(set(answer)) == n
    assert not set(answer) & set(configs)
    for config in answer:
        assert space.allows(config)
        assert space.from_cube(np.nan_to_num(space.to_cube(config), nan=0.5)) == config
    assert bound.suggest(history, n) == answer
    assert sampler.bind(space, seed).suggest(history, n) == answer


def test_all_failed_goes_on_quasi_randomly() -> None:
    sampler, sobol = (
        GPSampler(n_initial_points=3).bind(SQUARE, 0),
        SobolSampler().bind(SQUARE, 0),
    )
    history = search(sampler, lambda params: math.nan, 9)
    assert [trial.config for trial in history] == sobol.suggest([], 9)


def test_failures_are_avoided() -> None:
    """Half of the square fails, and the best scores are near its border."""

    def score(params: dict) -> float:
        return math.nan if params["x"] > 0.5 else params["x"] - (params["y"] - 0.3) ** 2

    history = search(GPSampler(acquisition="log_ei").bind(SQUARE, 0), score, 30)
    late = [trial.outcome.failed for trial in history[10:]]
    assert np.mean(late) < 0.5
    assert best(history) > 0.48


@pytest.mark.parametrize("bad", [-1e300, math.nan, -1e9])
def test_diverged_scores_do_not_wreck_the_scale(bad: float) -> None:
    def score(params: dict) -> float:
        return bad if params["y"] > 0.8 else branin(params)

    regrets = [-best(search(GPSampler().bind(SQUARE, seed), score, 30)) for seed in range(3)]
    assert np.median(regrets) < 0.1


def quadratic_history(n: int, sampler: Sampler) -> list[Trial]:
    return search(sampler, lambda p: -((p["x"] - 0.3) ** 2) - (p["y"] - 0.6) ** 2, n)


def distance(a: Config, b: Config) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


def test_pending_trials_push_suggestions_away() -> None:
    sampler = GPSampler().bind(SQUARE, 1)
    history = search(sampler, branin, 14)
    [first] = sampler.suggest(history)
    [second] = sampler.suggest([*history, Trial(14, first)])
    assert distance(first, second) > 0.02
    batch = sampler.suggest(history, 4)
    assert batch[0] == first
    gaps = [distance(a, b) for i, a in enumerate(batch) for b in batch[:i]]
    assert min(gaps) > 0.02


def test_the_scores_matter() -> None:
    sampler = GPSampler().bind(SQUARE, 0)
    history = quadratic_history(16, sampler)
    flipped = [
        Trial(t.id, t.config).told(1, Outcome(-t.outcome.score if i < 16 else 0.0))
        for i, t in enumerate(history)
    ]
    [towards], [away] = sampler.suggest(history), sampler.suggest(flipped)
    assert distance(towards, (0.3, 0.6)) < 0.1
    assert distance(away, (0.3, 0.6)) > 0.3


def test_ucb_explores_as_much_as_beta_says() -> None:
    history = quadratic_history(16, GPSampler().bind(SQUARE, 0))
    greedy = GPSampler(acquisition="ucb", beta=0.0).bind(SQUARE, 0)
    curious = GPSampler(acquisition="ucb", beta=1e6).bind(SQUARE, 0)
    [near], [far] = greedy.suggest(history), curious.suggest(history)
    assert distance(near, (0.3, 0.6)) < 0.02
    assert min(distance(far, trial.config) for trial in history) > 0.15


def test_fold_noise_takes_its_weight_from_a_lucky_score() -> None:
    line = Space({"x": uniform(0, 1)})
    rng = np.random.default_rng(0)
    xs = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    history = []
    for i, x in enumerate(xs):
        folds = 1 - (x - 0.2) ** 2 + rng.normal(0, 0.01, 5)
        if i == 8:
            folds += [7.0, -5.0, 6.0, -4.0, 1.0]
        outcome = Outcome(float(folds.mean()), scores=tuple(folds))
        history.append(Trial(i, (x,)).told(1, outcome))
    greedy = {"acquisition": "ucb", "beta": 0.0}
    [trusting] = GPSampler(**greedy, fold_noise=False).bind(line, 0).suggest(history)
    [sceptical] = GPSampler(**greedy).bind(line, 0).suggest(history)
    assert abs(trusting[0] - 0.8) < 0.1
    assert abs(sceptical[0] - 0.2) < 0.1


def test_scores_of_different_resources_are_not_mixed() -> None:
    """At resource 1 the wrong side wins; enough trials have resource 9 to know better."""
    rng = np.random.default_rng(0)
    history = []
    for i in range(24):
        x, y = rng.random(2)
        trial = Trial(i, (float(x), float(y))).told(1, Outcome(10 + x))
        history.append(trial.told(9, Outcome(-x)) if i % 2 else trial)
    [config] = GPSampler().bind(SQUARE, 0).suggest(history)
    assert config[0] < 0.2


def test_two_hundred_categories() -> None:
    space = Space({"c": [str(i) for i in range(200)], "x": uniform(0, 1)})
    history = search(
        GPSampler().bind(space, 0), lambda p: -abs(int(p["c"]) - 150) / 200 - p["x"], 30
    )
    assert len({trial.config for trial in history}) == 30
    assert np.median([t.config[space.names.index("x")] for t in history[15:]]) < 0.2


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"acquisition": "ei"}, "acquisition must be"),
        ({"n_initial_points": 0}, "n_initial_points must be"),
        ({"n_initial_points": "many"}, "n_initial_points must be"),
        ({"beta": -1.0}, "beta must be"),
        ({"beta": math.nan}, "beta must be"),
        ({"alpha": -1e-9}, "alpha must be"),
        ({"alpha": math.inf}, "alpha must be"),
        ({"alpha": "learned"}, "alpha must be"),
        ({"alpha": None}, "alpha must be"),
        ({"alpha": True}, "alpha must be"),
        ({"beta": 1e308}, "beta must be"),
        ({"beta": "much"}, "beta must be"),
        ({"fold_noise": "no"}, "fold_noise must be"),
    ],
)
def test_bad_arguments_are_named(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GPSampler(**kwargs).bind(SQUARE, 0)


@pytest.mark.parametrize("batch", [1, 5])
def test_auto_is_expected_improvement_and_for_every_third_trial_tpe(batch: int) -> None:
    auto, log_ei = (GPSampler(acquisition=a).bind(SQUARE, 0) for a in ("auto", "log_ei"))
    for n in (9, 10, 11):
        history = quadratic_history(n, SobolSampler().bind(SQUARE, 0))
        configs = auto.suggest(history, batch)
        for i, config in enumerate(configs):
            if (n + i) % 3 == 2:
                assert config == TPESampler().bind(SQUARE, 0).next(history, configs[:i])
        if n % 3 != 2:
            assert configs[0] == log_ei.suggest(history)[0]


def test_alpha_takes_its_weight_from_a_lucky_score() -> None:
    """With a little noise the lucky point is believed, with much it is smoothed away."""
    line = Space({"x": uniform(0, 1)})
    xs = np.linspace(0.0, 1.0, 11)
    scores = 1 - (xs - 0.2) ** 2
    scores[8] += 0.5
    history = [
        Trial(i, (float(x),)).told(1, Outcome(s))
        for i, (x, s) in enumerate(zip(xs, scores, strict=True))
    ]

    def expected_at(x: float, alpha: float) -> float:
        surrogate = GPSampler(alpha=alpha).bind(line, 0).surrogate(history)
        return float(surrogate.predict([{"x": x}])[0])

    assert expected_at(0.8, 1e-8) == pytest.approx(scores[8], abs=0.02)
    assert expected_at(0.8, 1.0) < expected_at(0.2, 1.0) + 0.1
    assert expected_at(0.8, 1.0) < scores[8] - 0.2


def test_a_model_explains_itself() -> None:
    sampler = GPSampler(n_initial_points=6).bind(SQUARE, 0)
    history = search(sampler, branin, 5)
    configs = sampler.suggest(history, 3)
    first, second, third = sampler.explain(history, configs)
    assert first.origin == "initial"
    assert math.isnan(first.mean)
    assert second.origin == third.origin == "model"
    surrogate = sampler.surrogate(history)
    mean, sd = surrogate.predict([SQUARE.params(configs[1])], return_std=True)
    assert second.mean == pytest.approx(mean[0], rel=1e-9)
    # The first of the batch is believed to be observed, so there is less to learn.
    assert 0.0 < second.sd <= sd[0] * (1 + 1e-9)
    assert second.acquisition >= third.acquisition
    afresh = GPSampler(n_initial_points=6).bind(SQUARE, 0)
    assert afresh.explain(history, configs) == [first, second, third]


def test_the_explained_acquisition_is_the_textbook_improvement() -> None:
    """Log EI by quadrature of what `surrogate` says; one model, for many observations."""
    sampler = GPSampler().bind(SQUARE, 0)
    design = SobolSampler().bind(SQUARE, 1).suggest([], 140)
    history = [
        Trial(i, c).told(1, Outcome(branin(SQUARE.params(c)))) for i, c in enumerate(design)
    ]
    [config] = sampler.suggest(history)
    [reason] = sampler.explain(history, [config])
    posterior, told = sampler._fit(history)
    assert len(posterior.means) == 1
    [[m]], [[s]] = posterior.predict(np.array([config]))
    z = np.linspace(-9, 9, 200_001)
    gain = np.maximum(m + s * z - posterior.means.max(), 0.0)
    improvement = np.trapezoid(gain * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), z)
    assert reason.acquisition == pytest.approx(np.log(improvement), abs=1e-3)
    assert (reason.mean, reason.sd) == tuple(
        float(v) for v in told.to_score(np.float64(m), np.float64(s))
    )


def test_the_surrogate_predicts_in_units_of_the_score() -> None:
    sampler = GPSampler().bind(MIXED, 0)
    design = SobolSampler().bind(MIXED, 0).suggest([], 60)
    history = [
        Trial(i, c).told(1, Outcome(300 + 10 * conditional(MIXED.params(c))))
        for i, c in enumerate(design)
    ]
    surrogate = pickle.loads(pickle.dumps(sampler.surrogate(history)))
    rng = np.random.default_rng(1)
    params = [MIXED.params(MIXED.sample(rng)) for _ in range(60)]
    truth = np.array([300 + 10 * conditional(p) for p in params])
    mean, sd = surrogate.predict(params, return_std=True)
    assert np.corrcoef(mean, truth)[0, 1] > 0.6
    assert np.all(sd > 0)
    seen = [MIXED.params(trial.config) for trial in history]
    told = np.array([trial.outcome.score for trial in history])
    assert np.corrcoef(surrogate.predict(seen), told)[0, 1] > 0.9
    assert GPSampler().bind(MIXED, 0).surrogate([]) is None
    assert sampler.surrogate([Trial(0, history[0].config).told(1, Outcome(math.nan))]) is None


@given(order=st.permutations(range(6)), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=5)
def test_the_order_of_tells_does_not_matter(order: list[int], seed: int) -> None:
    """Six workers; a sampler that was asked at every tell answers as one that was not."""
    sampler = GPSampler(n_initial_points=4).bind(MIXED, seed)
    history = search(sampler, conditional, 14)
    history += [Trial(14 + i, c) for i, c in enumerate(sampler.suggest(history, 6))]
    for i in order:
        trial = history[14 + i]
        history[14 + i] = trial.told(1, Outcome(conditional(MIXED.params(trial.config))))
        answer = sampler.suggest(history)
    assert answer == GPSampler(n_initial_points=4).bind(MIXED, seed).suggest(history)


def test_fifty_dimensions() -> None:
    """Hartmann's function of six of fifty parameters; random search gets to about -1.2."""
    space = Space({f"x{i}": uniform(0, 1) for i in range(50)})
    history = search(GPSampler().bind(space, 0), lambda p: hartmann6(p), 70)
    rng = np.random.default_rng(0)
    random = max(hartmann6(space.params(space.sample(rng))) for _ in range(70))
    assert best(history) > max(random + 0.5, 2.0)


def hartmann6(params: dict) -> float:
    """Minus the function; its maximum is 3.32237."""
    a = np.array([
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ])  # fmt: skip
    p = np.array([
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ])  # fmt: skip
    x = np.array([params[f"x{i}"] for i in range(6)])
    return float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-(a * (x - p) ** 2).sum(axis=1)))


def test_a_space_of_one_config() -> None:
    sampler = GPSampler().bind(Space({"a": ["only"]}), 0)
    [config] = sampler.suggest([], 5)
    assert sampler.suggest([Trial(0, config).told(1, Outcome(0.5))], 2) == []


def test_the_same_config_with_different_scores() -> None:
    """The user's own points may repeat: they inform, as noise does."""
    xs = [(0.2, 0.2)] * 6 + [(0.8, 0.8)] * 6
    history = [
        Trial(i, c).told(1, Outcome((0.0 if c[0] < 0.5 else 1.0) + 0.1 * (-1) ** i))
        for i, c in enumerate(xs)
    ]
    sampler = GPSampler(n_initial_points=2).bind(SQUARE, 0)
    [config] = sampler.suggest(history)
    assert config not in xs
    mean = sampler.surrogate(history).predict([{"x": 0.2, "y": 0.2}, {"x": 0.8, "y": 0.8}])
    np.testing.assert_allclose(mean, [0.0, 1.0], atol=0.15)


def test_a_thin_constraint_is_lived_with() -> None:
    """Two in ten thousand configs are allowed."""
    space = Space(
        {"a": uniform(0, 1), "b": uniform(0, 1)},
        constraint=lambda params: abs(params["a"] - 0.5) < 2e-4,
    )
    history = search(GPSampler().bind(space, 0), lambda params: params["b"], 7)
    assert all(space.allows(trial.config) for trial in history)
    assert len({trial.config for trial in history}) == 7


@pytest.mark.parametrize("k_of_the_odd_one", [3, 7])
def test_one_trial_with_other_folds_does_not_matter_for_the_rest(k_of_the_odd_one: int) -> None:
    rng = np.random.default_rng(0)
    history = []
    for i, config in enumerate(SobolSampler().bind(SQUARE, 0).suggest([], 12)):
        folds = tuple(branin(SQUARE.params(config)) + rng.normal(0, 5, 5))
        history.append(Trial(i, config).told(1, Outcome(float(np.mean(folds)), scores=folds)))
    odd = Trial(12, (0.5, 0.5)).told(1, Outcome(-20.0, scores=(-20.0,) * k_of_the_odd_one))
    none = Trial(12, (0.5, 0.5)).told(1, Outcome(-20.0))
    sampler = GPSampler().bind(SQUARE, 0)
    assert sampler.suggest([*history, odd]) == sampler.suggest([*history, none])
