"""What a user might write, for mypy: the wheel's types are seen, and fit."""

from __future__ import annotations

from sk_hpo import GPSampler, Journal, MaxTrials, NoImprovement, RandomSearchCV, Space, when
from sk_hpo.stop import StopPolicy
from sk_hpo.trial import Config, Trial


def policy(n: int) -> StopPolicy:
    return MaxTrials(n) | NoImprovement(20, tol=1e-3)


def read(path: str) -> tuple[Trial, ...]:
    return tuple(Journal.read(path).trials)


def best(search: RandomSearchCV) -> Trial:
    trials: list[Trial] = search.history_
    return max(trials, key=lambda trial: trial.outcome.score)


def main() -> None:
    space = Space({"kernel": ["rbf", "poly"], "degree": when([2, 3], kernel="poly")})
    config: Config = next(iter(space.enumerate()))
    sampler = GPSampler(n_initial_points=5).bind(space, seed=0)
    print(space.params(config), sampler.suggest([], n=2), policy(5))


if __name__ == "__main__":
    main()
