"""What ``verbose`` prints for each fold, in scikit-learn's words."""

from __future__ import annotations

from typing import Any

from joblib.logger import short_format_time

from sk_hpo.evaluation.records import FoldContext, FoldResult, FoldTask

__all__ = ["announce", "tell"]

_WIDTH = 80


def announce(context: FoldContext, task: FoldTask) -> None:
    """Say that a fold begins, from ``verbose=10`` on."""
    if context.verbose > 9:
        start = f"[CV{_progress(context, task)}] START {_params(context, task)}"
        print(start.ljust(_WIDTH, "."))


def tell(context: FoldContext, task: FoldTask, result: FoldResult) -> None:
    """Say what came of a fold: parameters from 2 on, scores from 3 on."""
    if context.verbose < 2:
        return
    params = _params(context, task)
    message = f"{params};" if params else ""
    if context.verbose > 2:
        message += _scores(result)
    message += f" total time={short_format_time(result.fit_time + result.score_time)}"
    end = f"[CV{_progress(context, task)}] END "
    print(end + message.rjust(_WIDTH - len(end), "."))


def _progress(context: FoldContext, task: FoldTask) -> str:
    if context.verbose < 3:
        return ""
    text = f" {task.fold + 1}/{len(context.splits)}"
    return f"{text}; {task.trial + 1}/{task.n_trials}" if context.verbose > 9 else text


def _params(context: FoldContext, task: FoldTask) -> str:
    shown = dict(task.params)
    if context.max_resources > 1:
        shown[context.resource.name] = task.stop
    return ", ".join(f"{name}={shown[name]}" for name in sorted(shown))


def _scores(result: FoldResult) -> str:
    if not isinstance(result.test_scores, dict):
        return f", score={_pair(result.train_scores, result.test_scores)}"
    train: dict[str, Any] = result.train_scores or {}
    return "".join(
        f" {name}: {_pair(train.get(name), result.test_scores[name], always=True)}"
        for name in sorted(result.test_scores)
    )


def _pair(train: float | None, test: float, *, always: bool = False) -> str:
    if train is not None:
        return f"(train={train:.3f}, test={test:.3f})"
    return f"(test={test:.3f})" if always else f"{test:.3f}"
