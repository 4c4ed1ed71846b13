"""The search as a tree of tasks, for scikit-learn's callbacks.

fit -> search -> [one task per rung] -> one leaf per candidate and fold; and the refit.
The tree is built in the driver before a fold is sent away, since a worker gets a copy.
"""

from __future__ import annotations

from typing import Any

from sk_hpo.search.plan import Plan
from sk_hpo.trial import Job, Outcome

__all__ = ["CallbackProgress", "listens"]


def listens(search: Any) -> bool:
    """Whether anyone hears what the callbacks of `search` or its estimator are told."""
    return any(
        hasattr(search, name) for name in ("_skl_callbacks", "_parent_callback_ctx")
    ) or hasattr(search.estimator, "_skl_callbacks")


class CallbackProgress:
    """Tells scikit-learn's callbacks how far a search is.

    Parameters
    ----------
    search : BaseSearchCV
        Passed to the hooks.
    root : CallbackContext
        The search's ``fit`` task.
    plan : Plan
        What is planned. If it is not exact, the numbers of leaves are not announced, and
        rungs end with the search.
    """

    def __init__(self, search: Any, root: Any, plan: Plan) -> None:
        self._search = search
        self._exact = plan.exact
        self._n_splits = plan.n_splits
        self._flat = len(plan.rungs) == 1
        self._left = {(r.bracket, r.rung): plan.n_fits_of(r) for r in plan.rungs}
        self._n_leaves = dict.fromkeys(self._left, 0)
        sizes = [n if plan.exact else None for n in self._left.values()]
        self._top = root.subcontext(
            task_name="search",
            max_subtasks=sizes[0] if self._flat else len(sizes),
            sequential_subtasks=not self._flat,
        )
        self._top.call_on_fit_task_begin(estimator=search)
        self._begun: set[tuple[int, int]] = set()
        if self._flat:
            self._rungs = dict.fromkeys(self._left, self._top)
        else:
            self._rungs = {
                key: self._top.subcontext(
                    task_name="halving-iteration", max_subtasks=size, sequential_subtasks=False
                )
                for key, size in zip(self._left, sizes, strict=True)
            }

    def fold(self, job: Job, fold: int) -> Any:
        """Return the leaf for a fold; its rung begins with its first leaf."""
        key = (job.bracket, job.rung)
        rung = self._rungs[key]
        if not self._flat and key not in self._begun:
            rung.call_on_fit_task_begin(estimator=self._search)
            self._begun.add(key)
        leaf = rung.subcontext(
            task_name="candidate-split-evaluation", task_id=self._n_leaves[key]
        )
        self._n_leaves[key] += 1
        return leaf

    def told(self, job: Job, outcome: Outcome) -> None:
        """End the rung of `job` if this was its last candidate."""
        key = (job.bracket, job.rung)
        self._left[key] -= self._n_splits if job.folds is None else len(job.folds)
        if self._exact and not self._left[key]:
            self._end(key)

    def close(self) -> None:
        """End what is still open: rungs that were not filled, and the search."""
        for key in sorted(self._begun):
            self._end(key)
        self._top.call_on_fit_task_end(estimator=self._search)

    def _end(self, key: tuple[int, int]) -> None:
        if not self._flat and key in self._begun:
            self._rungs[key].call_on_fit_task_end(estimator=self._search)
            self._begun.discard(key)
