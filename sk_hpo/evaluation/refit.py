"""The final model, trained for as long as its folds settled on, without early stopping."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sk_hpo.evaluation.early_stopping import last_of, stopper_of
from sk_hpo.evaluation.nets import epochs_of, is_net
from sk_hpo.evaluation.resources import Accelerator, Resource
from sk_hpo.evaluation.warm_start import QUIET
from sk_hpo.evaluation.whole import Whole

__all__ = ["fixed", "note_epochs", "quiet_if"]


def fixed(
    kind: Resource, estimator: Any, to: int, top: int, n_epochs: int
) -> tuple[Resource, int, int]:
    """Have `estimator` train for `n_epochs`; return how, to which resource, and of how many.

    Parameters
    ----------
    kind : Resource
        By which it was selected.
    estimator : estimator
        Unfitted, with its parameters; they change.
    to : int
        The resource that was selected.
    top : int
        Over which schedules were laid out.
    n_epochs : int
        Epochs, iterations or trees that its folds settled on.

    Returns
    -------
    kind, to, top
        For `Resource.begin` and `Resource.advance`. Schedules stay laid out as they were.

    Examples
    --------
    >>> from sklearn.linear_model import SGDClassifier
    >>> model = SGDClassifier(early_stopping=True)
    >>> kind, to, top = fixed(Whole(), model, 1, 1, n_epochs=12)
    >>> kind.name, model
    ('fit', SGDClassifier(max_iter=12, tol=None))
    """
    if kind.parameter is not None:
        estimator.set_params(**{kind.parameter: to})
    last = last_of(estimator)
    stopper = stopper_of(last)
    assert stopper is not None
    stopper.fix(last, n_epochs)
    if not is_net(last):
        return Whole(), 1, 1
    if kind.name == "epochs":
        return kind, n_epochs, max(n_epochs, top)
    accelerator: Accelerator = getattr(kind, "accelerator", "off")
    found = epochs_of(estimator, accelerator, private_files=False)
    if found is None:  # a net or a Pipeline with a fit of its own
        last.set_params(max_epochs=n_epochs)
        return Whole(), 1, 1
    epochs, planned = found
    return epochs, n_epochs, max(n_epochs, planned)


def note_epochs(fitted: Any, n_epochs: int) -> Any:
    """Return a fitted net with the number of its epochs as its parameter; others as they are.

    So a clone of it trains for as long.
    """
    last = last_of(fitted)
    if is_net(last):
        last.set_params(max_epochs=n_epochs)
    return fitted


def quiet_if(condition: bool) -> AbstractContextManager[None]:
    """Hide that an iteration has not converged, where its number was meant."""
    return QUIET if condition else nullcontext()
