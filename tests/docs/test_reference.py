"""No public name is missing in the reference."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import reference

import sk_hpo


def test_every_package_with_a_face_is_public():
    packages = [m.name for m in pkgutil.walk_packages(sk_hpo.__path__, "sk_hpo.") if m.ispkg]
    faces = [name for name in packages if getattr(importlib.import_module(name), "__all__", ())]
    assert sorted(reference.PUBLIC) == sorted(["sk_hpo", *faces])


def test_every_public_name_has_a_page_and_is_listed(tmp_path):
    reference.build(tmp_path)
    index = (tmp_path / reference.PAGES / "index.txt").read_text()
    for package in reference.PUBLIC:
        for name in set(importlib.import_module(package).__all__) - {"__version__"}:
            page = (tmp_path / reference.PAGES / f"{package}.{name}.rst").read_text()
            assert f":: {name}" in page
            assert index.count(f"({reference.PAGES}/{package}.{name}.rst)") == 1
            assert f"\n{reference.PAGES}/{package}.{name}\n" in index


def test_the_page_of_a_name_that_is_gone_goes_too(tmp_path):
    gone = tmp_path / reference.PAGES / "sk_hpo.Gone.rst"
    gone.parent.mkdir(parents=True)
    gone.touch()
    reference.build(tmp_path)
    assert not gone.exists()


@pytest.mark.parametrize(("package", "name"), reference.public())
def test_every_public_name_says_what_it_is(package, name):
    assert reference.summary(package, name).endswith((".", ":"))
    assert reference.room(package, name) != reference.MORE


def test_methods_are_those_that_are_documented_here():
    listed = reference.methods(sk_hpo.RandomSearchCV)
    assert {"plan", "fit", "compare", "corrected_score_"} <= set(listed)
    assert "get_params" not in listed
