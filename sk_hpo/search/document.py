"""What the docstrings of all searches have in common, written once."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TypeVar

__all__ = ["documented"]

C = TypeVar("C", bound=type)

_SPACE = """
param_distributions : dict, list of dicts, or callable
    Parameter name -> list of values, frozen `scipy.stats` distribution, `lograndint` or `when`.
    See `sk_hpo.Space`. Or a function ``space(t) -> params`` that asks for what it needs, with
    ``t.int("n_hidden", 0, 8, default=2)``, ``t.float``, ``t.categorical`` and ``t.boolean``,
    see `sk_hpo.Chooser`, in loops and branches too, and returns the parameters of the
    estimator. It is run in this process only. Where it names defaults, a candidate with all
    of them is tried first, unless `points_to_evaluate` or `warm_start_from` say where to
    begin. ``cv_results_["params"]`` has what it returned, and the columns ``param_<name>``
    what it asked for, masked where it did not.
"""

_PARAMETERS = """
points_to_evaluate : list of dict, default=None
    Parameters that are tried first, in this order, as candidates like any others; `sampler`
    learns from them and repeats none. A dict has a value for every searched parameter that
    exists beside its other values, as ``best_params_`` of an earlier search has (for a
    function: every name that it asks for). Equal ones are tried once. More than there are
    candidates are a ValueError, and so is a value that the space or `constraint` does not
    allow.
constraint : callable, default=None
    ``constraint(params) -> bool``; False rejects a candidate.
fold_racing : bool, "forgiving" or "paired", default=False
    Whether a candidate's folds are run one by one, and the candidate is dropped once it
    cannot plausibly be among those that count on its rung (the best one, where there is
    nothing to go on to). It is compared with the last of these so far: "forgiving" (True)
    drops it if its mean is worse than the other's worst single fold [Bergman, Purucker,
    Hutter, 2024]; "paired" if a t-test on the folds that both ran, with the corrected
    variance of Nadeau and Bengio, says so at 5 %, which takes more folds and suits many.
    The best is chosen among candidates with all folds. In a search by epochs, samples or
    the like, a lower rung has fewer folds from the start, and the top rung all of them.
    With ``n_jobs``, several candidates race side by side; where each suggestion waits for
    the one before, there is nothing to do side by side.
accelerator : {"auto", "loader", "off", "require"}, default="auto"
    How skorch nets are trained faster than one by one, with the same results, on a CPU to
    the last bit. "auto": folds and candidates of one architecture are trained at once, as
    one batched model, where that pays and changes nothing; a stock `DataLoader` is replaced by
    `sk_hpo.torch.TensorLoader`, which slices arrays. "loader": only the latter. "off":
    neither. "require": as "auto", but a net that cannot be trained with others is an error.
    ``accelerator_report_`` says what was done.
test_size : float, int, or splitter or list with one split, default=None
    Rows that are set aside before anything else, and scored once, by the refitted model, after
    everything else: nothing is fitted, scaled, stopped early or selected by them. A share or
    a number of the rows, with the classes in proportion for classifiers, and whole groups
    where `fit` gets ``groups`` or ``test_groups`` (only for this); the last rows if `cv` is a
    `TimeSeriesSplit`. Or exactly which rows, e.g. ``GroupShuffleSplit(n_splits=1)``. A `cv`
    that is a list of rows, a `PredefinedSplit` or a `HoldoutValidation` counts all rows of
    X; what is held out is taken out of its splits.
refit_on_all : bool, default=False
    Whether ``best_estimator_`` is trained once more, on all rows, after `test_size` was
    looked at. ``test_score_`` stays that of the model before; ``score`` of the test rows
    then warns that the last model was trained on them.
