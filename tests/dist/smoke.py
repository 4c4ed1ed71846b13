"""The wheel where nothing else is installed: it imports, searches and says its version.

Run by ``make dist``, with the python of an environment that has the wheel and no extra.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec


def main() -> None:
    extras = [name for name in ("torch", "skorch", "matplotlib", "pandas") if find_spec(name)]
    assert not extras, f"not an empty environment: {extras}"
    import sk_hpo

    assert "site-packages" in sk_hpo.__file__, sk_hpo.__file__
    assert sk_hpo.__version__ == version("sk-hpo")
    assert (files("sk_hpo") / "py.typed").is_file()
    from scipy.stats import loguniform
    from sklearn.datasets import load_iris
    from sklearn.linear_model import SGDClassifier
    from sklearn.svm import SVC

    X, y = load_iris(return_X_y=True)
    space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-4, 1e1)}
    bayes = sk_hpo.BayesSearchCV(SVC(), space, n_iter=8, n_jobs=2, random_state=0).fit(X, y)
    hyperband = sk_hpo.HalvingHyperbandSearchCV(
        SGDClassifier(), {"alpha": loguniform(1e-6, 1e2)}, max_resources=9, random_state=0
    ).fit(X, y)
    print(
        f"sk_hpo {sk_hpo.__version__} on Python {sys.version.split()[0]}:"
        f" Bayes {bayes.best_score_:.3f}, Hyperband {hyperband.best_score_:.3f}"
    )


if __name__ == "__main__":
    main()
