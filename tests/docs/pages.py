"""The code of Markdown pages, and what they say that it prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Blocks that run: ```python, and ```{plot}, which the guide shows with its figure.
RUNS = re.compile(
    r"^```(?:python|\{plot\})\n(?P<code>.*?)^```$"
    r"(?:\s+(?:prints\s+)?^```text\n(?P<printed>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
# Blocks that are only shown: they need a cluster, a device or another package.
SHOWN = re.compile(r"^```\{code-block\} python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"^:[\w-]+:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    code: str
    printed: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that run, in order."""
    text = page.read_text()
    return [
        Block(
            OPTION.sub("", match["code"]),
            match["printed"] or "",
            text.count("\n", 0, match.start("code")),
        )
        for match in RUNS.finditer(text)
    ]


def shown(page: Path) -> list[str]:
    """Return the code of a page that is not run."""
    return [OPTION.sub("", code) for code in SHOWN.findall(page.read_text())]
