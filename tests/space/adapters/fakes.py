"""Stand-ins with the class and attribute names of libraries that may not be installed.

Each test of an adapter runs on these and, where it is installed, on the library itself.
"""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest


def record(name: str, arguments: str, base: type = object, /, **defaults: Any) -> type:
    """Return a class whose constructor keeps its arguments under their names."""
    names = arguments.split()

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
        vars(self).update(given)

    def __repr__(self: Any) -> str:
        return f"{name}({vars(self)})"

    return type(name, (base,), {"__init__": __init__, "__repr__": __repr__})


def real(module: str) -> Any:
    """Return a library, or skip the test."""
    # One that lacks what it needs is as good as none.
    return pytest.importorskip(module, exc_type=ImportError)


def and_real(fake: Any, module: str) -> list[Any]:
    """Return the stand-in and, where it is installed, the library: parameters of a fixture."""
    try:
        return [pytest.param(fake, id="fake"), pytest.param(import_module(module), id="real")]
    except ImportError:
        return [pytest.param(fake, id="fake")]


skopt = SimpleNamespace(
    Real=record("Real", "low high prior base transform name", prior="uniform", name=None),
    Integer=record("Integer", "low high prior base transform name", prior="uniform", name=None),
    Categorical=record("Categorical", "categories prior transform name", prior=None, name=None),
    Space=record("Space", "dimensions constraint", constraint=None),
)

_optuna = record("BaseDistribution", "")
optuna = SimpleNamespace(
    FloatDistribution=record(
        "FloatDistribution", "low high log step", _optuna, log=False, step=None
    ),
    IntDistribution=record("IntDistribution", "low high log step", _optuna, log=False, step=1),
    CategoricalDistribution=record("CategoricalDistribution", "choices", _optuna),
)


# -- Ray Tune -----------------------------------------------------------------------------


class Domain:
    def __init__(self, sampler: Any, **attributes: Any) -> None:
        self.sampler = sampler
        vars(self).update(attributes)

    def get_sampler(self) -> Any:
        return self.sampler


def _tune() -> SimpleNamespace:
    real, whole, one_of, function = (
        type(name, (Domain,), {}) for name in ("Float", "Integer", "Categorical", "Function")
    )
    even, log, normal, quantised = (
        record(*arguments)
        for arguments in (
            ("Uniform", ""),
            ("LogUniform", ""),
            ("Normal", "mean sd"),
            ("Quantized", "sampler q"),
        )
    )

    def q(sampler: Any, step: Any) -> Any:
        return sampler if step is None else quantised(sampler, step)

    def between(domain: Any, sampler: Any) -> Any:
        return lambda low, high, step=None: domain(q(sampler(), step), lower=low, upper=high)

    def around(mean: float, sd: float, step: float | None = None) -> Any:
        return real(q(normal(mean, sd), step), lower=-float("inf"), upper=float("inf"))

    return SimpleNamespace(
        uniform=between(real, even),
        quniform=between(real, even),
        loguniform=between(real, log),
        qloguniform=between(real, log),
        randint=between(whole, even),
        qrandint=lambda low, high, step=1: between(whole, even)(low, high, step),
        lograndint=between(whole, log),
        qlograndint=between(whole, log),
        randn=around,
        qrandn=around,
        choice=lambda values: one_of(even(), categories=values),
        sample_from=lambda func: function(None, func=func),
        grid_search=lambda values: {"grid_search": values},
    )


tune = _tune()


# -- Keras Tuner --------------------------------------------------------------------------


class Parent:
    def __init__(self, name: str, values: Any) -> None:
        self.name = name
        self.values = list(values)


