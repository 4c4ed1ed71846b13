"""The best candidates vote: a fitted ensemble, and what its score is worth."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from sk_hpo.evaluation.answers import Answers, rescored
from sk_hpo.inspection.record import score_text
from sk_hpo.search.evidence import Evidence

__all__ = ["Voter", "Voting", "out_of_fold_score", "voting_ensemble"]

Voting = Literal["auto", "hard", "soft"]

_CHOSEN = (
    "The members were chosen by their scores on the very same folds, so that it is too good:"
    " a test set (test_size=) or nested_cross_validate tell what the choice is worth."
)


class Voter(BaseEstimator):
    """A fitted estimator as a member of a scikit-learn ensemble, which does not train it.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    classes : ndarray of shape (n_classes,), default=None
        Of a classifier: its predictions become their numbers, in which scikit-learn's
        `VotingClassifier` counts votes.
    """

    def __init__(self, estimator: Any, classes: Any = None) -> None:
        self.estimator = estimator
        self.classes = classes

    def __sklearn_clone__(self) -> Voter:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)

    def fit(self, X: Any, y: Any = None) -> Voter:
        """Do nothing: the estimator is fitted."""
        return self

    def predict(self, X: Any) -> Any:
        """Return the numbers of classes, or values, of shape (n_samples,)."""
        found = np.asarray(self.estimator.predict(X))
        if self.classes is None:
            return found.ravel()
        return np.searchsorted(self.classes, found)

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Return probabilities of shape (n_samples, n_classes)."""
        return self.estimator.predict_proba(X)


def voting_ensemble(
    members: Mapping[str, Any], y: Any, voting: Voting = "auto"
) -> VotingClassifier | VotingRegressor:
    """Return a fitted ensemble of fitted estimators.

    Parameters
    ----------
    members : mapping of str to estimator
        All classifiers or all regressors.
    y : array-like of shape (n_samples,)
        What they were trained on.
    voting : {"auto", "hard", "soft"}, default="auto"
        Of classifiers.

    Raises
    ------
    TypeError
        If they are neither.
    ValueError
        If y has several outputs, or "soft" is asked for where a member has no probabilities.
    """
    if voting not in ("auto", "soft", "hard"):
        raise ValueError(f"voting must be 'auto', 'soft' or 'hard', got {voting!r}.")
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(f"An ensemble votes on one output; y has {y.shape[1]}.")
    y = y.ravel()
    if all(map(is_classifier, members.values())):
        classes = np.unique(y)
        voters = [(name, Voter(member, classes)) for name, member in members.items()]
        silent = [name for name, voter in voters if not hasattr(voter, "predict_proba")]
        if voting == "soft" and silent:
            raise ValueError(f"voting='soft' needs predict_proba, which {silent} do not have.")
        soft = voting == "soft" or (voting == "auto" and not silent)
        return VotingClassifier(voters, voting="soft" if soft else "hard").fit(None, y)
    if all(map(is_regressor, members.values())):
        voters = [(name, Voter(member)) for name, member in members.items()]
        return VotingRegressor(voters).fit(None, y)
    raise TypeError("Only classifiers and regressors can vote.")


def out_of_fold_score(
    ensemble: Any, evidence: Evidence | str | None, rows: Sequence[int]
) -> tuple[float | None, str]:
    """Return the score of the ensemble of the fold models, and what is to say of it.

    Parameters
    ----------
    ensemble : VotingClassifier or VotingRegressor
        From `voting_ensemble`.
    evidence : Evidence, str or None
        Of the search, or why it has none.
    rows : sequence of int
        Which rows of ``cv_results_`` the members are.

    Returns
    -------
    score : float or None
        Mean over the folds, as ``best_score_``; None if it cannot be told.
    note : str
        Why, or what it is worth.
    """
    why = _lacking(evidence, rows)
    if why:
        return None, f"There is no score of the ensemble: {why}"
    assert isinstance(evidence, Evidence)
    known, own = _of_rows(evidence, rows)
    votes = _votes(ensemble, known)
    if votes is None:
        soft = getattr(ensemble, "voting", "") == "soft"
        return None, "There is no score of the ensemble: " + (
            "the scorer asked for predictions only, and soft voting needs probabilities. Use"
            " voting='hard', or a scoring that asks for them, such as 'neg_log_loss'."
            if soft
            else "the scorer did not ask for predictions, and voting='hard' counts these. Use"
            " voting='soft', or a scoring that asks for them, such as 'accuracy'."
        )
    again = [_fold_scores(ensemble, evidence, of_one) for of_one in known]
    scores = _fold_scores(ensemble, evidence, votes)
    if scores is None or any(
        of is None or not np.allclose(of, o) for of, o in zip(again, own, strict=True)
    ):
        return None, (
            "There is no score of the ensemble: the scorer looks at more than predictions."
        )
    score = float(np.mean(scores))
    return score, (
        f"{score_text(score)} is the mean score, over the folds, of an ensemble of the members'"
        f" fold models on rows that they were not trained on. {_CHOSEN}"
    )


def _lacking(evidence: Evidence | str | None, rows: Sequence[int]) -> str:
    """Return why there is nothing to make a score of; empty if there is."""
    if not isinstance(evidence, Evidence):
        return evidence or "the search chose no candidate."
    if evidence.predictions is None:
        return f"{evidence.note}." if evidence.note else "it needs keep_predictions=True."
    whole = np.isfinite(evidence.fold_scores).all(axis=1)
    if not set(rows) <= set(evidence.positions[whole]):
        return "not all members have a score on every fold."
    return ""


def _of_rows(
    evidence: Evidence, rows: Sequence[int]
) -> tuple[list[Mapping[str, Any]], np.ndarray]:
    """Return predictions and fold scores of the members."""
    assert evidence.predictions is not None
    whole = np.flatnonzero(np.isfinite(evidence.fold_scores).all(axis=1))
    places = {int(evidence.positions[i]): n for n, i in enumerate(whole)}
    chosen = [places[int(row)] for row in rows]
    known = [evidence.predictions.known[n] for n in chosen]
    return known, evidence.fold_scores[whole[chosen]]


def _votes(ensemble: Any, known: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what the ensemble of the fold models predicts; None if that is not known."""
    if isinstance(ensemble, VotingRegressor):
        if not all("predict" in of for of in known):
            return None
        values = [np.asarray(of["predict"]).reshape(len(of["predict"]), -1) for of in known]
        return {"predict": np.mean(values, axis=0)[:, 0]}
    classes = ensemble.classes_
    if ensemble.voting == "soft":
        if not all("predict_proba" in of for of in known):
            return None
        proba = np.mean([of["predict_proba"] for of in known], axis=0)
        return {"predict_proba": proba, "predict": classes[proba.argmax(axis=1)]}
    if not all("predict" in of for of in known):
        return None
    codes = np.array([np.searchsorted(classes, of["predict"]) for of in known])
    counts = np.array([(codes == code).sum(axis=0) for code in range(len(classes))])
    return {"predict": classes[counts.argmax(axis=0)]}


def _fold_scores(
    ensemble: Any, evidence: Evidence, known: Mapping[str, Any]
) -> np.ndarray | None:
    """Return the scores of the folds by what was predicted; None if they do not follow."""
    of = evidence.predictions
    assert of is not None
    n_rows = len(of.rows)
    answers = Answers(ensemble, of.X, known)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folds without one of the classes: told before
        for rows in np.split(np.arange(n_rows), of.starts):
            score = rescored(answers, evidence.scorer, of.X, of.y, of.params, rows)
            found.append(score[evidence.metric] if isinstance(score, dict) else score)
    return None if None in found else np.array(found, float)
