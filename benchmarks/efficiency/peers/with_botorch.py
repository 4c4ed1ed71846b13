"""BoTorch as its tutorials combine it: SingleTaskGP and LogEI, with the library's priors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from botorch.acquisition import (
    AcquisitionFunction,
    LogExpectedImprovement,
    qLogNoisyExpectedImprovement,
)
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms.input import NumericToCategoricalEncoding
from botorch.optim import optimize_acqf, optimize_acqf_mixed_alternating
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy.stats import qmc
from torch.nn.functional import one_hot

from efficiency.peers.base import Optimizer
from efficiency.task import Config, Observation, Parameter, Task

__all__ = ["BoTorch"]

_MAX_DISCRETE = 32  # levels; an integer with more is searched as if it were continuous


class BoTorch(Optimizer):
    """LogEI on the posterior of a Gaussian process.

    RBF with ARD, log-normal length-scale priors by dimension, standardised values,
    categories one-hot inside the model. LogEI without noise and one by one, qLogNEI with
    noise or in batches. ``clip(2 d, 5, 12)`` scrambled Sobol points first. Discrete
    parameters by the alternating optimiser, others by gradients from 4 starts.
    """

    def __init__(self, task: Task, seed: int, budget: int) -> None:
        super().__init__(task, seed, budget)
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float64)
        self._sequence = qmc.Sobol(len(task.params), scramble=True, seed=seed)
        self._n_initial = int(np.clip(2 * len(task.params), 5, 12))
        self._x: list[list[float]] = []
        self._y: list[float] = []
        self._categories = {
            i: [float(level) for level in range(p.k)]
            for i, p in enumerate(task.params)
            if p.kind == "cat"
        }
        self._discrete = {
            i: [level / (p.k - 1) for level in range(p.k)]
            for i, p in enumerate(task.params)
            if p.kind != "cat" and not p.log and p.k and p.k <= _MAX_DISCRETE
        }

    def ask(self, n: int) -> list[dict[str, Any]]:
        if len(self._x) < self._n_initial:
            rows = self._sequence.random(n)
            return [
                {p.name: p.from_unit(u) for p, u in zip(self.params, row, strict=True)}
                for row in rows
            ]
        acquisition = self._acquisition(n)
        tops = [float(p.k - 1) if p.kind == "cat" else 1.0 for p in self.params]
        bounds = torch.tensor([[0.0] * len(tops), tops])
        starts = {"q": n, "num_restarts": 4, "raw_samples": 128}
        if self._categories or self._discrete:
            steps = {f"maxiter_{part}": count for part, count in _STEPS.items()}
            found, _ = optimize_acqf_mixed_alternating(
                acquisition,
                bounds,
                discrete_dims=self._discrete,
                cat_dims=self._categories,
                options=steps,
                **starts,
            )
        else:
            options = {"maxiter": 50}
            found, _ = optimize_acqf(
                acquisition, bounds, sequential=True, options=options, **starts
            )
        return [
            {p.name: _decode(p, u) for p, u in zip(self.params, row, strict=True)}
            for row in found.numpy()
        ]

    def tell(self, configs: Sequence[Config], observations: Sequence[Observation]) -> None:
        self._x += [[_encode(p, config[p.name]) for p in self.params] for config in configs]
        self._y += [observation.value for observation in observations]

    def _acquisition(self, n: int) -> AcquisitionFunction:
        x, y = torch.tensor(self._x), -torch.tensor(self._y)[:, None]
        n_levels = {i: len(levels) for i, levels in self._categories.items()}
        encoders = {i: partial(one_hot, num_classes=k) for i, k in n_levels.items()}
        transform = None
        if n_levels:
            transform = NumericToCategoricalEncoding(len(self.params), n_levels, encoders)
        model = SingleTaskGP(x, y, input_transform=transform)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        if self.task.noisy or n > 1:
            return qLogNoisyExpectedImprovement(model, X_baseline=x, prune_baseline=True)
        return LogExpectedImprovement(model, best_f=y.max())


_STEPS = {"alternating": 8, "discrete": 4, "continuous": 8}


def _encode(p: Parameter, value: Any) -> float:
    if p.kind == "cat":
        return float(p.choices.index(value))
    if p.kind == "ord":
        return p.choices.index(value) / (len(p.choices) - 1)
    if p.log:
        return float((np.log(value) - np.log(p.low)) / (np.log(p.high) - np.log(p.low)))
    return float((value - p.low) / (p.high - p.low))


def _decode(p: Parameter, u: float) -> Any:
    if p.kind == "cat":
        return p.choices[round(u)]
    if p.kind == "ord":
        return p.choices[round(u * (len(p.choices) - 1))]
    if p.log:
        value = float(np.exp(np.log(p.low) + u * (np.log(p.high) - np.log(p.low))))
    else:
        value = float(p.low + u * (p.high - p.low))
    value = min(max(round(value) if p.kind == "int" else value, p.low), p.high)
    return int(value) if p.kind == "int" else value
