"""Runs: the protocol, what is run again and what is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from efficiency import optimizers, run, tasks
from efficiency.optimizers import OPTIMIZERS, Entry, missing
from efficiency.peers.base import Optimizer, Random
from efficiency.peers.ours import Ours
from efficiency.results import Key, read
from efficiency.task import Task
from efficiency.timing import time_in_turn

from sk_hpo.samplers.sobol import SobolSampler

NAMES = ("hartmann3", "branin~noisy")


class Recorded(Random):
    """Random search that remembers how it was driven."""

    made: list[Recorded]

    def __init__(self, task, seed, budget):
        super().__init__(task, seed, budget)
        self.asked, self.told = [], []
        self.made.append(self)

    def ask(self, n):
        self.asked.append(n)
        return super().ask(n)

    def tell(self, configs, observations):
        self.told.append(list(observations))


class Broken(Optimizer):
    def ask(self, n):
        raise RuntimeError("cannot")

    def tell(self, configs, observations):
        raise AssertionError


@pytest.fixture
def recorded(monkeypatch) -> list[Recorded]:
    made: list[Recorded] = []
    monkeypatch.setattr(Recorded, "made", made, raising=False)
    monkeypatch.setitem(OPTIMIZERS, "recorded", Entry(Recorded))
    monkeypatch.setitem(OPTIMIZERS, "broken", Entry(Broken))
    return made


@pytest.fixture
def go(tmp_path):
    """Run with little to write; the path of the results is `go.path`."""

    def call(names=("recorded",), seeds=range(2), budget=8, batch=1, deadline=math.inf):
        run.run_all(names, NAMES, seeds, budget, batch, call.path, deadline)

    call.path = tmp_path / "results.csv"
    return call


@pytest.mark.parametrize("batch", [1, 4])
def test_noise_and_regret_follow_the_protocol(recorded, batch):
    evaluations = run.run_one(Key("recorded", "branin~noisy", 5, batch), 8)
    task = tasks.get("branin~noisy")
    sd = 0.05 * (task.median - task.optimum)
    noise = sd * np.random.default_rng([5, 77]).standard_normal(8)
    configs = Random(task, 5, 8).ask(8)
    assert [e.true for e in evaluations] == [task.true(c) for c in configs]
    assert [e.observed for e in evaluations] == pytest.approx(
        [task.true(c) + z for c, z in zip(configs, noise, strict=True)]
    )
    [optimizer] = recorded
    assert (optimizer.seed, optimizer.budget) == (5, 8)
    assert optimizer.asked == [batch] * (8 // batch)
    assert [len(told) for told in optimizer.told] == optimizer.asked
    assert [o.value for told in optimizer.told for o in told] == [
        e.observed for e in evaluations
    ]


def test_a_budget_that_is_no_multiple_of_the_batch_is_kept(recorded):
    assert len(run.run_one(Key("recorded", "hartmann3", 0, 4), 10)) == 10


def test_an_optimizer_may_run_out_of_configs(monkeypatch):
    class Few(Random):
        def ask(self, n):
            self.left = getattr(self, "left", 5) - n
            return super().ask(n) if self.left >= 0 else []

    monkeypatch.setitem(OPTIMIZERS, "few", Entry(Few))
    assert len(run.run_one(Key("few", "hartmann3", 0, 1), 8)) == 5


def test_what_is_finished_is_not_run_again(recorded, go):
    go()
    assert len(recorded) == 4
    before = go.path.read_bytes()
    go()
    assert len(recorded) == 4
    assert go.path.read_bytes() == before
    go(seeds=range(3))
    assert len(recorded) == 6


def test_a_larger_budget_or_another_batch_is_another_run(recorded, go):
    go(seeds=[0])
    go(seeds=[0], budget=12)
    go(seeds=[0], batch=4)
    assert [(o.task.name, o.budget, o.asked[0]) for o in recorded] == [
        (name, budget, batch) for budget, batch in ((8, 1), (12, 1), (8, 4)) for name in NAMES
    ]
    lengths = {run.key: len(run.observed) for run in read([go.path])}
    assert set(lengths.values()) == {12, 8}


def test_a_torn_run_is_run_again_and_alone(recorded, go):
    go()
    whole = {run.key: run for run in read([go.path])}
    go.path.write_bytes(go.path.read_bytes()[:-70])
    go()
    again = recorded[4:]
    assert [(o.task.name, o.seed) for o in again] == [(NAMES[1], 1)]
    for now in read([go.path]):
        assert now.observed.tolist() == whole[now.key].observed.tolist()


def test_seeds_come_first_so_that_a_cut_leaves_whole_comparisons(recorded, go):
    go()
    assert [(o.seed, o.task.name) for o in recorded] == [
        (seed, name) for seed in (0, 1) for name in NAMES
    ]


def test_after_the_deadline_no_run_begins(recorded, go, capsys):
    go(deadline=-1.0)
    assert not recorded
    assert "deadline" in capsys.readouterr().out
    assert not go.path.exists()


def test_a_run_that_raises_is_reported_and_the_others_go_on(recorded, go, capsys):
    go(names=("broken", "recorded"), seeds=[0])
    assert {run.key.optimizer for run in read([go.path])} == {"recorded"}
    assert "failed: broken on hartmann3, seed 0: RuntimeError('cannot')" in (
        capsys.readouterr().out
    )
    assert "Traceback" in (go.path.parent / "results.csv.fail").read_text()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "absent", Entry(Random, "no_such_package.module"))
    assert missing("absent") == "no_such_package.module"
    assert missing("random") is None
    assert missing("sk_hpo-gp") is None
    with pytest.raises(ValueError, match="'gp' is no optimiser"):
        missing("gp")


@pytest.mark.filterwarnings("ignore")  # of other packages
@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if missing(n) is None])
@pytest.mark.parametrize(
    "task_name", ["jenatton", "svc-cancer", "hartmann6~folds", "mlp_digits"]
)
def test_optimizers_that_are_here_ask_for_configs_of_the_task(name, task_name):
    task = tasks.get(task_name)
    optimizer = optimizers.make(name, task, seed=0, budget=8)
    params = {p.name: p for p in task.params}
    rng = np.random.default_rng(0)
    for n in (1, 4, 1):
        configs = optimizer.ask(n)
        assert len(configs) == n
        for config in configs:
            for key, value in config.items():
                p = params[key]
                assert value in p.choices if p.choices else p.low <= value <= p.high
        optimizer.tell(configs, [task.measure(config, rng) for config in configs])


def test_ours_is_told_scores_to_maximise_with_their_standard_errors():
    class Listening(SobolSampler):
        def suggest(self, history, n=1):
            heard.append(list(history))
            return super().suggest(history, n)

    heard: list[list] = []
    task = tasks.get("hartmann6~folds")
    stepper = run.Stepper(Ours(Listening(), task, 0, 8), task, 0)
    evaluations = [e for _ in range(3) for e in stepper.step(2)]
    assert [len(history) for history in heard] == [0, 2, 4]
    outcomes = [trial.outcome for trial in heard[-1]]
    assert [o.score for o in outcomes] == [-e.observed for e in evaluations[:4]]
    assert all(o.standard_error > 0 for o in outcomes)
    assert [np.mean(o.scores) for o in outcomes] == pytest.approx([o.score for o in outcomes])
    assert [trial.id for trial in heard[-1]] == [0, 1, 2, 3]


def test_in_turn_each_optimizer_has_its_own_history(recorded):
    timing = time_in_turn(
        ["recorded", "random"], "hartmann3", range(2), 20, "random", deadline=math.inf
    )
    assert [len(o.told) for o in recorded] == [20, 20]
    assert timing.milliseconds.keys() == timing.ratios.keys() == {16}
    at = timing.milliseconds[16]
    assert timing.ratios[16]["random"] == 1
    assert timing.ratios[16]["recorded"] == at["recorded"].median / at["random"].median
    assert 0 < at["recorded"].median <= at["recorded"].ninety_percent <= at["recorded"].maximum


def test_timing_stops_at_the_deadline(recorded):
    timing = time_in_turn(["recorded"], "hartmann3", [0], 20, "recorded", deadline=-1.0)
    assert timing.milliseconds == {}
    assert len(recorded[0].told) == 1


def test_the_task_may_be_looked_at_by_its_parameters_only():
    task: Task = tasks.get("hartmann3")
    assert Random(task, 0, 1).params is task.params
