"""The executor that the user's settings ask for.

``n_jobs`` and ``joblib.parallel_config(backend=...)`` mean what they mean elsewhere in
scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent import futures
from typing import Any

import joblib
from joblib.parallel import BACKENDS, get_active_backend

from sk_hpo.execution.base import Executor
from sk_hpo.execution.batch import BatchExecutor
from sk_hpo.execution.lanes import LaneExecutor
from sk_hpo.execution.pool import PoolExecutor
from sk_hpo.execution.serial import SerialExecutor
from sk_hpo.execution.threads import ThreadExecutor

__all__ = ["make_executor"]


def make_executor(
    n_jobs: int | None,
    pre_dispatch: int | str = "2*n_jobs",
    *,
    executor: Any = None,
    devices: Sequence[str] | None = None,
    max_retries: int = 2,
    limited: bool = False,
) -> Executor:
    """Return the executor for `n_jobs` under joblib's active configuration.

    Parameters
    ----------
    n_jobs : int or None
        As in `joblib.Parallel`: None is 1 unless a `joblib.parallel_config` says
        otherwise, -1 is all cores.
    pre_dispatch : int or str, default="2*n_jobs"
        As in `joblib.Parallel`; used by backends that joblib itself drives.
    executor : concurrent.futures.Executor, distributed.Client, "ray" or None, default=None
        Where to run the calls, in place of joblib's configuration. `n_jobs` then says how
        many run at once; None for as many as there are workers.
    devices : sequence of str or None, default=None
        Each running call gets one of its own, as the keyword ``device``.
    max_retries : int, default=2
        How often a call is tried again after its worker process died.
    limited : bool, default=False
        Whether calls will have a time limit, and so must run in worker processes.

    Returns
    -------
    executor : Executor
        Serial for one job; threads for "threading"; worker processes, kept warm between
        calls as joblib keeps its own, for "loky" and "multiprocessing"; the active client
        for "dask"; tasks for "ray". Backends that others have registered are driven by
        joblib.

    Raises
    ------
    ValueError
        If calls are to be limited where they cannot be stopped, or the number of workers
        of `executor` is not known.
    TypeError
        If `executor` is of another kind.
    """
    if devices is not None and (isinstance(devices, str) or not len(devices)):
        raise ValueError(f"devices={devices!r}: give a list of names, ['cuda:0'] for one.")
    common: dict[str, Any] = {"devices": devices, "max_retries": max_retries}
    if executor is not None:
        return _given(executor, n_jobs, limited, common)
    backend = get_active_backend()[0]
    if type(backend).__name__ == "DaskDistributedBackend":
        return _dask(backend.client, None, limited, common)
    slots = joblib.effective_n_jobs(n_jobs)
    if type(backend).__module__.startswith("ray."):
        return _ray(slots, common)
    if slots == 1:
        if not limited:
            return SerialExecutor(devices)
        return LaneExecutor(1, environment=_environment(backend, 1), **common)
    if isinstance(backend, BACKENDS["threading"]):
        _must_stop(limited, "backend='threading'")
        return ThreadExecutor(futures.ThreadPoolExecutor(slots), slots, devices=devices)
    if isinstance(backend, (BACKENDS["loky"], BACKENDS["multiprocessing"])):
        return LaneExecutor(slots, environment=_environment(backend, slots), **common)
    _must_stop(limited, f"the joblib backend {type(backend).__name__}")
    return BatchExecutor(slots, n_jobs, pre_dispatch, devices)


def _environment(backend: Any, slots: int) -> dict[str, str]:
    """Return joblib's settings for the inner threads of a worker."""
    found: dict[str, str] = backend._prepare_worker_env(n_jobs=slots)
    return found


def _given(
    executor: Any, n_jobs: int | None, limited: bool, common: dict[str, Any]
) -> Executor:
    """Return what runs calls on an executor that the user passed."""
    if executor == "ray":
        return _ray(n_jobs, common)
    if type(executor).__module__.partition(".")[0] == "distributed":
        return _dask(executor, n_jobs, limited, common)
    if not isinstance(executor, futures.Executor):
        raise TypeError(
            f"executor={executor!r} is neither a concurrent.futures.Executor nor a "
            "distributed.Client nor 'ray'."
        )
    workers: Any = getattr(executor, "_max_workers", None)
    if n_jobs is None and workers is None:
        raise ValueError(f"How many calls does {executor!r} run at once? Give n_jobs.")
    slots: int = workers if n_jobs is None else joblib.effective_n_jobs(n_jobs)
    if isinstance(executor, futures.ThreadPoolExecutor):
        _must_stop(limited, "a ThreadPoolExecutor")
        return ThreadExecutor(executor, slots, devices=common["devices"], owned=False)
    return PoolExecutor(executor, slots, owned=False, **common)


def _must_stop(limited: bool, where: str) -> None:
    if limited:
        raise ValueError(
            f"A time limit needs worker processes, which can be killed; {where} has none. "
            "Use the backend 'loky', or no limit."
        )


def _dask(client: Any, n_jobs: int | None, limited: bool, common: dict[str, Any]) -> Executor:
    from sk_hpo.execution.dask_client import DaskExecutor

    executor = DaskExecutor(client, n_jobs, **common)
    _must_stop(limited and executor.in_process, "a Dask cluster with processes=False")
    return executor


def _ray(n_jobs: int | None, common: dict[str, Any]) -> Executor:
    from sk_hpo.execution.ray_tasks import RayExecutor

    return RayExecutor(n_jobs, **common)
