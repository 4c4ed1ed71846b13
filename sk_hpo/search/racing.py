"""From what the user wrote in ``fold_racing=`` to a rule."""

from __future__ import annotations

from typing import Any

from sk_hpo.schedulers.rules import Forgiving, Paired, Rule
from sk_hpo.search.problem import Problem

__all__ = ["RACES", "rule_for"]

RACES = ("forgiving", "paired")


def rule_for(fold_racing: Any, problem: Problem) -> Rule | None:
    """Return when a candidate is dropped, None for never."""
    if fold_racing is False:
        return None
    if fold_racing == "paired":
        return Paired(problem.test_to_train)
    return Forgiving()
