"""The executor that joblib's settings ask for.

``n_jobs`` and ``joblib.parallel_config(backend=...)`` mean what they mean elsewhere in
scikit-learn.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import joblib
from joblib.executor import get_memmapping_executor
from joblib.parallel import BACKENDS, get_active_backend

from sk_hpo.execution.base import Executor
from sk_hpo.execution.batch import BatchExecutor
from sk_hpo.execution.pool import PoolExecutor
from sk_hpo.execution.serial import SerialExecutor

__all__ = ["make_executor"]

# loky lets idle workers go after this many seconds; joblib's own value.
_IDLE = 300


def make_executor(n_jobs: int | None, pre_dispatch: int | str = "2*n_jobs") -> Executor:
    """Return the executor for `n_jobs` under joblib's active configuration.

    Parameters
    ----------
    n_jobs : int or None
        As in `joblib.Parallel`: None is 1 unless a `joblib.parallel_config` says
        otherwise, -1 is all cores.
    pre_dispatch : int or str, default="2*n_jobs"
        As in `joblib.Parallel`; used by backends that joblib itself drives.

    Returns
    -------
    executor : Executor
        Serial for one job; threads for "threading"; loky worker processes, kept warm
        between calls as joblib keeps them, for "loky"; else joblib runs the calls.
    """
    slots = joblib.effective_n_jobs(n_jobs)
    backend = get_active_backend()[0]
    if slots == 1:
        return SerialExecutor()
    if isinstance(backend, BACKENDS["threading"]):
        return PoolExecutor(ThreadPoolExecutor(slots), slots)
    if isinstance(backend, BACKENDS["loky"]):
        # joblib's own pool, with joblib's settings for the threads of a worker: a process
        # has one such pool, and joblib's Parallel must be able to go on with it.
        pool = get_memmapping_executor(
            slots, timeout=_IDLE, env=backend._prepare_worker_env(n_jobs=slots)
        )
        return PoolExecutor(pool, slots, owned=False)
    return BatchExecutor(slots, n_jobs, pre_dispatch)