early_stopping_split : float, int or splitter, default=None
    Which training rows of a fold early stopping watches, the same ones for every candidate:
    a share or a number of them, with the classes in proportion for classifiers, whole groups
    where `fit` gets ``groups``, and the last ones if `cv` is a `TimeSeriesSplit`; or the
    first split of a splitter. For nets, `HistGradientBoosting`, and boosters whose ``fit``
    takes an ``eval_set``; behind the other steps of a `Pipeline`, which are fitted on all
    training rows. An error for estimators that will not be told (SGD, multilayer
    perceptrons, `GradientBoosting`), or do not stop early. None leaves it to the estimator,
    which carves rows of its own from the training rows; but where there are ``groups``,
    as many rows are carved for it in whole groups, if it can be told, and a booster with
    ``early_stopping_rounds`` that gets no ``eval_set`` has a fifth of the rows to watch.
refit_epochs : {"median", "max", "early_stopping"} or callable, default="median"
    For how many epochs (iterations, trees) the best candidate is trained on all rows, where
    its folds stopped early by rows that they watched: the median of the numbers that they
    settled on, their maximum, or what ``refit_epochs(numbers) -> number`` makes of them. It
    does not stop early then, and holds no rows back, but for a net with a
    `ReduceLROnPlateau` that monitors them, or a callback of your own that might.
    Learning-rate schedules are laid out as for the folds. "early_stopping" stops by itself
    once more, on newly carved rows, and so does what lowers its learning rate by these
    rows (``learning_rate="adaptive"``).
keep_predictions : bool, default=False
    Whether to keep what candidates predict for the validation rows, which
    ``corrected_score_`` is the better for. Where scores do not follow from predictions,
    ``corrected_score_.note`` says why they are not used.
leakage : {"warn", "raise", "ignore"}, default="warn"
    What to do, before any training, where scores will be too good: copies of the same row,
    or rows of one group, on both sides of a split, training rows later than those
    validated (by an index of times of X, or of y, or a level of it), early stopping that
    watches scored rows; and where ``score`` gets rows that were used for selection (set
    "ignore" for ``cross_validate(..., return_train_score=True)``). Copies count if at least
    five different rows, a quarter of the different rows that are copied and 0.1 % of those
    that are scored are such as chance does not repeat: no other row agrees with them in half
    of the columns, in a table of 50 different rows or more, that are a quarter of all. Copies
    most of which have another y do not count: nothing is gained by remembering them.
journal : str or path-like, default=None
    A file in which every result is kept as soon as it is there. Calling `fit` again, with the
    same arguments and data, goes on where the last one was stopped or killed and ends with the
    same results; a greater `n_iter` or `max_resources` continues a search that was done.
    Anything else that differs is a `JournalError`, which says what. Paused models lie beside
    the file, in a private folder, while the search is not done. In a folder, each search has
    a file of its own, ``journal_``, and one with a greater `n_iter` is another search.
    `Journal.read` shows a journal as a table.
warm_start_from : search, Journal, path of one, or list of these, default=None
    Earlier searches that a `sampler` with a model learns from, also over another space: of a
    parameter that is new, the earlier value was the estimator's own. The best of their
    candidates is tried first, in any case; scores of earlier searches are not compared with
    those of this one.
stop : StopPolicy, default=None
    When to begin no more fits: `MaxTrials`, `MaxTime`, `NoImprovement`, `TargetScore`, or
    several, joined by ``|`` and ``&``.
time_budget : float, default=None
    Seconds that `fit` may take in all, the fit that is running at the end apart: no more is
    begun once the time that is left is needed for the refit, as far as that can be foretold.
trial_timeout : float, default=None
    Seconds that a fit on one fold may take, on one rung. One that takes longer is killed
    together with its worker process, which is replaced, and its candidate ranks last. Not in
    threads.
max_retries : int, default=2
    How often a fit is tried again whose worker process died. Then its candidate ranks last.
executor : concurrent.futures.Executor, distributed.Client or "ray", default=None
    Where to train, instead of what `n_jobs` and `joblib.parallel_config` say.
devices : list of str, default=None
    Such as ``["cuda:0", "cuda:1"]``: every fit that is running gets one of its own as its
    parameter ``device``, in a pipeline too. The refit is on the first.
scoring : str, callable, list, tuple or dict, default=None
    As in scikit-learn. Of several metrics the one that `refit` names steers the search,
    the first if `refit` names none.