class HyperParameters:
    """The declaring side of Keras Tuner's class of this name."""

    def __init__(self) -> None:
        self.space: list[Any] = []
        self._conditions: list[Any] = []

    def conditional_scope(self, parent_name: str, parent_values: Any) -> Any:
        self._conditions.append(Parent(parent_name, parent_values))
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *exception: object) -> None:
        self._conditions.pop()

    def _declare(self, one: Any, parent_name: Any = None, parent_values: Any = None) -> None:
        one.conditions = list(self._conditions)
        if parent_name:
            one.conditions.append(Parent(parent_name, parent_values))
        self.space.append(one)

    def Int(self, name, min_value, max_value, step=None, sampling="linear", **parent):
        step = 1 if step is None and sampling == "linear" else step
        self._declare(_Int(name, min_value, max_value, step, sampling), **parent)

    def Float(self, name, min_value, max_value, step=None, sampling="linear", **parent):
        low, high = float(min_value), float(max_value)
        self._declare(_Float(name, low, high, step, sampling), **parent)

    def Choice(self, name, values, **parent):
        self._declare(_Choice(name, values), **parent)

    def Boolean(self, name, **parent):
        self._declare(_Boolean(name), **parent)

    def Fixed(self, name, value, **parent):
        self._declare(_Fixed(name, value), **parent)


_Int, _Float = (
    record(kind, "name min_value max_value step sampling") for kind in ("Int", "Float")
)
_Choice = record("Choice", "name values")
_Boolean = record("Boolean", "name")
_Fixed = record("Fixed", "name value")
keras_tuner = SimpleNamespace(HyperParameters=HyperParameters)


# -- ConfigSpace --------------------------------------------------------------------------


class ConfigurationSpace:
    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.conditions: list[Any] = []
        self.forbidden_clauses: list[Any] = []

    def add(self, *parts: Any) -> None:
        for part in parts:
            kind = type(part).__name__
            if kind.startswith("Forbidden"):
                self.forbidden_clauses.append(part)
            elif kind.endswith(("Condition", "Conjunction")):
                self.conditions.append(part)
            else:
                self.parameters[part.name] = part

    def __iter__(self) -> Any:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]


class _Conjunction:
    def __init__(self, *components: Any) -> None:
        self.components = components
        self.child = getattr(components[0], "child", None)


def _configspace() -> SimpleNamespace:
    found: dict[str, Any] = {"ConfigurationSpace": ConfigurationSpace}
    parameters = {
        "UniformFloat": "name lower upper default_value log",
        "UniformInteger": "name lower upper default_value log",
        "NormalFloat": "name mu sigma lower upper default_value log",
        "NormalInteger": "name mu sigma lower upper default_value log",
        "BetaFloat": "name alpha beta lower upper default_value log",
        "BetaInteger": "name alpha beta lower upper default_value log",
        "Ordinal": "name sequence",
    }
    for kind, arguments in parameters.items():
        name = f"{kind}Hyperparameter"
        found[name] = record(name, arguments, log=False)
    name = "CategoricalHyperparameter"
    found[name] = record(name, "name choices default_value meta weights", weights=None)
    found["Constant"] = record("Constant", "name value")
    for kind in ("Equals", "NotEquals", "LessThan", "GreaterThan"):
        found[f"{kind}Condition"] = record(f"{kind}Condition", "child parent value")
    found["InCondition"] = record("InCondition", "child parent values")
    for kind in ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"):
        name = f"Forbidden{kind}Clause"
        found[name] = record(name, "hyperparameter value")
        name, base = f"Forbidden{kind}Relation", object
        if kind.endswith("ThanEquals"):
            base = found[f"Forbidden{kind.removesuffix('Equals')}Relation"]
        found[name] = record(name, "left right", base)
    found["ForbiddenInClause"] = record("ForbiddenInClause", "hyperparameter values")
    for name in ("And", "Or"):
        for prefix in ("", "Forbidden"):
            found[f"{prefix}{name}Conjunction"] = type(
                f"{prefix}{name}Conjunction", (_Conjunction,), {}
            )
    return SimpleNamespace(**found)


configspace = _configspace()
