from __future__ import annotations

from hypothesis import is_hypothesis_test, settings

settings.register_profile("sk_hpo", deadline=None, max_examples=50)
settings.load_profile("sk_hpo")


def pytest_collection_modifyitems(items):
    """Trace each test for the first of its parameters, and no property.

    Tracing takes time for example after example of the same lines. The share of lines that
    `pyproject.toml` wants is that of the first.
    """
    seen = set()
    for item in items:
        test = item.parent.nodeid, getattr(item, "originalname", None)
        if test in seen or is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")
        seen.add(test)
