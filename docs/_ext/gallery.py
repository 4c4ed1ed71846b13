"""The gallery: every ``examples/plot_*.py`` becomes a page with what it prints and draws.

A script is a docstring (its first line is the title) and cells that begin with ``# %%``; the
comment lines under ``# %%`` are Markdown. A run at full budget is stored by hand, once:

    python docs/_ext/gallery.py examples/plot_one.py

The build shows what was stored. Where nothing is, or where the code has changed since, it runs
the script with ``SK_HPO_EXAMPLES=small`` and says so on the page.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from plots import draw

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "docs" / "_static" / "gallery"
PAGES = "generated/gallery"  # seen from docs/
BUDGET = "SK_HPO_EXAMPLES"


@dataclass(frozen=True)
class Cell:
    text: str  # Markdown
    code: str
    line: int  # of the script, where the code begins, from 0


@dataclass(frozen=True)
class Script:
    path: Path
    title: str
    text: str
    cells: tuple[Cell, ...]

    @property
    def fingerprint(self) -> str:
        """A hash of the code alone: comments and layout may change."""
        trees = [ast.dump(ast.parse(cell.code)) for cell in self.cells]
        return hashlib.sha256("\n".join(trees).encode()).hexdigest()


def scripts() -> list[Path]:
    return sorted((ROOT / "examples").glob("plot_*.py"))


def read(path: Path) -> Script:
    """Return a script in its cells; ValueError if it has no docstring."""
    source = path.read_text()
    tree = ast.parse(source)
    docstring = ast.get_docstring(tree)
    if docstring is None:
        raise ValueError(f"{path} has no docstring, which is the title and text of its page.")
    title, _, text = docstring.partition("\n")
    after = tree.body[0].end_lineno or 0
    cells = tuple(_cells(source.splitlines(), after))
    return Script(path, title.rstrip("."), text.strip(), cells)


def _cells(lines: Sequence[str], begin: int) -> Iterator[Cell]:
    marks = [i for i in range(begin, len(lines)) if lines[i].startswith("# %%")]
    for start, stop in zip([begin, *marks], [*marks, len(lines)], strict=True):
        first = start
        if start in marks:
            first += 1
            while first < stop and lines[first].startswith("#"):
                first += 1
        text = [line.removeprefix("#").removeprefix(" ") for line in lines[start + 1 : first]]
        code = "\n".join(lines[first:stop])
        if text or code.strip():
            yield Cell("\n".join(text) if start in marks else "", code, first)


@dataclass(frozen=True)
class Shown:
    """What a cell printed and drew."""

    printed: str
    pictures: tuple[bytes, ...]  # PNG


def run(script: Script) -> list[Shown]:
    """Run the cells of a script in this process, in one namespace."""
    module = ModuleType("__main__")
    module.__file__ = str(script.path)
    before = sys.modules["__main__"], sys.path[:]
    sys.modules["__main__"] = module
    sys.path.insert(0, str(script.path.parent))
    try:
        return [_run(cell, script.path, module) for cell in script.cells]
    finally:
        sys.modules["__main__"], sys.path[:] = before


def _run(cell: Cell, path: Path, module: ModuleType) -> Shown:
    printed = io.StringIO()
    code = compile("\n" * cell.line + cell.code, str(path), "exec")
    with redirect_stdout(printed):
        pictures = draw(code, module.__dict__)
    return Shown(printed.getvalue(), tuple(pictures))


def store(script: Script, shown: Sequence[Shown], seconds: float, folder: Path) -> None:
    """Write what a script showed: a JSON file, and its pictures beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{script.path.stem}-*.png"):
        old.unlink()
    cells, count = [], 0
    for one in shown:
        names = []
        for picture in one.pictures:
            count += 1
            names.append(f"{script.path.stem}-{count}.png")
            (folder / names[-1]).write_bytes(picture)
        cells.append({"printed": one.printed, "pictures": names})
    record = {
        "code": script.fingerprint,
        "small": os.environ.get(BUDGET) == "small",
        "seconds": round(seconds, 1),
        "cells": cells,
    }
    (folder / f"{script.path.stem}.json").write_text(json.dumps(record, indent=1) + "\n")


