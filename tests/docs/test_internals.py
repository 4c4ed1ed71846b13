"""The sampler and the scheduler of the guide keep the contracts, as it says."""

from __future__ import annotations

import contextlib
import io

from docs.pages import ROOT, blocks


def written_in_the_guide(name):
    namespace = {"__name__": "page"}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in blocks(ROOT / "docs" / "internals.md"):
            if "search.fit" not in block.code:
                exec(compile(block.code, "internals.md", "exec"), namespace)
    return namespace[name]


TestHillClimber = written_in_the_guide("TestHillClimber")
TestTwoLooks = written_in_the_guide("TestTwoLooks")
