from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from contracts.sampler import SamplerContract
from contracts.spaces import FINITE, MIXED, SQUARE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import randint, uniform

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.samplers.tpe import TPESampler
from sk_hpo.space.space import Space
from sk_hpo.trial import Outcome, Trial


class TestContract(SamplerContract):
    def make(self) -> Sampler:
        return TPESampler(n_initial_points=3)


def bowl(params: dict) -> float:
    return -((params["x"] - 0.3) ** 2) - (params["y"] - 0.6) ** 2


def conditional(params: dict) -> float:
    """The best is 0: poly of degree 4 with C = 10, gamma = 0.1 and coef0 = 0.3."""
    loss = 0.2 * (math.log10(params["C"]) - 1) ** 2 + 0.05 * math.log10(params["units"])
    loss += {"rbf": 0.5, "poly": 0.0, "linear": 1.0}[params["kernel"]]
    loss += 0.3 * (math.log10(params.get("gamma", 0.1)) + 1) ** 2
    if params["kernel"] == "poly":
        loss += 0.2 * abs(params["degree"] - 4) + abs(params.get("coef0", 0.8) - 0.3)
    return -loss


def search(
    sampler: Sampler, score: Callable[[dict], float], n_trials: int, batch: int = 1
) -> list[Trial]:
    history: list[Trial] = []
    while len(history) < n_trials:
        for config in sampler.suggest(history, batch):
            outcome = Outcome(score(sampler.space.params(config)))
            history.append(Trial(len(history), config).told(1, outcome))
    return history


def best(history: list[Trial]) -> float:
    return max(trial.outcome.score for trial in history if not trial.outcome.failed)


@pytest.mark.parametrize(
    ("space", "score", "factor"), [(SQUARE, bowl, 0.4), (MIXED, conditional, 0.6)]
)
@pytest.mark.parametrize("batch", [1, 4])
def test_regret_is_far_below_that_of_random_search(
    space: Space, score: Callable[[dict], float], factor: float, batch: int
) -> None:
    rng = np.random.default_rng(0)
    draws = [[score(space.params(space.sample(rng))) for _ in range(60)] for _ in range(9)]
    random = np.median([-max(of_one) for of_one in draws])
    ours = []
    for seed in range(7):
        history = search(TPESampler().bind(space, seed), score, 60, batch)
        ours.append(-best(history))
        assert len({trial.config for trial in history}) == 60
    assert np.median(ours) < factor * random


def test_the_initial_design_is_sobol() -> None:
    sampler = TPESampler(n_initial_points=6).bind(MIXED, 3)
    sobol = SobolSampler().bind(MIXED, 3)
    history = search(sampler, conditional, 6)
    for i, trial in enumerate(history):
        assert sobol.suggest(history[:i]) == [trial.config]
    assert sampler.suggest(history) != sobol.suggest(history)


def test_a_finite_space_is_exhausted_exactly_once() -> None:
    sampler = TPESampler(n_initial_points=4).bind(FINITE, 0)
    history: list[Trial] = []
    while configs := sampler.suggest(history, 4):
        for config in configs:
            outcome = Outcome(-len(FINITE.params(config)) + config[-1])
            history.append(Trial(len(history), config).told(1, outcome))
    tried = [trial.config for trial in history]
    assert len(tried) == len(set(tried)) == FINITE.size
    assert set(tried) == set(FINITE.enumerate())


def test_the_last_configs_of_many() -> None:
    space = Space({"a": randint(0, 40), "b": randint(0, 40)})
    configs = list(space.enumerate())
    left = {configs[i] for i in (17, 800, 1599)}
    history = [Trial(i, c) for i, c in enumerate(c for c in configs if c not in left)]
    history[:30] = [t.told(1, Outcome(float(t.config[1]))) for t in history[:30]]
    suggested = TPESampler().bind(space, 0).suggest(history, 5)
    assert len(suggested) == 3
    assert set(suggested) == left


def outcomes() -> st.SearchStrategy[dict[int, Outcome]]:
    special = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, 0.5])
    outcome = st.builds(Outcome, st.one_of(special, st.floats(-1, 1)))
    return st.dictionaries(st.sampled_from([1, 3, 9]), outcome, max_size=3)


