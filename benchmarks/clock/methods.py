"""The searches by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import sk_hpo
from clock.events import Found

__all__ = ["METHODS", "OURS", "Method", "missing"]

OURS = "sk_hpo"


class Method(NamedTuple):
    """Where a search is.

    Parameters
    ----------
    module : str
        Of `clock.peers`. It may have ``set_up(jobs)`` and ``tear_down(jobs)``, which are
        not timed.
    function : str
        Called with a problem, a seed, a number of jobs and an empty folder.
    params : dict
        What it is called with besides.
    needs : tuple of str
        Packages.
    """

    module: str
    function: str
    params: dict[str, Any]
    needs: tuple[str, ...] = ()

    def load(self) -> tuple[ModuleType, Callable[..., Found]]:
        module = import_module(f"clock.peers.{self.module}")
        return module, partial(getattr(module, self.function), **self.params)


def _ours(cls: str, **params: Any) -> Method:
    return Method("ours", "search", {"cls": cls, **params})


METHODS = {
    "sklearn-random": Method("with_sklearn", "randomized", {}),
    "sklearn-halving": Method("with_sklearn", "halving", {"n": "hyperband"}),
    "sklearn-halving-default": Method("with_sklearn", "halving", {"n": "exhaust"}),
    "optuna": Method("with_optuna", "search", {}, ("optuna", "optuna_integration")),
    "ray-asha": Method("with_ray", "search", {}, ("ray", "pyarrow")),
    "sk_hpo-hyperband": _ours("HalvingHyperbandSearchCV"),
    "sk_hpo-hyperband-paired": _ours("HalvingHyperbandSearchCV", paired=True),
    "sk_hpo-asha": _ours("ASHASearchCV"),
    "sk_hpo-bohb": _ours("BOHBSearchCV"),
}


def missing(name: str) -> str:
    """Return what must be there for a search to run, or nothing if it is."""
    method = METHODS[name]
    cls = method.params.get("cls")
    if cls and not hasattr(sk_hpo, cls):
        return f"sk_hpo.{cls}"
    return next((need for need in method.needs if not find_spec(need)), "")
