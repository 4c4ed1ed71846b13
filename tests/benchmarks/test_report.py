"""The arithmetic of the report, on cases done by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from efficiency.picture import draw
from efficiency.report import curve, make_report, milliseconds
from efficiency.results import Key, Run
from efficiency.statistics import (
    mean_over_tasks,
    mean_ranks,
    paired_difference,
    ratio_to_better,
)
from efficiency.task import reference
from efficiency.text import to_json, to_text

SUITES = {"branin": "synthetic", "hartmann3": "synthetic", "jenatton": "conditional"}


def a_run(name: str, task: str, seed: int, regrets: list[float], batch=1, ms=1.0) -> Run:
    """Return a run of given regrets in percent; observations are exact."""
    median, optimum = reference(task)
    true = optimum + np.array(regrets) / 100 * (median - optimum)
    seconds = np.full(len(regrets), ms / 1000)
    return Run(Key(name, task, seed, batch), SUITES[task], true, true, seconds)


def falling(end: float, n: int = 64) -> list[float]:
    """Return regrets that are 40 up to the 16th evaluation, 20 to the 32nd, then `end`."""
    return [40.0] * 16 + [20.0] * 16 + [end] * (n - 32)


# Two optimisers on two tasks; end regrets by seed.
ENDS = {
    ("sk_hpo-gp", "branin"): [2.0, 4.0],
    ("sk_hpo-gp", "jenatton"): [8.0, 8.0],
    ("botorch", "branin"): [4.0, 4.0],
    ("botorch", "jenatton"): [6.0, 10.0],
}


@pytest.fixture
def runs() -> list[Run]:
    return [
        a_run(name, task, seed, falling(end), ms=10.0 if name == "botorch" else 2.0)
        for (name, task), ends in ENDS.items()
        for seed, end in enumerate(ends)
    ]


@pytest.fixture
def report(runs):
    return make_report(runs, "botorch")


def test_the_curve_is_the_normalised_regret_of_the_incumbent():
    median, optimum = reference("branin")
    true = optimum + (median - optimum) * np.array([1.0, 0.5, 0.25, 0.75])
    observed = np.array([4.0, 2.0, 3.0, 1.0])
    run = Run(Key("o", "branin~noisy", 0, 1), "s", observed, true, np.zeros(4))
    assert curve(run).tolist() == pytest.approx([100, 50, 50, 75])


def test_a_value_below_the_optimum_has_no_regret():
    assert curve(a_run("o", "branin", 0, [10.0, -0.001])).tolist() == pytest.approx([10, 0])


def test_a_task_without_a_reference_is_named():
    run = Run(Key("o", "nowhere", 0, 1), "s", np.ones(1), np.ones(1), np.ones(1))
    with pytest.raises(KeyError, match="'nowhere'"):
        curve(run)


def test_means_and_standard_errors(report):
    ours = report.regrets[64]["all"]["sk_hpo-gp"]
    # Means 3 and 8; variances of the means 2 / 2 and 0; two tasks.
    assert ours.value == pytest.approx(5.5)
    assert ours.error == pytest.approx(math.sqrt(1 + 0) / 2)
    theirs = report.regrets[64]["all"]["botorch"]
    assert theirs.value == pytest.approx(6)
    assert theirs.error == pytest.approx(math.sqrt(0 + 8 / 2) / 2)
    assert report.regrets[64]["synthetic"]["sk_hpo-gp"].value == pytest.approx(3)
    assert report.regrets[64]["conditional"]["sk_hpo-gp"].value == pytest.approx(8)
    assert report.regrets[16]["all"]["botorch"].value == pytest.approx(40)
    assert report.regrets[32]["all"]["botorch"].value == pytest.approx(20)
    assert report.by_task["branin"] == pytest.approx({"sk_hpo-gp": 3, "botorch": 4})


def test_tasks_count_equally_whatever_their_number_of_seeds():
    estimate = mean_over_tasks({"a": {0: 1.0, 1: 1.0, 2: 1.0}, "b": {0: 3.0, 1: 5.0}})
    assert estimate.value == pytest.approx(2.5)
    assert estimate.error == pytest.approx(math.sqrt(0 + 2 / 2) / 2)


def test_one_seed_has_no_standard_error():
    assert math.isnan(mean_over_tasks({"a": {0: 1.0, 1: 2.0}, "b": {0: 3.0}}).error)


def test_ranks_by_hand(report):
    # branin: ours 2, 4 against 4, 4: the other beats a run of ours with probability
    # (0 + 1/2) / 2, so ours has rank 1.25 and the other 1.75.
    # jenatton: ours 8, 8 against 6, 10: one half each, rank 1.5.
    assert report.ranks[64]["sk_hpo-gp"].value == pytest.approx((1.25 + 1.5) / 2)
    assert report.ranks[64]["botorch"].value == pytest.approx((1.75 + 1.5) / 2)
    assert {e.value for e in report.ranks[32].values()} == {1.5}
    assert report.ranks.keys() == {32, 64}


def test_ranks_of_three_sum_to_six_and_do_not_need_equal_seeds():
    regrets = {
        "a": {"t": {0: 1.0}},
        "b": {"t": {0: 2.0, 1: 2.0, 7: 3.0}},
        "c": {"t": {3: 3.0, 4: 9.0}},
    }
    ranks = mean_ranks(regrets, ["t"])
    assert ranks["a"].value == pytest.approx(1)
    # c beats b never, and ties with it once of six pairs.
    assert ranks["b"].value == pytest.approx(2 + 1 / 12)
    assert ranks["c"].value == pytest.approx(3 - 1 / 12)


def test_paired_differences_by_hand(report):
    assert report.reference == "botorch"
    paired = report.paired[64]["sk_hpo-gp"]
    # branin: -2, 0; jenatton: 2, -2.
    assert paired.n_pairs == 4
    assert paired.seeds.value == paired.tasks_and_seeds.value == pytest.approx(-0.5)
    assert paired.seeds.low <= -0.5 <= paired.seeds.high
    assert report.paired[16]["sk_hpo-gp"].seeds == pytest.approx((0, 0, 0), abs=1e-9)


def test_only_common_tasks_and_seeds_are_paired():
    ours = {"a": {0: 1.0, 1: 2.0, 5: 99.0}, "b": {0: 7.0}, "c": {0: 50.0}}
    theirs = {"a": {0: 3.0, 1: 3.0}, "b": {0: 7.0, 2: 1.0}}
    interval, n = paired_difference(ours, theirs, over_tasks=False)
    assert n == 3
    assert interval.value == pytest.approx((-1.5 + 0) / 2)


def test_without_pairs_there_is_no_difference():
    interval, n = paired_difference({"a": {0: 1.0}}, {"a": {1: 1.0}}, over_tasks=True)
    assert n == 0
    assert all(math.isnan(x) for x in interval)


def test_intervals_over_seeds_agree_with_the_normal_approximation():
    rng = np.random.default_rng(0)
    ours = {task: dict(enumerate(rng.normal(5, 2, 400))) for task in "abc"}
    zero = {task: dict.fromkeys(range(400), 0.0) for task in "abc"}
    interval, n = paired_difference(ours, zero, over_tasks=False)
    assert n == 1200
    half = 1.96 * mean_over_tasks(ours).error
    assert interval.low == pytest.approx(interval.value - half, abs=0.15 * half)
    assert interval.high == pytest.approx(interval.value + half, abs=0.15 * half)


def test_intervals_over_tasks_take_their_differences_in():
    # No spread over seeds; three tasks at -1, 0 and 4.
    ours = {"a": {0: -1.0, 1: -1.0}, "b": {0: 0.0, 1: 0.0}, "c": {0: 4.0, 1: 4.0}}
    zero = {task: {0: 0.0, 1: 0.0} for task in ours}
    seeds, _ = paired_difference(ours, zero, over_tasks=False)
    assert seeds == pytest.approx((1, 1, 1))
    both, _ = paired_difference(ours, zero, over_tasks=True)
    # Of the 27 draws of three tasks one is all -1 and one all 4, each above 2.5 %.
    assert both == pytest.approx((1, -1, 4))


def test_the_better_of_the_leaders_by_suite():
    ends = {"sk_hpo-gp": (3.0, 9.0), "botorch": (4.0, 6.0), "optuna-gp": (2.0, 12.0)}
    runs = [
        a_run(name, task, seed, falling(end))
        for name, of_name in ends.items()
        for task, end in zip(("branin", "jenatton"), of_name, strict=True)
        for seed in range(2)
    ]
    better = make_report(runs, "optuna-gp").better[64]
    assert {suite: b.name for suite, b in better.items()} == {
        "all": "botorch",
        "synthetic": "optuna-gp",
        "conditional": "botorch",
    }
    assert better["all"].regret == pytest.approx(5)
    assert better["all"].ratios["sk_hpo-gp"] == pytest.approx((6 / 5,) * 3)
    assert better["synthetic"].ratios["sk_hpo-gp"].value == pytest.approx(1.5)
    assert better["conditional"].ratios.keys() == {"sk_hpo-gp"}


def test_each_draw_finds_the_better_one_anew():
    # Either of the others is at 0 or 2 by chance: the lower of two is often 0.
    wide = {"t": {0: 0.5, 1: 2.0}}
    interval = ratio_to_better({"t": {0: 1.0, 1: 1.0}}, [wide, wide])
    assert interval.value == pytest.approx(0.8)
    assert interval.low == pytest.approx(0.5)
    assert interval.high == pytest.approx(2.0)


def test_milliseconds_are_of_the_suggestions_near_n():
    assert milliseconds(np.arange(101) / 1000) == milliseconds(np.arange(100, -1, -1) / 1000)
    found = milliseconds(np.arange(101) / 1000)
    assert (found.median, found.ninety_percent, found.maximum) == pytest.approx((50, 90, 100))
    run = a_run("o", "branin", 0, falling(1.0, 80))
    run.seconds[:] = np.arange(80) / 1000  # the i-th takes i milliseconds
    at = make_report([run], "o").milliseconds
    assert at.keys() == {16, 64}
    assert at[16]["o"].median == pytest.approx(14)
    assert at[16]["o"].maximum == pytest.approx(16)
    assert at[64]["o"].median == pytest.approx(62)


def test_batches_are_compared_on_tasks_that_have_both():
    runs = [
        a_run("o", "branin", 0, falling(4.0)),
        a_run("o", "hartmann3", 0, falling(2.0)),
        a_run("o", "jenatton", 0, falling(50.0)),
        a_run("o", "branin", 0, falling(5.0), batch=4),
        a_run("o", "hartmann3", 0, falling(4.0), batch=4),
        a_run("p", "branin", 0, falling(1.0)),
    ]
    ratios = make_report(runs, "o").batch_ratios
    assert ratios.keys() == {"o"}
    assert ratios["o"].keys() == {4}
    assert ratios["o"][4].value == pytest.approx((5 + 4) / (4 + 2))


def test_tasks_that_some_optimizer_lacks_are_left_out_and_named(runs):
    short = a_run("botorch", "hartmann3", 0, [1.0] * 20)
    report = make_report([*runs, a_run("sk_hpo-gp", "hartmann3", 0, falling(1.0)), short], "x")
    assert report.tasks == ("branin", "jenatton")
    assert report.left_out == ("hartmann3",)
    assert report.regrets[64]["all"]["sk_hpo-gp"].value == pytest.approx(5.5)
    assert report.paired[64] == {}


def test_nothing_in_common_is_an_error():
    runs = [a_run("a", "branin", 0, falling(1.0)), a_run("b", "jenatton", 0, falling(1.0))]
    with pytest.raises(ValueError, match="no task"):
        make_report(runs, "a")
    with pytest.raises(ValueError, match="no task"):
        make_report([], "a")


def test_optimizers_are_in_the_order_of_regret(report):
    assert list(report.seeds) == ["sk_hpo-gp", "botorch"]
    assert report.seeds == {"sk_hpo-gp": (2, 2), "botorch": (2, 2)}


def test_the_text_has_the_figures(report):
    text = to_text(report)
    assert "2 tasks; seeds: sk_hpo-gp 2, botorch 2" in text
    lines = [line.split("  ") for line in text.splitlines()]
    rows = [[cell.strip() for cell in line if cell] for line in lines]
    assert ["sk_hpo-gp", "5.50 (0.50)", "8.00 (0.00)", "3.00 (1.00)"] in rows
    assert ["branin", "3.00", "4.00"] in rows
    assert ["all", "conditional", "synthetic"] in rows
    ratios = [line.split() for line in text.splitlines() if line.startswith("64 ")]
    assert ["64", "all", "botorch", "6.00", "sk_hpo-gp", "0.92"] in [r[:6] for r in ratios]


def test_json_has_the_same_figures_and_no_nan(runs):
    single = [run for run in runs if run.key.seed == 0]
    text = to_json(make_report(single, "botorch"))
    loaded = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    estimate = loaded["regrets"]["64"]["all"]["sk_hpo-gp"]
    assert estimate == {"value": pytest.approx(5), "error": None}
    assert loaded["better"]["64"]["all"]["ratios"]["sk_hpo-gp"]["value"] == pytest.approx(1)
    assert loaded["milliseconds"]["16"]["botorch"]["median"] == pytest.approx(10)


def test_a_picture_is_drawn(report, runs, tmp_path):
    path = tmp_path / "out.png"
    draw(report, runs, path)
    assert path.read_bytes().startswith(b"\x89PNG")
