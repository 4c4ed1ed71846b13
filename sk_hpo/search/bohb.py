"""BOHB: Hyperband whose candidates a model suggests.

Falkner, Klein, Hutter: BOHB: Robust and Efficient Hyperparameter Optimization at Scale,
ICML 2018. The model is in `sk_hpo.samplers.tpe`; what it learns from, the results at the
largest resource that has enough of them, in `sk_hpo.samplers.observed`.
"""

from __future__ import annotations

from sk_hpo.search.defaults import with_defaults
from sk_hpo.search.document import documented
from sk_hpo.search.hyperband import HalvingHyperbandSearchCV

__all__ = ["BOHBSearchCV"]


@documented
class BOHBSearchCV(HalvingHyperbandSearchCV):
    """BOHB with cross-validation: Hyperband, its candidates suggested by TPE.

    The brackets are those of `HalvingHyperbandSearchCV`. The candidates of each are
    suggested, all at once, by a multivariate Parzen estimator that has learned from the
    brackets before: from the results at the largest resource that has enough of them. A
    bracket therefore begins when the one before it is complete.

    Parameters
    ----------
    estimator : estimator object
        Anything that trains by `resource`.
    {space}
    {resources}
    hyperband_iterations : int, default=1
        How many times the brackets are run. The model has more to learn from with each.
    brackets : int or "all", default="all"
        How many of the brackets are run, those with most candidates first.
    asynchronous : bool, default=False
        Whether candidates are suggested one at a time, by a model that knows which are out,
        and promoted without waiting for a rung or bracket; see `HalvingHyperbandSearchCV`.
    sampler : {"tpe", "gp", "random", "sobol", "grid"} or Sampler, default="tpe"
        How candidates are chosen.
    {parameters}

    Attributes
    ----------
    cv_results_ : dict of numpy (masked) ndarrays
        {rows}
        {columns}
    {ladder}
    {attributes}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sk_hpo import BOHBSearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = BOHBSearchCV(
    ...     SGDClassifier(), {"alpha": loguniform(1e-6, 1e2)}, max_resources=9, cv=3,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> bool(search.best_score_ > 0.9)
    True
    >>> sorted(set(search.cv_results_["suggested_by"].tolist()))
    ['initial', 'model']
    """

    __init__ = with_defaults(HalvingHyperbandSearchCV.__init__, sampler="tpe")
