"""What a fitted search tells its user: a summary, its best candidates, and these together."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from sk_hpo import _sklearn
from sk_hpo.inspection.record import Rung, TrialRecord, score_text
from sk_hpo.inspection.recorded import record_of
from sk_hpo.inspection.sparkline import sparkline
from sk_hpo.inspection.summary import Summary, ranked, summary_of, told
from sk_hpo.search.ensemble import Voting, out_of_fold_score, voting_ensemble
from sk_hpo.search.finalists import trained, training
from sk_hpo.validation.scores import metric_names

__all__ = ["Understanding"]


class Understanding(_sklearn.BaseSearchCV):
    """What all searches can tell once they are fitted."""

    def summary(self, k: int = 5) -> Summary:
        """Return the best candidates and what they took; ``print`` it.

        Parameters
        ----------
        k : int, default=5
            How many candidates: the chosen one first, then the best of the others at the
            highest resource.

        Returns
        -------
        summary : Summary
            As text, a table of these with the standard error of their scores over the folds,
            and what the search spent, what failed and why, and what ended it.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If `k` is no whole number of at least 1.
        """
        return summary_of(self, k)

    def best_params_table(self, k: int = 10) -> Any:
        """Return the best candidates as a table.

        Parameters
        ----------
        k : int, default=10
            How many: the chosen one first, then the best of the others at the highest
            resource.

        Returns
        -------
        table : pandas.DataFrame
            A row for each, by ``rank`` from 1, with the columns ``trial``, ``score``,
            ``standard_error`` (over the folds), ``n_resources`` in a search with rungs,
            ``seconds`` (of fitting and scoring, over all folds and rungs), ``mean_test_*``
            where there are several metrics, ``test_score`` where there is a test set, which
            only the chosen candidate was scored on, and ``param_*``, NaN where a parameter
            does not exist.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ImportError
            If there is no pandas.
        """
        import pandas as pd

        record = record_of(self)
        best = ranked(record, k)
        rows = self._rows_of(best)
        frame: dict[str, Any] = {
            "trial": [trial.id for trial, _ in best],
            "score": [rung.score for _, rung in best],
            "standard_error": [rung.standard_error for _, rung in best],
        }
        if record.resource is not None:
            frame["n_resources"] = [rung.resource for _, rung in best]
        frame["seconds"] = [sum(r.seconds for r in trial.rungs) for trial, _ in best]
        metrics = metric_names(self.cv_results_)
        if len(metrics) > 1:
            for name in (f"mean_test_{metric}" for metric in metrics):
                frame[name] = self.cv_results_[name][rows]
        score = vars(self).get("test_score_", {})
        for name, value in (score if isinstance(score, dict) else {"score": score}).items():
            found = [value if trial.id == record.best else np.nan for trial, _ in best]
            frame[f"test_{name}"] = found
        for parameter in record.parameters:
            name = parameter.name
            frame[f"param_{name}"] = [trial.params.get(name, np.nan) for trial, _ in best]
        return pd.DataFrame(frame, index=pd.RangeIndex(1, len(best) + 1, name="rank"))

    def get_best_estimators(
        self, k: int, X: Any, y: Any = None, *, refit_on_all: bool = False, **params: Any
    ) -> list[Any]:
        """Train the best candidates once more, as the search trains the chosen one.

        A search keeps neither its data nor the models of the folds.

        Parameters
        ----------
        k : int
            How many: the chosen one first, then the best of the others at the highest
            resource.
        X, y, **params
            What `fit` was given. Of a search without a test set, it may be other data, say
            newer; with one, it must be the same, and the rows of the test set are left out.
        refit_on_all : bool, default=False
            Whether to train on all rows of X, the test set's too, whatever X is. None of them
            can be a test set any more.

        Returns
        -------
        estimators : list of estimator
            Fitted. The first one is trained as ``best_estimator_`` was, with the same seed.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If `k` is no whole number of at least 1, or X is not what `fit` was given and the
            search has a test set.
        """
        best = ranked(record_of(self), k)
        problem, data = training(self, X, y, params, refit_on_all)
        return trained(self, best, problem, data)

    def as_ensemble(
        self,
        k: int,
        X: Any,
        y: Any,
        *,
        voting: Voting = "auto",
        refit_on_all: bool = False,
        **params: Any,
    ) -> Any:
        """Return a fitted ensemble of the best candidates.

        Parameters
        ----------
        k, X, y, refit_on_all, **params
            As in `get_best_estimators`, which trains the members.
        voting : {"auto", "hard", "soft"}, default="auto"
            How classifiers vote: "soft" averages probabilities, "hard" counts; "auto" is
            "soft" where all members have ``predict_proba``.

        Returns
        -------
        ensemble : VotingClassifier or VotingRegressor
            Of scikit-learn, fitted. It has two attributes more: ``out_of_fold_score_``, the
            mean over the folds of the score that an ensemble of the members' fold models has
            on the rows they were not trained on, or None if that is not known (it takes
            ``keep_predictions=True``, and for "soft" a scorer that asks for probabilities);
            and ``note_``, which says why, or what it is worth: the members were chosen on the
            same folds.

        Raises
        ------
        TypeError
            If the estimator is neither a classifier nor a regressor.
        ValueError
            As `get_best_estimators`; if y has several outputs, or "soft" is asked for and not
            possible.
        """
        best = ranked(record_of(self), k)
        problem, data = training(self, X, y, params, refit_on_all)
        models = trained(self, best, problem, data)
        members = {
            f"trial_{trial.id}": model for (trial, _), model in zip(best, models, strict=True)
        }
        ensemble = voting_ensemble(members, data.y, voting)
        evidence = vars(self).get("_evidence")
        found = out_of_fold_score(ensemble, evidence, self._rows_of(best))
        ensemble.out_of_fold_score_, ensemble.note_ = found
        return ensemble

    def _rows_of(self, best: list[tuple[TrialRecord, Rung]]) -> list[int]:
        """Return the rows of ``cv_results_`` that some results are."""
        results = self.cv_results_
        n = len(results["params"])
        keys = zip(
            results.get("trial", range(n)), results.get("n_resources", [1] * n), strict=True
        )
        rows = {(int(trial), int(r)): i for i, (trial, r) in enumerate(keys)}
        return [rows[trial.id, rung.resource] for trial, rung in best]

    def _html_repr(self) -> str:
        """Return scikit-learn's diagram, and below it what was found."""
        diagram = super()._html_repr()
        return diagram + _found(self) if hasattr(self, "cv_results_") else diagram


def _found(search: Any) -> str:
    record = record_of(search)
    scores = record.incumbents()
    curve = sparkline(scores)
    head = f"{len(record.trials)} candidates"
    if hasattr(search, "best_score_"):
        head = f"{record.metric} {score_text(search.best_score_)}, best of {head}"
    params = getattr(search, "best_params_", {})
    rows = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{escape(told(value))}</td></tr>"
        for name, value in params.items()
    )
    return (
        '<div style="margin:0.5em 0;font:13px/1.4 sans-serif">'
        f"<div><b>{escape(head)}</b> {curve}</div>"
        f'<table style="border-collapse:collapse">{rows}</table></div>'
    )
