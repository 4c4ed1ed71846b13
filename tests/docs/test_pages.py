"""The code of the README and of the guide runs, and prints what they say."""

from __future__ import annotations

import ast
import importlib
import re

import pytest
from docs.pages import PAGES, ROOT, blocks, shown
from matplotlib import pyplot

WITH_CODE = [page for page in PAGES if blocks(page)]
# In backticks or as a target of a link: a place in the repository.
PLACE = re.compile(r"(?:benchmarks|docs|examples|tests|sk_hpo)/[\w/.*]*")
GENERATED = "generated/"


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_prints_what_the_page_says(page, capsys):
    """The blocks of a page are one program."""
    pyplot.switch_backend("agg")
    namespace = {"__name__": "page"}
    try:
        for block in blocks(page):
            code = "\n" * block.line + block.code
            exec(compile(code, str(page), "exec"), namespace)
            assert capsys.readouterr().out.split() == block.printed.split(), block.code
    finally:
        pyplot.close("all")


def test_every_block_of_python_is_found():
    for page in PAGES:
        fences = re.findall(r"^```(?:python|\{plot\})$", page.read_text(), re.MULTILINE)
        assert len(fences) == len(blocks(page)), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_is_only_shown_is_python_and_imports_what_there_is(page):
    for code in shown(page):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sk_hpo"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), code


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_and_places_exist(page):
    text = page.read_text()
    links = re.findall(r"\]\((?!\w+:|#)([^)#]+)", text)
    for link in links:
        assert GENERATED in link or (page.parent / link).exists(), link
    told = re.findall(r"`([^`\n]+)`", text)
    for place in (found for span in told for found in PLACE.findall(span)):
        assert any(ROOT.glob(place.rstrip("/."))) or "plot_one" in place, place


def test_the_guide_has_every_page():
    """Each is in a toctree of the index."""
    index = (ROOT / "docs" / "index.md").read_text()
    toctrees = re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
    listed = {
        line for toctree in toctrees for line in toctree.split("\n") if line[:1].isalpha()
    }
    assert listed == {page.stem for page in PAGES[1:]} - {"index"}
