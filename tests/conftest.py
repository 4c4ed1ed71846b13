from __future__ import annotations

from collections import Counter

from hypothesis import is_hypothesis_test, settings

settings.register_profile("sk_hpo", deadline=None, max_examples=50)
settings.load_profile("sk_hpo")

_TRACED = 3


def pytest_collection_modifyitems(items):
    """Trace each test for some of its parameters, and no property.

    What goes through the same lines for example after example takes twice as long if it is
    traced, and covers nothing new: the share of lines that `pyproject.toml` wants is that of
    the first few.
    """
    seen = Counter()
    for item in items:
        test = item.parent.nodeid, getattr(item, "originalname", None)
        seen[test] += 1
        if seen[test] > _TRACED or is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")
