from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from contracts.nearest import NearestSampler
from contracts.sampler import FINITE, GRIDS, INFINITE, SamplerContract, configs_of, search
from scipy.stats import loguniform, randint, uniform

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.enqueued import EnqueuedSampler
from sk_hpo.samplers.grid import GridSampler
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.trial import Outcome, Trial

SPACE = Space({"x": uniform(0, 1), "n": randint(1, 9), "k": ["a", "b"]})
POINTS = [{"x": 0.25, "n": 8, "k": "b"}, {"x": 0.5, "n": 1, "k": "a"}]


def drawn(space: Space) -> list[dict[str, Any]]:
    """Return a few allowed points, one of them twice."""
    points = [space.params(space.sample(np.random.default_rng(i))) for i in range(3)]
    return [*points, points[0]]


class Drawn(EnqueuedSampler):
    """Makes its points up when it knows the space."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(sampler, ())

    def bind(self, space: Space, seed: int) -> Drawn:
        recipe = Drawn(self.sampler)
        recipe.points_to_evaluate = drawn(space)
        return EnqueuedSampler.bind(recipe, space, seed)


class TestPointsThenRandom(SamplerContract):
    def make(self) -> Sampler:
        return Drawn(RandomSampler())


class TestPointsThenGrid(SamplerContract):
    finite = GRIDS
    infinite = {}  # noqa: RUF012

    def make(self) -> Sampler:
        return Drawn(GridSampler())


class TestPointsThenModel(SamplerContract):
    def make(self) -> Sampler:
        return Drawn(NearestSampler(n_initial_points=6))


class TestNoPoints(SamplerContract):
    def make(self) -> Sampler:
        return EnqueuedSampler(NearestSampler(), ())


def bound(sampler: Sampler, points: Any = POINTS, space: Space = SPACE) -> EnqueuedSampler:
    return EnqueuedSampler(sampler, points).bind(space, seed=3)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_points_come_first_in_their_order(batch: int) -> None:
    history = search(bound(RandomSampler()), 6, batch=batch)
    assert [SPACE.params(config) for config in configs_of(history)[:2]] == POINTS
    # Draws depend on the id alone, so those that follow are the ones there would have been.
    alone = search(RandomSampler().bind(SPACE, 3), 6)
    assert configs_of(history)[2:] == configs_of(alone)[2:]


@pytest.mark.parametrize("n", [1, 3, 4])
def test_the_sampler_finds_the_points_in_its_history(n: int) -> None:
    """A batch that holds the last point: the sampler sees it as a pending trial."""

    class Watching(RandomSampler):
        seen: list[Any] = []  # noqa: RUF012

        def suggest(self, history, n=1):
            self.seen.append(("suggest", [(t.id, t.config, t.pending) for t in history], n))
            return super().suggest(history, n)

        def explain(self, history, configs):
            self.seen.append(("explain", [(t.id, t.config, t.pending) for t in history], n))
            return super().explain(history, configs)

    watching = Watching()
    watching.seen = []
    sampler = bound(watching)
    points = sampler.points
    told = [Trial(0, points[0]).told(1, Outcome(0.5))]
    configs = sampler.suggest(told, n)
    sampler.explain(told, configs)
    seen = [(0, points[0], False), (1, points[1], True)]
    expected = [("suggest", seen, n - 1), ("explain", seen, n)] if n > 1 else []
    assert watching.seen == expected


def test_reasons() -> None:
    sampler = bound(NearestSampler(n_initial_points=4))
    origins, history = [], []
    for n in (1, 2, 1, 2):
        configs = sampler.suggest(history, n)
        reasons = sampler.explain(history, configs)
        origins += [reason.origin for reason in reasons]
        for config in configs:
            history.append(Trial(len(history), config).told(1, Outcome(0.1 * len(history))))
    assert origins == ["user", "user", "initial", "initial", "model", "model"]
    assert reasons[0].mean in [trial.outcome.score for trial in history[:4]]


def test_in_a_batch_each_reason_belongs_to_its_config() -> None:
    sampler = bound(NearestSampler(n_initial_points=1))
    told = [Trial(0, sampler.points[0]).told(1, Outcome(0.5))]
    configs = sampler.suggest(told, 4)
    assert configs[0] == sampler.points[1]
    reasons = sampler.explain(told, configs)
    assert [reason.origin for reason in reasons] == ["user", "model", "model", "model"]
    _, sd = sampler.surrogate(told).predict(map(SPACE.params, configs[1:]), return_std=True)
    assert [reason.sd for reason in reasons[1:]] == sd.tolist()
    assert len(set(sd)) == 3


def test_what_the_sampler_learned_includes_the_points() -> None:
    sampler = bound(NearestSampler())
    assert sampler.surrogate([]) is None
    history = search(sampler, 5)
    surrogate = sampler.surrogate(history)
    expected = [trial.outcome.score for trial in history[:2]]
    np.testing.assert_array_equal(surrogate.predict(POINTS), expected)


@pytest.mark.parametrize("inner", [RandomSampler(), SobolSampler(), NearestSampler()])
def test_whether_outcomes_matter_is_the_samplers_word(inner: Sampler) -> None:
    recipe = EnqueuedSampler(inner, POINTS)
    assert recipe.uses_history == recipe.bind(SPACE, 0).uses_history == inner.uses_history


def test_equal_points_are_tried_once() -> None:
    same = {"x": np.float64(0.25), "n": np.int64(8), "k": np.str_("b")}
    sampler = bound(RandomSampler(), [*POINTS, same, POINTS[1]])
    assert len(sampler.points) == 2
    assert [SPACE.params(config) for config in sampler.suggest([], 3)[:2]] == POINTS


@pytest.mark.parametrize(
    "inner", [RandomSampler(), SobolSampler(), GridSampler(), NearestSampler()]
)
@pytest.mark.parametrize("batch", [1, 4, 50])
@pytest.mark.parametrize("which", [*GRIDS, *FINITE])
def test_a_finite_space_is_tried_once_points_included(
    inner: Sampler, batch: int, which: str
) -> None:
    if isinstance(inner, GridSampler) and which in FINITE:
        return
    space = (GRIDS | FINITE)[which]()
    last = list(space.enumerate())[::-2]
    sampler = bound(inner, [space.params(config) for config in last], space)
    configs = configs_of(search(sampler, 1000, batch=batch))
    assert configs[: len(last)] == last
    assert len(set(configs)) == len(configs) == space.size


def test_the_place_of_a_trial_that_was_not_ours_is_not_filled_twice() -> None:
    sampler = bound(RandomSampler())
    foreign = [Trial(0, sampler.points[1])]
    assert sampler.points[1] not in sampler.suggest(foreign, 4)


@pytest.mark.parametrize("which", INFINITE)
def test_any_config_of_a_space_can_be_a_point(which: str) -> None:
    space = INFINITE[which]()
    for seed in range(20):
        config = space.sample(np.random.default_rng(seed))
        sampler = bound(RandomSampler(), [space.params(config)], space)
        assert sampler.suggest([]) == [config]


CONDITIONAL = Space(
    {
        "solver": ["sgd", "adam"],
        "momentum": when(uniform(0, 1), solver="sgd"),
        "lr": loguniform(1e-3, 1.0),
    },
    lambda p: not (p["solver"] == "adam" and p["lr"] > 0.5),
)
DICTS = Space([{"kernel": ["linear"], "C": loguniform(1e-3, 1e3)}, {"kernel": ["rbf"]}])

BAD = [
    (
        SPACE,
        {"x": 1.5, "n": 1, "k": "a"},
        r"Parameter 'x': 1.5 is not a number in \[0.0, 1.0\]",
    ),
    (SPACE, {"x": np.nan, "n": 1, "k": "a"}, "Parameter 'x': nan is not a number"),
    (SPACE, {"x": "0.5", "n": 1, "k": "a"}, "Parameter 'x': '0.5' is not a number"),
    (SPACE, {"x": 0.5, "n": 9, "k": "a"}, "Parameter 'n': 9 cannot come from randint"),
    (SPACE, {"x": 0.5, "n": 2.0, "k": "a"}, "Parameter 'n': 2.0 is not an integer"),
    (SPACE, {"x": 0.5, "n": True, "k": "a"}, "Parameter 'n': True is not an integer"),
    (SPACE, {"x": 0.5, "n": 1, "k": "c"}, r"Parameter 'k': 'c' is not one of \['a', 'b'\]"),
    (SPACE, {"x": 0.5, "n": 1}, "Parameter 'k' is missing"),
    (SPACE, {"x": 0.5, "n": 1, "k": "a", "xx": 1}, "Parameter 'xx' is not searched; did you"),
    (CONDITIONAL, {"solver": "sgd", "lr": 0.1}, "Parameter 'momentum' is missing"),
    (
        CONDITIONAL,
        {"solver": "adam", "lr": 0.1, "momentum": 0.5},
        "Parameter 'momentum' does not exist under these conditions",
    ),
    (CONDITIONAL, {"solver": "adam", "lr": 0.6}, "the constraint rejects {'solver': 'adam'"),
    (DICTS, {"kernel": "rbf", "C": 1.0}, "fits none of the dicts: .*'kernel'.*'C'"),
]


@pytest.mark.parametrize(("space", "point", "message"), BAD)
def test_a_point_that_is_not_in_the_space(space: Space, point: Any, message: str) -> None:
    good = space.params(space.sample(np.random.default_rng(0)))
    with pytest.raises(ValueError, match=rf"points_to_evaluate\[1\]: .*{message}"):
        bound(RandomSampler(), [good, point], space)


@pytest.mark.parametrize("point", ["x", 3, None, [("x", 0.5)]])
def test_a_point_that_is_no_dict(point: Any) -> None:
    with pytest.raises(TypeError, match=r"points_to_evaluate\[0\] is not a dict"):
        bound(RandomSampler(), [point])


def test_a_constraint_that_raises_is_quoted_with_the_position() -> None:
    space = Space({"x": [0, 1]}, lambda p: 1 / (p["x"] - 2) < 0 or p["y"])
    with pytest.raises(ValueError, match=r"points_to_evaluate\[0\]: .* raised KeyError"):
        EnqueuedSampler(RandomSampler(), [{"x": 1}]).bind(
            _loose(space, lambda p: p["y"] > 0), seed=0
        )


def _loose(space: Space, constraint: Any) -> Space:
    """Return the space with a constraint that was not tried on any config."""
    space.constraint = constraint
    return space


@pytest.mark.parametrize(
    ("space", "point"),
    [
        (CONDITIONAL, {"solver": "sgd", "lr": 0.9, "momentum": 0.0}),
        (CONDITIONAL, {"solver": "adam", "lr": 1}),
        (DICTS, {"kernel": "rbf"}),
        (DICTS, {"kernel": "linear", "C": np.float32(2.0)}),
        (Space({"a": [None, (1, 2), min]}), {"a": (1, 2)}),
        (Space({"a": [None, (1, 2), min]}), {"a": None}),
        (Space({}), {}),
    ],
)
def test_points_as_the_space_understands_them(space: Space, point: Any) -> None:
    if point == {"solver": "adam", "lr": 1}:
        space = Space({"solver": ["adam"], "lr": loguniform(1e-3, 1.0)})
    [config] = bound(RandomSampler(), [point], space).suggest([])
    assert space.params(config) == point


def test_what_is_not_read() -> None:
    points = [{**POINTS[0], "epochs": 3}, {**POINTS[0], "epochs": 9}]
    sampler = EnqueuedSampler(RandomSampler(), points, ignored=("epochs",)).bind(SPACE, 0)
    assert [SPACE.params(config) for config in sampler.points] == [POINTS[0]]


def test_pickle() -> None:
    sampler = bound(NearestSampler())
    copy = pickle.loads(pickle.dumps(sampler))
    history = search(sampler, 7)
    assert configs_of(search(copy, 7)) == configs_of(history)
