from __future__ import annotations

from hypothesis import is_hypothesis_test, settings

settings.register_profile("sk_hpo", deadline=None, max_examples=50)
settings.load_profile("sk_hpo")


def pytest_collection_modifyitems(items):
    """Do not trace what goes through the same lines for example after example.

    Tracing takes longer than the tests, and the lines are those of other tests, too: the
    share that must be covered is that of `pyproject.toml` all the same.
    """
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")
