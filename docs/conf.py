"""Sphinx: `make docs` builds the guide, offline, with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from sk_hpo._version import __version__  # noqa: E402

project = "sk_hpo"
author = "the sk_hpo developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "gallery",
    "plots",
    "reference",
    "figures",
]
root_doc = "index"
exclude_patterns = ["_build", "_ext", "generated/**/*.txt"]
default_role = "autolink"
nitpicky = True
# Names of other projects, whose documentation is not at hand offline, and inside the house.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!sk_hpo).*"),
    (r"py:obj", r"sk_hpo\.(?!torch\.|testing\.)[a-z_]+\..*"),
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.strikethrough"]

autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"sk_hpo {version}"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"
