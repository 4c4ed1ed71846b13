"""joblib's worker processes.

They are started before the clock, with torch imported, and ended by force: they would wait
for more work for five minutes, and their parent with them.
"""

from __future__ import annotations

import time
from importlib import import_module

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

__all__ = ["set_up", "tear_down"]


def set_up(jobs: int) -> None:
    if jobs > 1:
        Parallel(n_jobs=jobs)(delayed(_import)() for _ in range(4 * jobs))


def _import() -> None:
    import_module("torch").set_num_threads(1)
    import_module("clock.problem")
    time.sleep(0.1)  # so that every worker gets some


def tear_down(jobs: int) -> None:
    if jobs > 1:
        get_reusable_executor().shutdown(kill_workers=True)
