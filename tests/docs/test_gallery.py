"""The examples of the gallery run on their small budget; the gallery shows what they did."""

from __future__ import annotations

import subprocess
import sys

import gallery
import pytest

SOURCE = '''"""A title.

Text *here*.
"""

import os
import pickle

from matplotlib import pyplot as plt

SMALL = os.environ.get("SK_HPO_EXAMPLES") == "small"


class Here:
    pass


# %%
# ## A heading
#
# More text.

print(pickle.loads(pickle.dumps(Here)) is Here, SMALL)
figure, ax = plt.subplots()
other, ax = plt.subplots()

# %%
print("last")
'''


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "plot_this.py"
    path.write_text(SOURCE)
    return gallery.read(path)


@pytest.mark.parametrize("path", gallery.scripts(), ids=lambda path: path.stem)
def test_examples_of_the_gallery(path, monkeypatch):
    monkeypatch.setenv(gallery.BUDGET, "small")
    script = gallery.read(path)
    shown = gallery.run(script)
    assert sum(len(one.pictures) for one in shown) >= 1
    assert 'os.environ.get("SK_HPO_EXAMPLES") == "small"' in path.read_text()


def test_a_script_is_read_in_cells(script):
    assert (script.title, script.text) == ("A title", "Text *here*.")
    assert [cell.text for cell in script.cells] == ["", "## A heading\n\nMore text.", ""]
    for cell in script.cells:
        first = next(i for i, line in enumerate(cell.code.split("\n")) if line)
        line = SOURCE.split("\n")[cell.line + first]
        assert line == cell.code.split("\n")[first]


def test_a_script_without_a_docstring_is_told(tmp_path):
    (tmp_path / "plot_bare.py").write_text("print(1)\n")
    with pytest.raises(ValueError, match=r"plot_bare\.py has no docstring"):
        gallery.read(tmp_path / "plot_bare.py")


def test_cells_share_names_and_show_what_they_do(script, monkeypatch):
    monkeypatch.setenv(gallery.BUDGET, "small")
    main = sys.modules["__main__"]
    shown = gallery.run(script)
    assert sys.modules["__main__"] is main
    assert [one.printed for one in shown] == ["", "True True\n", "last\n"]
    assert [len(one.pictures) for one in shown] == [0, 2, 0]
    assert all(p.startswith(b"\x89PNG") for one in shown for p in one.pictures)


def test_what_is_stored_is_of_this_code_only(script, tmp_path):
    command = [sys.executable, gallery.__file__, str(script.path), "--into", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    record = gallery.stored(script, tmp_path)
    assert not record["small"]
    assert record["cells"][1]["pictures"] == ["plot_this-1.png", "plot_this-2.png"]

    page = gallery.page(script, record, "../pictures")
    assert page.index("## A heading") < page.index("True False") < page.index("this-2.png")
    assert "run in full" in page

    script.path.write_text(SOURCE.replace("More text", "Other text"))
    assert gallery.stored(gallery.read(script.path), tmp_path) == record
    script.path.write_text(SOURCE.replace('"last"', '"end"'))
    assert gallery.stored(gallery.read(script.path), tmp_path) is None


def test_the_build_shows_what_is_stored_and_runs_the_rest(script, tmp_path, monkeypatch):
    docs, kept = tmp_path / "docs", tmp_path / "kept"
    monkeypatch.setattr(gallery, "scripts", lambda: [script.path])
    monkeypatch.setattr(gallery, "STORED", kept)
    gallery.build(docs)
    page = docs / gallery.PAGES / "plot_this.md"
    assert "True True" in page.read_text()
    assert "on a small budget" in page.read_text()
    gallery.store(script, gallery.run(script), 60.0, kept)
    gallery.build(docs)
    assert "True False" in page.read_text()
    assert "run in full: 60 s" in page.read_text()
    cards = (docs / gallery.PAGES / "cards.txt").read_text()
    assert "![A title](_static/gallery/plot_this-2.png)" in cards
    assert f"[A title]({gallery.PAGES}/plot_this.md)" in cards