@given(
    space=st.sampled_from([SQUARE, MIXED, FINITE]),
    told=st.lists(outcomes(), min_size=1, max_size=14),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 3),
)
@settings(deadline=None, max_examples=60)
def test_any_history_is_answered(
    space: Space, told: list[dict[int, Outcome]], seed: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    configs = dict.fromkeys(space.sample(rng) for _ in told)
    history = [
        Trial(i, c, outcomes=o) for i, (c, o) in enumerate(zip(configs, told, strict=False))
    ]
    bound = TPESampler(1).bind(space, seed)
    answer = bound.suggest(history, n)
    assert len(answer) == len(set(answer)) == n
    assert not set(answer) & set(configs)
    assert all(space.allows(config) for config in answer)
    assert bound.suggest(history, n) == answer
    assert TPESampler(1).bind(space, seed).suggest(history, n) == answer


def test_failures_are_avoided() -> None:
    def score(params: dict) -> float:
        return math.nan if params["x"] > 0.5 else bowl(params)

    history = search(TPESampler().bind(SQUARE, 0), score, 60)
    late = [trial.outcome.failed for trial in history[15:]]
    assert np.mean(late) < 0.25


def test_all_failed_goes_on_quasi_randomly() -> None:
    sampler = TPESampler(n_initial_points=3).bind(SQUARE, 0)
    history = search(sampler, lambda params: math.nan, 9)
    sobol = SobolSampler().bind(SQUARE, 0)
    assert [trial.config for trial in history] == sobol.suggest([], 9)


def test_pending_trials_push_suggestions_away() -> None:
    """Where twenty trials are awaited, fewer new ones go."""
    line = Space({"x": uniform(0, 1)})
    xs = np.random.default_rng(0).random(40)
    history = [
        Trial(i, (float(x),)).told(1, Outcome(-((x - 0.3) ** 2))) for i, x in enumerate(xs)
    ]
    crowd = [Trial(40 + i, (float(x),)) for i, x in enumerate(np.linspace(0.28, 0.32, 20))]

    def among_them(awaited: list[Trial]) -> float:
        suggested = [
            TPESampler().bind(line, seed).suggest(history + awaited)[0][0] for seed in range(40)
        ]
        return float(np.mean([0.28 <= x <= 0.32 for x in suggested]))

    assert among_them(crowd) < 0.5 * among_them([])


def test_scores_of_different_resources_are_not_mixed() -> None:
    """At resource 1 the wrong side wins; enough trials have resource 9 to know better."""
    rng = np.random.default_rng(0)
    history = []
    for i in range(40):
        x, y = rng.random(2)
        trial = Trial(i, (float(x), float(y))).told(1, Outcome(10 + x))
        history.append(trial.told(9, Outcome(-x)) if i % 2 else trial)
    suggested = [TPESampler().bind(SQUARE, s).suggest(history)[0][0] for s in range(9)]
    assert np.median(suggested) < 0.2


def test_two_hundred_categories() -> None:
    space = Space({"c": [str(i) for i in range(200)], "x": uniform(0, 1)})
    sampler = TPESampler().bind(space, 0)
    history = search(sampler, lambda p: -abs(int(p["c"]) - 150) / 200 - p["x"], 60)
    assert len({trial.config for trial in history}) == 60
    assert np.median([t.config[space.names.index("x")] for t in history[30:]]) < 0.2


def test_it_tells_why() -> None:
    sampler = TPESampler(n_initial_points=6).bind(SQUARE, 0)
    history = search(sampler, bowl, 5)
    configs = sampler.suggest(history, 2)
    first, second = sampler.explain(history, configs)
    assert first.origin == "initial"
    assert second.origin == "model"
    assert math.isfinite(second.acquisition)
    assert math.isnan(second.mean)
    assert math.isnan(second.sd)
    assert sampler.surrogate(history) is None


def test_a_space_of_one_config() -> None:
    sampler = TPESampler().bind(Space({"a": ["only"]}), 0)
    [config] = sampler.suggest([], 5)
    assert sampler.suggest([Trial(0, config).told(1, Outcome(0.5))], 2) == []


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_initial_points": 0}, "n_initial_points must be"),
        ({"n_initial_points": "many"}, "n_initial_points must be"),
        ({"gamma": 0.0}, "gamma must be"),
        ({"gamma": 1.0}, "gamma must be"),
        ({"gamma": math.nan}, "gamma must be"),
        ({"n_candidates": 0}, "n_candidates must be"),
        ({"n_candidates": 2.5}, "n_candidates must be"),
    ],
)
def test_bad_arguments_are_named(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TPESampler(**kwargs).bind(SQUARE, 0)
