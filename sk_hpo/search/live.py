"""What ``verbose=1`` shows while a search runs: its rungs, and the best so far."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from sk_hpo.inspection.record import Rung, TrialRecord
from sk_hpo.search.plan import Plan

__all__ = ["LiveTable"]

_PAUSE = 0.1  # seconds between two pictures


class LiveTable:
    """Prints a line for each rung that is full, or shows a table on a terminal.

    A search without rungs has a line for each candidate that is the best so far.

    Parameters
    ----------
    alone : bool, default=True
        Whether nobody else prints, so that a table can stay in its place.
    """

    def __init__(self, *, alone: bool = True) -> None:
        self._alone = alone
        self._screen: Any = None

    def on_search_begin(self, search: Any, plan: Plan, names: Sequence[str]) -> None:
        """Begin with empty rungs."""
        self._began = time.monotonic()
        self._unit = plan.resource
        self._n = plan.n_candidates
        self._planned = {(r.bracket, r.rung): (r.n_trials, r.resource) for r in plan.rungs}
        self._scores: dict[tuple[int, int], list[tuple[float, int]]] = {}
        self._n_done = dict.fromkeys(self._planned, 0)
        self._said: set[tuple[int, int]] = set()
        self._best: tuple[TrialRecord, Rung] | None = None
        self._shown = 0.0
        self.on_search_end()
        if self._alone and sys.stdout.isatty():
            self._screen = _screen()

    def on_result(self, trial: TrialRecord, rung: Rung) -> None:
        """Take a result in; show what has become of it."""
        key = trial.bracket, rung.number
        self._n_done[key] = self._n_done.get(key, 0) + 1
        if not rung.failed:
            self._scores.setdefault(key, []).append((rung.score, -trial.id))
        better = not rung.failed and (self._best is None or rung.place > self._best[1].place)
        if better:
            self._best = trial, rung
        if self._screen is not None:
            self._show()
        elif self._unit is None:
            if better:
                done = sum(self._n_done.values())
                print(f"{done} of {self._n} candidates: {self._incumbent()}{self._clock()}")
        elif self._n_done[key] == self._planned.get(key, (0, 0))[0]:
            self._say(key)

    def on_search_end(self) -> None:
        """Leave the table as it is; say what is known of rungs that were not filled."""
        if self._screen is not None:
            self._show(last=True)
            self._screen.stop()
            self._screen = None
        elif self._unit is not None:
            for key in sorted(self._scores):
                self._say(key)

    def _say(self, key: tuple[int, int]) -> None:
        if key in self._said:
            return
        self._said.add(key)
        bracket, number = key
        planned, resource = self._planned[key]
        n = self._n_done[key]
        many = f"{n} candidates" if n == planned else f"{n} of {planned} candidates"
        best = "all failed"
        if scores := self._scores.get(key):
            score, trial = max(scores)
            best = f"best {score:.4g} (trial {-trial})"
        print(
            f"bracket {bracket}, iter {number}: {many} at {resource} {self._unit}, {best};"
            f" {self._incumbent()}{self._clock()}"
        )

    def _incumbent(self) -> str:
        if self._best is None:
            return "no incumbent"
        trial, rung = self._best
        at = "" if self._unit is None else f", {rung.resource} {self._unit}"
        spread = "" if rung.standard_error != rung.standard_error else (
            f" \u00b1 {rung.standard_error:.2g}"
        )  # fmt: skip
        return f"incumbent {rung.score:.4g}{spread} (trial {trial.id}{at})"

    def _clock(self) -> str:
        return f"; {time.monotonic() - self._began:.0f} s"

    def _show(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._shown < _PAUSE:
            return
        self._shown = now
        self._screen.update(self._table(), refresh=True)

    def _table(self) -> Any:
        from rich.table import Table

        table = Table(caption=f"{self._incumbent()}{self._clock()}", caption_justify="left")
        for name in ("bracket", "iter", self._unit or "folds", "candidates", "best"):
            table.add_column(name, justify="right")
        for (bracket, number), (planned, resource) in self._planned.items():
            scores = self._scores.get((bracket, number))
            best = f"{max(scores)[0]:.4g}" if scores else ""
            done = f"{self._n_done[bracket, number]}/{planned}"
            table.add_row(str(bracket), str(number), str(resource), done, best)
        return table


def _screen() -> Any:
    """Return a part of the terminal that can be written again; None without rich."""
    try:
        from rich.live import Live
    except ImportError:
        return None
    screen = Live(auto_refresh=False)
    screen.start()
    return screen