n_jobs : int, default=None
    As in scikit-learn, `joblib.parallel_config` included.
refit : bool, str or callable, default=True
    As in scikit-learn, or a rule that is not fooled by noise: ``OneStandardError("-alpha")``
    takes the simplest candidate within one standard error of the best, here the one with
    the largest alpha; "most_stable", or ``MostStable()``, the one of these whose scores vary
    least from fold to fold.
cv : int, cross-validation generator or iterable, default=None
    As in scikit-learn. Folds are drawn once and used for every candidate.
verbose : int, default=0
    As in scikit-learn.
pre_dispatch : int or str, default="2*n_jobs"
    As in scikit-learn; used by backends that joblib drives.
random_state : int, RandomState instance or None, default=None
    Settles candidates, and the randomness of estimators that have no ``random_state``
    of their own. The same int gives the same results, whatever `n_jobs` is; where candidates
    are promoted, or a model is asked, as results arrive, with ``n_jobs=1``.
error_score : "raise" or numeric, default=np.nan
    As in scikit-learn.
return_train_score : bool, default=False
    As in scikit-learn.
"""

_RESOURCES = """
resource : str, default="epochs"
    What a rung gives more of. "epochs": skorch nets and estimators with ``partial_fit``,
    also as the last step of a `Pipeline` (whose transformers are fitted once per fold).
    "n_samples": nested, stratified parts of each training fold; trained from scratch.
    "folds": the first folds of `cv`, in an order that is the same for all; each is trained
    once, by a plain ``fit``, and a promoted candidate runs only those that it has not (a
    short ladder, which by itself asks for few candidates). The name of an integer
    parameter, such as "n_estimators": continued by ``warm_start`` where the estimator has
    it, else trained from scratch.
min_resources : int, default=1
    Least training that a candidate is judged by. With "n_samples", raised to two rows per
    class.
max_resources : int or "auto", default="auto"
    Training that the best get. "auto" takes the estimator's own ``max_epochs``,
    ``max_iter`` or `resource` parameter, all rows of the smallest training fold, or all
    folds.
factor : int or float, default=3
    Of the candidates on a rung, ``1 / factor`` go on, to `factor` times the resource.
    Rungs are at ``max_resources // factor**i``.
stop_hopeless : bool, default=False
    Whether a candidate is looked at after a quarter and half of the way between two rungs
    too, and stopped there if its best score is worse than the median of what those that
    have come to the end had on average so far [Golovin et al., KDD 2017]. Its row in
    `cv_results_` then has the resource that it was stopped at. Each look is one more
    scoring of the validation rows. Needs a resource that is continued.
"""

_LADDER = """
n_resources_, n_candidates_ : list of int
    Resource and number of candidates of each rung, bracket by bracket.
brackets_ : list of tuple of Standing
    For each bracket its rungs, and the trials that stood on them.
min_resources_, max_resources_ : int
    The lowest and the highest rung.
resource_spent_ : float
    Resource spent on all folds together; what `plan` foretold, less what early stopping and
    failures saved.
"""

_ROWS = """
As in scikit-learn, with a row per candidate and rung and the columns ``trial``,
``bracket``, ``iter`` (rung within the bracket) and ``n_resources`` (the rung's resource; a
candidate that stopped early used less). Ranks compare the rows of all rungs, so that the
best, which is of the highest rung, need not have rank 1.
"""

_NOTES = """
``best_*`` are chosen among the candidates at the highest resource that was reached; of a
search that was stopped, among all, for those at the top may be the few that began there. A
callable `refit` gets `cv_results_` cut to these rows. The refit trains on all of X for the
resource of the best. ``verbose=1`` prints the plan, then a line a rung. `cv` must give the
same folds at each call: with ``shuffle=True`` it needs a `random_state`.
"""

_ATTRIBUTES = """
accelerator_report_ : list of dict
    How models were trained: ``path`` ("together", "plan" for a net by itself without
    autograd, "loader", or "alone" for a plain fit), the ``reason`` if not together,
    ``n_fits``, and the ids of the ``trials``.
