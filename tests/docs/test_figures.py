"""Tables of the guide say what the benchmarks wrote, and those of the README are current."""

from __future__ import annotations

import json
import re

import figures
import pytest
from docs.pages import PAGES


@pytest.mark.parametrize("name", figures.TABLES)
def test_what_was_measured_is_shown(name):
    text = figures.markdown(name)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    widths = {line.count(" | ") for line in lines if "---" not in line}
    assert len(widths) <= 1
    assert "None" not in text
    assert "nan" not in text


def test_a_table_of_regrets():
    cells = {
        "16": {"sk_hpo-gp": {"value": 9.04, "error": 0.5}, "random": {"value": 20, "error": 1}},
        "32": {"sk_hpo-gp": {"value": 25.0, "error": None}, "random": {"value": 3, "error": 1}},
    }
    report = {
        "seeds": {"sk_hpo-gp": [16, 16], "random": [4, 16]},
        "regrets": {budget: {"all": by_name} for budget, by_name in cells.items()},
    }
    assert figures.regrets(report).splitlines() == [
        "|  | at 16 | at 32 |",
        "| --- | ---: | ---: |",
        "| random | 20.0 ± 1.0 | 3.0 ± 1.0 |",
        '| **`sampler="gp"`** | 9.0 ± 0.5 | 25.0 |',
    ]


def test_a_search_that_was_never_as_good_says_so():
    row = {"rows": 10, "max_epochs": 3, "jobs": 1, "runs": 2, "wall": 1.0, "cpu": 0.5}
    row |= {"epochs": 1234, "cv": 0.5, "test": 0.25, "method": "optuna"}
    soon = {"of sklearn-random": None, "of sklearn-halving": 0.25}
    table = figures.searches([row | soon])
    cells = "| 1.0 | 0.5 | 1,234 | 0.5000 | 0.2500 | never | 25% |"
    assert table.splitlines()[-1] == f"| Optuna, TPE and Hyperband {cells}"


def test_what_was_not_measured_says_how(tmp_path):
    assert "`python benchmarks/leakage.py`" in figures.markdown("leakage", tmp_path)
    (tmp_path / "leakage.json").write_text(json.dumps([]))
    assert figures.markdown("leakage", tmp_path).startswith("| ")


def test_tables_between_marks_are_made_anew():
    text = "a\n<!-- figures: equal -->\nold\n<!-- end -->\nb"
    made = f"a\n<!-- figures: equal -->\n{figures.markdown('equal')}\n<!-- end -->\nb"
    assert figures.refreshed(text) == made == figures.refreshed(made)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_current_and_known(page):
    """If not, ``python docs/_ext/figures.py`` makes them anew."""
    text = page.read_text()
    assert figures.refreshed(text) == text
    assert set(re.findall(r"^```\{figures\} (\w+)$", text, re.MULTILINE)) <= set(figures.TABLES)