def stored(script: Script, folder: Path) -> dict | None:
    """Return what was stored of a script, None if its code is another by now."""
    path = folder / f"{script.path.stem}.json"
    record = json.loads(path.read_text()) if path.exists() else None
    return record if record and record["code"] == script.fingerprint else None


# -- pages -----------------------------------------------------------------------------------


def page(script: Script, record: dict, pictures: str) -> str:
    """Return the page of a script; `pictures` is where they are, seen from the page."""
    parts = [f"# {script.title}", script.text]
    for cell, shown in zip(script.cells, record["cells"], strict=True):
        parts += [cell.text]
        if cell.code.strip():
            parts += [f"```python\n{cell.code.strip()}\n```"]
        if shown["printed"].strip():
            parts += [f"```text\n{shown['printed'].rstrip()}\n```"]
        parts += [f"![]({pictures}/{name})" for name in shown["pictures"]]
    how = "on a small budget, by the build of this page" if record["small"] else "in full"
    name = script.path.name
    parts += [f"---\n`examples/{name}`, run {how}: {record['seconds']:.0f} s."]
    return "\n\n".join(filter(None, parts)) + "\n"


def card(script: Script, record: dict, pictures: str) -> str:
    """Return the entry of a script on the page of the gallery."""
    names = [name for shown in record["cells"] for name in shown["pictures"]]
    picture = f"![{script.title}]({pictures}/{names[-1]})\n\n" if names else ""
    link = f"[{script.title}]({PAGES}/{script.path.stem}.md)"
    return f":::{{container}} card\n{picture}{link}\n:::"


def build(docs: Path) -> None:
    """Write the pages of all scripts, and ``cards.txt`` for the page of the gallery."""
    folder = docs / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    cards, all_scripts = [], [read(path) for path in scripts()]
    for script in all_scripts:
        record, place = stored(script, STORED), "_static/gallery"
        if record is None:
            record, place = _small(script, folder / "small"), f"{PAGES}/small"
        up = "../" * len(Path(PAGES).parts)
        _write(folder / f"{script.path.stem}.md", page(script, record, f"{up}{place}"))
        cards.append(card(script, record, place))
    toctree = "\n".join(f"{PAGES}/{script.path.stem}" for script in all_scripts)
    text = "\n\n".join(cards) + f"\n\n```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"
    _write(folder / "cards.txt", text if cards else "")


def _small(script: Script, folder: Path) -> dict:
    if stored(script, folder) is None:
        command = [sys.executable, __file__, str(script.path), "--into", str(folder)]
        environment = {**os.environ, BUDGET: "small"}
        subprocess.run(command, env=environment, check=True)
    record = stored(script, folder)
    if record is None:
        raise RuntimeError(f"{script.path} was changed while it ran: build again.")
    return record


def _write(path: Path, text: str) -> None:
    # What has not changed is not read again by Sphinx.
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def setup(app):
    app.connect("builder-inited", lambda app: build(Path(app.srcdir)))
    return {"parallel_read_safe": True}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Run examples and store what they show in the guide.",
        epilog=textwrap.dedent(__doc__ or "").splitlines()[0],
    )
    parser.add_argument("scripts", type=Path, nargs="+")
    parser.add_argument("--into", type=Path, default=STORED, help="folder")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # where sk_hpo need not be installed
    for path in options.scripts:
        script = read(path.resolve())
        start = time.perf_counter()
        shown = run(script)
        store(script, shown, time.perf_counter() - start, options.into)
        print("".join(one.printed for one in shown), end="")
        print(f"{path}: {sum(len(one.pictures) for one in shown)} pictures")


if __name__ == "__main__":
    main()