best_estimator_, best_score_, best_params_, best_index_ : object
    As in scikit-learn.
stopped_by_ : str or None
    Why the search ended before it was done: a policy, "time_budget=...", or "interrupt" for
    Ctrl-C, after which the best so far is taken (a second one ends the refit, too).
space_ : Space
    What was searched: ``space_.params(config)`` and ``space_.values(config)`` tell what the
    config of a trial in ``history_`` means to the estimator, and by which names it was drawn.
journal_ : str or None
    The file of the `journal`.
history_ : list of Trial
    Every candidate with its outcomes, and the reason why it was suggested; what a search that
    was stopped had begun is ``pending``. Where a race was
    lost, an outcome's ``score``, from which a `sampler` learns, is the rival's mean plus the
    mean difference on the folds that both ran; ``scores`` are NaN at the other folds.
surrogate_ : Surrogate
    What a `sampler` that learns knew in the end: ``surrogate_.predict(params,
    return_std=True)`` takes a list of dicts or a DataFrame and returns the score to be
    expected and its standard deviation. Not set where there is no model.
refit_epochs_ : int or None
    For how many epochs, iterations or trees `best_estimator_` was trained, if that follows
    from where the folds stopped (`refit_epochs`): its own parameters say so too. A net
    that went back to its best epoch counts as trained up to that.
corrected_score_ : CorrectedScore
    What ``best_score_``, the highest of many noisy numbers and so too high, comes to without
    that optimism: ``estimate`` and ``interval``. With `keep_predictions`, by BBC-CV
    [Tsamardinos et al., 2018]: the choice among the candidates at the highest resource is
    repeated on bootstrap samples of the rows (1000, or 400 where the metric is no mean
    over rows). Without, by the correction of Tibshirani
    and Tibshirani [2009] from the scores of the folds, which often takes off too much.
    Computed when first asked for; ``candidate`` is a row of ``cv_results_``. Not there if
    `refit` is a rule or a callable, whose choice cannot be repeated on bootstrap samples:
    `test_size` and `nested_cross_validate` measure it.
test_score_ : float or dict of str to float
    With `test_size`: what the test set has shown, by each metric.
test_score_interval_ : (float, float) or dict of str to (float, float)
    In which the score of new rows lies with a confidence of 95 %, by 1000 bootstrap samples
    of the test rows (percentiles); NaN where the metric cannot be had from predictions.
test_indices_ : ndarray of int
    Which rows of X the test set was.
n_test_evaluations_ : int
    How often it was looked at: once by `fit`, then by each ``score`` of its rows, which
    warns (`RepeatedTestWarning`).
n_splits_, refit_time_, scorer_, multimetric_ : object
    As in scikit-learn.
classes_, n_features_in_, feature_names_in_ : object
    Those of `best_estimator_`, where it has them.
"""


_COLUMNS = """
With a `sampler` that learns ("gp", "tpe"), also ``suggested_by`` ("user", "initial", "model" or
"random") and ``acquisition``, ``predicted_mean``, ``predicted_sd``: what the model
expected of the candidate, NaN where no model was asked.
"""

_FOLDS = """
With `fold_racing` or ``resource="folds"``, also ``n_folds``: how many folds, the first ones,
a row is about. Scores of the others are NaN, means and deviations leave them out, and ranks
put more folds before fewer, so that means are compared only over the same folds.
"""

_TEXTS = {
    "space": _SPACE,
    "parameters": _PARAMETERS,
    "resources": _RESOURCES,
    "attributes": _ATTRIBUTES,
    "ladder": _LADDER,
    "columns": _COLUMNS.rstrip() + _FOLDS,
    "rows": _ROWS,
    "notes": _NOTES,
}


def documented(search: C) -> C:
    """Fill the texts that a search's docstring names, as ``{parameters}``."""

    def text(mark: re.Match[str]) -> str:
        return indent(_TEXTS[mark[2]].strip(), mark[1])

    search.__doc__ = re.sub(r"^( *)\{(\w+)\}$", text, search.__doc__ or "", flags=re.MULTILINE)
    return search
