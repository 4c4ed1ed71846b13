"""The API reference: a page for every public name, so that none can be forgotten.

Public are the names in ``__all__`` of the packages in `PUBLIC`, listed by the room of the house
that they come from; besides them, what searches return, and what is there to be subclassed.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType
from typing import Any

PUBLIC = ("sk_hpo", "sk_hpo.torch", "sk_hpo.testing")
# Not imported by those who search, but met by them.
RETURNED = (
    ("sk_hpo.samplers.surrogate", "Surrogate"),
    ("sk_hpo.schedulers.base", "Standing"),
    ("sk_hpo.search.plan", "Plan"),
    ("sk_hpo.validation.correction", "CorrectedScore"),
    ("sk_hpo.validation.nested", "NestedResult"),
    ("sk_hpo.validation.ttest", "Comparison"),
)
EXTENDED = (
    ("sk_hpo.samplers.base", "Sampler"),
    ("sk_hpo.schedulers.base", "Scheduler"),
    ("sk_hpo.stop", "StopPolicy"),
    *(("sk_hpo.trial", name) for name in ("Job", "Outcome", "Reason", "Trial")),
)
PAGES = "generated/api"  # seen from docs/
# Room -> its title; names from other rooms come last.
ROOMS = {
    "sk_hpo.search": "Searches",
    "sk_hpo.space": "Spaces",
    "sk_hpo.search.refine": "Spaces",
    "sk_hpo.samplers": "Samplers",
    "sk_hpo.stop": "When to stop",
    "sk_hpo.journal": "Journal",
    "sk_hpo.validation": "Scores that hold",
    "sk_hpo.inspection": "Looking at a search",
    "sk_hpo.search.writers": "Looking at a search",
    "sk_hpo.torch": "For torch and skorch",
    "sk_hpo.evaluation": "For torch and skorch",
    "sk_hpo.testing": "For those who write samplers and schedulers",
}
MORE, RESULTS, EXTENDING = "More", "What searches return", ROOMS["sk_hpo.testing"]


def public() -> list[tuple[str, str]]:
    """Return all public names, each with the package that one imports it from."""
    return [
        (package, name)
        for package in PUBLIC
        for name in importlib.import_module(package).__all__
        if not name.startswith("__")
    ]


def room(package: str, name: str) -> str:
    """Return the title under which a name is listed."""
    if (package, name) in EXTENDED:
        return EXTENDING
    if (package, name) in RETURNED:
        return RESULTS
    origin = getattr(getattr(importlib.import_module(package), name), "__module__", package)
    rooms = [module for module in ROOMS if origin.startswith(module)]
    return ROOMS[max(rooms, key=len)] if rooms else MORE


def methods(owner: type) -> list[str]:
    """Return the public methods and properties that sk_hpo documents, by name."""
    found = set()
    for base in owner.__mro__:
        if base.__module__.startswith("sk_hpo"):
            found |= {name for name, value in vars(base).items() if _documented(name, value)}
    return sorted(found)


def _documented(name: str, value: Any) -> bool:
    kinds = property | classmethod | staticmethod | FunctionType
    public = not name.startswith("_") and isinstance(value, kinds)
    return public and bool(inspect.getdoc(value))


def page(package: str, name: str) -> str:
    """Return the page of a name, in reStructuredText."""
    value = getattr(importlib.import_module(package), name)
    lines = [name, "=" * len(name), "", f".. currentmodule:: {package}", ""]
    if not inspect.isclass(value):
        return "\n".join([*lines, f".. autofunction:: {name}", ""])
    lines += [f".. autoclass:: {name}", ""]
    for method in methods(value):
        static = inspect.getattr_static(value, method)
        kind = "autoproperty" if isinstance(static, property) else "automethod"
        lines += [f"   .. {kind}:: {method}", ""]
    return "\n".join(lines)


def summary(package: str, name: str) -> str:
    """Return the first sentence of a docstring, as Markdown."""
    text = inspect.getdoc(getattr(importlib.import_module(package), name)) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return first.replace("``", "`")


def index(names: Iterable[tuple[str, str]]) -> str:
    """Return the tables of all names, by room, in Markdown."""
    order = [t for t in dict.fromkeys(ROOMS.values()) if t != EXTENDING]
    order += [MORE, RESULTS, EXTENDING]
    by_room: dict[str, list[tuple[str, str]]] = {title: [] for title in order}
    for package, name in names:
        by_room[room(package, name)].append((package, name))
    parts = []
    for title, inside in by_room.items():
        if inside:
            rows = [
                f"| [`{name}`]({PAGES}/{package}.{name}.rst) | {summary(package, name)} |"
                for package, name in sorted(inside, key=lambda pair: pair[1].lower())
            ]
            parts += [f"## {title}", "\n".join(["| name | what it is |", "|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def build(docs: Path) -> None:
    """Write all pages, and ``index.txt`` for the page that lists them."""
    folder = docs / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    names = [*public(), *RETURNED, *EXTENDED]
    pages = {f"{package}.{name}.rst": page(package, name) for package, name in names}
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    toctree = "\n".join(f"{PAGES}/{file.removesuffix('.rst')}" for file in pages)
    pages["index.txt"] = index(names) + f"\n```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"
    for file, text in pages.items():
        path = folder / file
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app):
    app.connect("builder-inited", lambda app: build(Path(app.srcdir)))
    return {"parallel_read_safe": True}
