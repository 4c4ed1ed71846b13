"""The README's code runs, and prints what the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\s+prints\s+```text\n(.*?)```", README, re.DOTALL)


def test_every_block_of_code_shows_its_output():
    assert len(EXAMPLES) == README.count("```python") > 0


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_example(code, printed, capsys):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.split() == printed.split()
