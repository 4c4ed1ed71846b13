"""Search where there is nothing to find: labels drawn by a coin, and four scores of the best.

The best of many candidates scores far above chance, only because it is the best of many. A
test set that is looked at once, nested cross-validation and the correction of the score see
through it.

Run it with ``python examples/pure_noise.py``; ``--figure FILE.png`` saves a picture.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, loguniform, uniform
from sklearn.svm import SVC

from sk_hpo import RandomSearchCV, nested_cross_validate

CHANCE = 0.5
SPACE = {
    "kernel": ["rbf", "poly", "sigmoid"],
    "C": loguniform(1e-2, 1e3),
    "gamma": loguniform(1e-3, 1e1),
    "degree": [2, 3, 4, 5],
    "coef0": uniform(-1, 2),
}


@dataclass(frozen=True)
class Score:
    name: str
    estimate: float
    interval: tuple[float, float]

    def __str__(self):
        low, high = self.interval
        says = "chance is within" if low <= CHANCE <= high else "chance is without"
        return f"{self.name:17} {self.estimate:.3f} ({low:.3f} to {high:.3f}), {says}"


def share(name, accuracy, n_rows):
    """Return an accuracy with the interval of one model's on so many new rows (Wilson)."""
    right = binomtest(round(accuracy * n_rows), n_rows)
    return Score(name, accuracy, tuple(right.proportion_ci(method="wilson")))


def four_scores(X, y, n_test, n_candidates, seed, n_jobs):
    """Return the four scores, the first of which is the best of all candidates', and those."""
    search = RandomSearchCV(
        SVC(),
        SPACE,
        n_iter=n_candidates,
        test_size=n_test,
        keep_predictions=True,
        n_jobs=n_jobs,
        random_state=seed,
    ).fit(X, y)
    alone = RandomSearchCV(SVC(), SPACE, n_iter=n_candidates, random_state=seed)
    nested = nested_cross_validate(alone, X, y, outer_cv=5, n_jobs=n_jobs, refit=False)
    corrected = search.corrected_score_
    scores = [
        share("best_score_", search.best_score_, len(X) - n_test),
        Score("corrected_score_", corrected.estimate, corrected.interval),
        Score("test_score_", search.test_score_, search.test_score_interval_),
        share("nested score", nested.mean_score, len(X)),
    ]
    return scores, search.cv_results_["mean_test_score"]


def draw(scores, candidates, path):
    """Save a picture of the scores, with each candidate's behind that of the best."""
    import matplotlib.pyplot as plt

    told = [
        "what the search saw\n(small: each candidate)",
        "the same rows, without\nthe luck of being chosen",
        "rows set aside,\nlooked at once",
        "a search per outer fold,\nscored on the other rows",
    ]
    figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
    ax.axvline(CHANCE, color="black", linestyle="--", linewidth=1)
    jitter = np.random.default_rng(0).uniform(0.12, 0.4, len(candidates))
    ax.plot(candidates, -jitter, ".", color="0.6", markersize=4)
    # Vermilion and blue of Okabe and Ito: told apart by all eyes; and by shape.
    for row, (score, text) in enumerate(zip(scores, told, strict=True)):
        color, marker = ("#D55E00", "D") if row == 0 else ("#0072B2", "o")
        ax.plot(score.interval, (row, row), color=color, linewidth=2.5, solid_capstyle="butt")
        ax.plot(score.estimate, row, marker, color=color, markersize=9)
        ax.text(score.estimate, row + 0.17, f"{score.estimate:.3f}", ha="center", va="top")
        ax.text(1.02, row, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    ax.set_yticks(range(len(scores)), [score.name for score in scores])
    ax.set(ylim=(len(scores) - 0.4, -0.55), xlabel="accuracy, with 95 % intervals")
    ax.text(CHANCE, 1.01, "chance", transform=ax.get_xaxis_transform(), ha="center")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200, help="rows that are searched on")
    parser.add_argument("--test", type=int, default=50, help="rows that are set aside")
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", help="file for the picture")
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    n_rows = args.rows + args.test
    X, y = rng.normal(size=(n_rows, 20)), rng.integers(2, size=n_rows)
    print(f"{args.candidates} candidates on {args.rows} rows of noise, {args.test} to test")
    scores, candidates = four_scores(X, y, args.test, args.candidates, args.seed, args.jobs)
    for score in scores:
        print(score)
    if args.figure:
        draw(scores, candidates, args.figure)


if __name__ == "__main__":
    main()
