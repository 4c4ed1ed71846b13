"""Spaces that are functions, for tests of samplers; what they return is what they asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sk_hpo.space.chooser import Chooser
from sk_hpo.space.space import Space

__all__ = [
    *("FINITE", "INFINITE", "branch", "definitions", "lists", "loop", "space_of"),
    "threshold",
]


def loop(t: Chooser) -> dict[str, Any]:
    """Ask for as many widths as there are layers."""
    n = t.int("n", 0, 3, default=1)
    found = {"n": n, "lr": t.float("lr", 1e-4, 1e-1, log=True)}
    return found | {f"units_{i}": t.int(f"units_{i}", 16, 256, log=True) for i in range(n)}


def threshold(t: Chooser) -> dict[str, Any]:
    """Branch by a number."""
    x = t.float("x", 0, 1)
    if x > 0.4:
        return {"x": x, "y": t.float("y", -1, 1)}
    return {"x": x, "k": t.categorical("k", ["u", "v", None])}


def definitions(t: Chooser) -> dict[str, Any]:
    """Ask for one name in two ways."""
    deep = t.boolean("deep")
    width = t.int("width", 16, 64 if deep else 1024, log=True)
    return {"deep": deep, "width": width} | ({"depth": t.int("depth", 2, 5)} if deep else {})


def branch(t: Chooser) -> dict[str, Any]:
    """Branch by a category, and ask for one name in two ways."""
    kind = t.categorical("kind", ["a", "b"])
    if kind == "a":
        return {"kind": kind, "m": t.int("m", 0, 2), "use": t.boolean("use")}
    m = t.int("m", 0, 3)
    return {"kind": kind, "m": m} | ({"share": t.float("share", 0, 1, step=0.5)} if m else {})


def lists(t: Chooser) -> dict[str, Any]:
    """Ask for a list of lists."""
    n = t.categorical("n", [0, 1, 2])
    return {"n": n} | {f"u{i}": t.categorical(f"u{i}", [min, max]) for i in range(n)}


@cache
def space_of(function: Callable[[Chooser], dict[str, Any]]) -> Space:
    """Return the space of a function, explored once."""
    return Space(function)


FINITE = {"branch": lambda: space_of(branch), "lists": lambda: space_of(lists)}
INFINITE = {
    "loop": lambda: space_of(loop),
    "threshold": lambda: space_of(threshold),
    "definitions": lambda: space_of(definitions),
}
