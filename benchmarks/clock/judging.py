"""Test scores of candidates, outside of the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from clock.events import Event
from clock.problem import MLP, Problem
from clock.results import Incumbent

__all__ = ["Judge"]


class Judge:
    """Trains candidates on all rows of the search, and scores them on the test rows.

    What it returns is the mean over several trainings: the judge should add little noise
    of its own. A candidate is trained once, for as long as any of its incumbents was.

    Parameters
    ----------
    problem : Problem
        Its rows.
    trainings : int, default=3
        Of each candidate.
    """

    def __init__(self, problem: Problem, trainings: int = 3) -> None:
        self._problem = problem
        self._trainings = trainings

    def judge(self, events: list[Event]) -> tuple[Incumbent, ...]:
        longest: dict[str, int] = {}
        for event in events:
            name = json.dumps(event.params, sort_keys=True)
            longest[name] = max(event.epochs, longest.get(name, 0))
        curves = {name: self.curve(json.loads(name), n) for name, n in longest.items()}
        return tuple(
            Incumbent(
                event.seconds,
                dict(event.params),
                event.epochs,
                event.score,
                float(curves[json.dumps(event.params, sort_keys=True)][event.epochs - 1]),
            )
            for event in events
        )

    def curve(self, params: Mapping[str, Any], epochs: int) -> np.ndarray:
        """Return the mean test accuracy after each of some epochs."""
        seeds = range(self._trainings)
        return np.mean([self._train(params, epochs, seed) for seed in seeds], axis=0)

    def _train(self, params: Mapping[str, Any], epochs: int, seed: int) -> list[float]:
        p = self._problem
        X, y, X_test = map(torch.from_numpy, (p.X, p.y, p.X_test))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = MLP(X.shape[1], int(y.max()) + 1, params["module__hidden"])
            optimizer = torch.optim.SGD(
                module.parameters(),
                lr=params["lr"],
                momentum=params["optimizer__momentum"],
                weight_decay=params["optimizer__weight_decay"],
            )
            scores = []
            for _ in range(epochs):
                for batch in torch.randperm(len(X)).split(params["batch_size"]):
                    optimizer.zero_grad()
                    nn.functional.cross_entropy(module(X[batch]), y[batch]).backward()
                    optimizer.step()
                with torch.no_grad():
                    predicted = module(X_test).argmax(1).numpy()
                scores.append(float(np.mean(predicted == p.y_test)))
        return scores
