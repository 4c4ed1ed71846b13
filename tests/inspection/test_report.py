"""The page has all that is known, in one file, and nothing in it runs."""

import warnings
from base64 import b64decode
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.svm import SVC

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, Journal, MaxTrials, RandomSearchCV
from sk_hpo.inspection.report import report

matplotlib.use("Agg")

NASTY = "<script>alert('x')</script>&amp;--></style>"
VOID = {"meta", "img", "br", "circle", "path", "link"}


class Page(HTMLParser):
    """What is on a page; every element must be closed."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.open, self.texts, self.images, self.links = [], [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        assert not any(name.startswith("on") for name in attrs)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag == "img":
            self.images.append(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def headings(self):
        return [image["alt"] for image in self.images]


class Picky(ClassifierMixin, BaseEstimator):
    """Fails for a nasty label."""

    def __init__(self, label="a", strength=1.0):
        self.label = label
        self.strength = strength

    def fit(self, X, y):
        if self.label == NASTY:
            raise RuntimeError(f"no {self.label}")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 2] > self.strength, self.classes_[1], self.classes_[0])


@pytest.fixture
def data():
    return load_iris(return_X_y=True)


def test_all_of_it_is_there_and_what_users_write_is_text(data, tmp_path):
    space = {"label": ["a", NASTY], "strength": loguniform(0.1, 10)}
    search = RandomSearchCV(Picky(), space, n_iter=16, cv=2, test_size=0.2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that are to fail
        search.fit(*data)
    path = report(search, tmp_path / "page.html")
    page = Page(path)
    assert "script" not in page.tags
    assert NASTY in page.text
    assert f"RuntimeError: no {NASTY}" in page.text
    n_failed = sum(params["label"] == NASTY for params in search.cv_results_["params"])
    assert f"{n_failed} × RuntimeError" in page.text
    assert "Traceback" in page.text
    assert f"{search.best_score_:.4f}" in page.text
    assert f"{search.test_score_:.4f} on 30 rows" in page.text
    assert f"strength {search.best_params_['strength']:.4g}" in page.text
    assert "n_iter 16" in page.text
    assert "0.1 to 10, logarithmic" in page.text
    assert page.headings() == [
        "How the best score grew",
        "Which parameters matter",
        "Candidates across their parameters",
        "The score against each parameter",
        "What the scores are worth",
        "Who did what when",
    ]
    # One file: pictures are in it, and nothing is loaded.
    assert len(page.links) == 6
    for link in page.links:
        head, _, content = link.partition(";base64,")
        assert head in ("data:image/svg+xml", "data:image/png")
        assert b64decode(content)[:5] in (b"<?xml", b"\x89PNG\r")
    assert plt.get_fignums() == []


def test_ladders_and_journals(data, tmp_path):
    search = HalvingHyperbandSearchCV(
        SGDClassifier(),
        {"alpha": loguniform(1e-5, 1e-1)},
        max_resources=4,
        factor=2,
        cv=2,
        journal=tmp_path / "iris.journal",
        random_state=0,
    ).fit(*data)
    page = Page(report(Journal.read(search.journal_), tmp_path / "page.html"))
    assert page.headings()[1:3] == ["Learning curves", "Who stood on which rung"]
    assert f"alpha {search.best_params_['alpha']:.4g}" in page.text
    assert "by itself, all was done" in page.text
    # A journal that breaks off: the page of what is there.
    lines = (tmp_path / "iris.journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "half.journal").write_bytes(b"".join(lines[:12]))
    page = Page(report(tmp_path / "half.journal", tmp_path / "page.html"))
    assert "not yet, or it was killed" in page.text
    (tmp_path / "empty.journal").write_bytes(b"".join(lines[:1]))
    page = Page(report(tmp_path / "empty.journal", tmp_path / "page.html"))
    assert page.headings() == []
    assert "No candidate has a score." in page.text


def test_a_model_is_shown_and_what_stopped_it_is_told(data, tmp_path):
    space = {"C": loguniform(1e-2, 1e2), "kernel": ["rbf", "linear"]}
    search = BayesSearchCV(SVC(), space, n_iter=9, cv=2, stop=MaxTrials(5), random_state=0).fit(
        *data
    )
    page = Page(report(search, tmp_path / "page.html", k=2))
    assert "What the model believes" in page.headings()
    assert "ended early: MaxTrials(5)" in page.text
    # Of five candidates nobody knows what matters: the page says why.
    assert "Which parameters matter" in page.text
    assert "Which parameters matter" not in page.headings()
    assert "Importance needs 10 trials" in page.text


def test_what_is_not_fitted_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        report(RandomSearchCV(SVC(), {"C": [1.0]}), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
