"""Tables of the guide and of the README, from the JSON that the benchmarks wrote.

In a page of the guide:

    ```{figures} regrets
    ```

In the README, between ``<!-- figures: regrets -->`` and ``<!-- end -->``; there they are
written anew, and the picture of its example with them, by

    python docs/_ext/figures.py
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- figures: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

PEERS = {
    "sk_hpo-gp": '**`sampler="gp"`**',
    "sk_hpo-tpe": '**`sampler="tpe"`**',
    "botorch": "BoTorch",
    "optuna-gp": "Optuna GP",
    "optuna-tpe": "Optuna TPE",
    "skopt-gp": "scikit-optimize",
    "hyperopt": "hyperopt",
    "smac": "SMAC3",
    "random": "random",
    "sobol": "Sobol",
    "sklearn-random": "scikit-learn `RandomizedSearchCV`",
    "sklearn-halving": "scikit-learn `HalvingRandomSearchCV`, as many candidates",
    "sklearn-halving-default": "scikit-learn `HalvingRandomSearchCV`, its defaults",
    "optuna": "Optuna, TPE and Hyperband",
    "ray-asha": "Ray Tune, ASHA",
    "sk_hpo-hyperband": "**`HalvingHyperbandSearchCV`**",
    "sk_hpo-hyperband-paired": "**`HalvingHyperbandSearchCV`**, the random search's draws",
    "sk_hpo-asha": "**`ASHASearchCV`**",
    "sk_hpo-bohb": "**`BOHBSearchCV`**",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, all columns but the first to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 1) -> str:
    """Return a number as people write it; an infinite one or none is "never"."""
    return "never" if value is None or value == float("inf") else f"{value:,.{digits}f}"


def estimate(cell: dict[str, Any]) -> str:
    value, error = cell["value"], cell["error"]
    return f"{value:.1f}" if error is None else f"{value:.1f} ± {error:.1f}"


# -- one function for each table -------------------------------------------------------------


def regrets(report: dict[str, Any]) -> str:
    """Regret by budget, the best at the largest first."""
    budgets = list(report["regrets"])
    by_name = {n: [report["regrets"][b]["all"][n] for b in budgets] for n in report["seeds"]}
    names = sorted(by_name, key=lambda name: by_name[name][-1]["value"])
    rows = [[PEERS[name], *map(estimate, by_name[name])] for name in names]
    return table(["", *(f"at {budget}" for budget in budgets)], rows)


def regret_tasks(report: dict[str, Any]) -> str:
    """How many tasks there were, and how many seeds."""
    seeds: dict[str, list[str]] = {}
    for name, (low, high) in report["seeds"].items():
        key = f"{low}" if low == high else f"{low} to {high}"
        seeds.setdefault(key, []).append(PEERS[name].strip("*"))
    most = max(seeds, key=lambda key: len(seeds[key]))
    others = "; ".join(f"{key} for {', '.join(n)}" for key, n in seeds.items() if key != most)
    noisy = sum(task.endswith("~noisy") for task in report["tasks"])
    tasks = f"{len(report['tasks'])} tasks, {noisy} of them noisy"
    return f"{tasks}; {most} seeds" + (f" ({others})." if others else ".")


def suggestion_times(report: dict[str, Any]) -> str:
    """Milliseconds per suggestion, median and the 90 % quantile."""
    sizes = list(report["milliseconds"])
    rows = []
    for name in report["seeds"]:
        cells = [report["milliseconds"][size].get(name) for size in sizes]
        rows.append([PEERS[name], *map(_milliseconds, cells)])
    return table(["", *(f"after {size} trials" for size in sizes)], rows)


def _milliseconds(cell: dict[str, float] | None) -> str:
    if cell is None:
        return "-"
    digits = 2 if cell["ninety_percent"] < 1 else 1
    return f"{number(cell['median'], digits)} ({number(cell['ninety_percent'], digits)})"


def searches(rows: list[dict[str, Any]]) -> str:
    """Whole searches: what they cost and found, for each setting that was run."""
    head = ["", "seconds", "CPU s", "epochs", "CV score", "test score"]
    head += ["as random after", "as halving after"]
    parts = []
    for setting in dict.fromkeys((r["rows"], r["max_epochs"], r["jobs"]) for r in rows):
        n, epochs, jobs = setting
        inside = [r for r in rows if (r["rows"], r["max_epochs"], r["jobs"]) == setting]
        runs = min(r["runs"] for r in inside)
        parts += [f"{n:,} rows, {epochs} epochs at most, `n_jobs={jobs}`, {runs} seeds:"]
        parts += [table(head, map(_search, inside))]
    return "\n\n".join(parts)


def _search(row: dict[str, Any]) -> list[str]:
    soon = [row.get(f"of sklearn-{peer}") for peer in ("random", "halving")]
    return [
        PEERS[row["method"]],
        number(row["wall"]),
        number(row["cpu"]),
        number(row["epochs"], 0),
        f"{row['cv']:.4f}",
        f"{row['test']:.4f}",
        *("never" if part is None else f"{part:.0%}" for part in soon),
    ]


def together(report: dict[str, Any]) -> str:
    """Cross-validation of nets: how many times as fast as without."""
    rows = [[row["name"], f"{row['ratio']:.2f}"] for row in report["rows"]]
    return table(["what / beside what", "times as fast"], rows)


def equal(report: dict[str, Any]) -> str:
    """Of how many nets all weights and scores were equal to the last bit."""
    same = [all(found.values()) for found in report["equal"].values()]
    return f"{sum(same)} of {len(same)}"


def overhead(report: dict[str, Any]) -> str:
    """What a search costs beside its fits."""
    rows = []
    for r in report["rows"]:
        share = f"{r['utilisation']:.1%}" if "utilisation" in r else "-"
        fits = f"{r['fits']} fits of {r['ms']:g} ms, {r['jobs']} jobs"
        rows.append([f"`{r['method']}`, {fits}", number(r["ms_a_trial"], 2), share])
    return table(["", "ms a trial", "utilisation"], rows)


def utilisation(report: dict[str, Any]) -> str:
    """Which share of the workers' time goes into fits."""
    rows = [
        [
            f"{r['scheduler']}, times {r['times'].replace('_', ' ')}",
            f"{r['trials']:,}",
            f"{r['workers']:,}",
            f"{r['whole']:.1%}",
            f"{r['begun']:.1%}",
        ]
        for r in report["utilisation"]
    ]
    return table(["", "trials", "workers", "of all time", "until the last began"], rows)


def leakage(rows: list[dict[str, Any]]) -> str:
    """What the leakage check costs beside a search."""
    lines = [
        [
            f"{r['dtype']}, {r['n_copies']:,} copied rows",
            number(r["check"], 2),
            number(r["search"]),
            f"{r['ratio']:.2%}",
        ]
        for r in rows
    ]
    return table(["", "check, CPU s", "search, CPU s", "check / search"], lines)


def decision(report: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Which search for which budget, and what was measured of it."""
    middle, last = list(report["regrets"])[-2:]
    regret = {
        b: {n: c["value"] for n, c in report["regrets"][b]["all"].items()}
        for b in (middle, last)
    }
    smallest = min(row["rows"] for row in rows)
    times = {r["method"]: r for r in rows if (r["rows"], r["jobs"]) == (smallest, 1)}
    thinking = report["milliseconds"][last]

    def after(name: str, budget: str) -> str:
        ours, chance = regret[budget][name], regret[budget]["random"]
        return f"regret {ours:.1f}% after {budget} candidates (random: {chance:.1f}%)"

    def soon(name: str) -> str:
        row, slow = times[name], times["sklearn-random"]
        share = row["of sklearn-random"]
        when = "never" if share is None else f"after {share:.0%} of its time"
        return (
            f"as good as random search {when}; done in"
            f" {row['wall']:.0f} s ({slow['wall']:.0f} s), test score {row['test']:.3f}"
            f" ({slow['test']:.3f})"
        )

    gp, tpe = (thinking[f"sk_hpo-{name}"]["median"] for name in ("gp", "tpe"))
    lines = [
        [
            "a look around: a dozen fits",
            '`RandomSearchCV(sampler="sobol")`',
            "every corner is seen",
        ],
        [
            "dear fits, up to a few hundred of them",
            "`BayesSearchCV`",
            f"{after('sk_hpo-gp', middle)}; {gp:.0f} ms to think",
        ],
        [
            "cheap fits, thousands of them; many conditions",
            '`BayesSearchCV(sampler="tpe")`',
            f"{after('sk_hpo-tpe', last)}; {tpe:.1f} ms to think",
        ],
        [
            "a training that can be cut short: epochs, trees, rows",
            "`HalvingHyperbandSearchCV`",
            soon("sk_hpo-hyperband"),
        ],
        [
            "the same, and the budget is very small, or workers are many",
            "`ASHASearchCV`",
            soon("sk_hpo-asha"),
        ],
        ["the same, and the best score counts", "`BOHBSearchCV`", soon("sk_hpo-bohb")],
        [
            "a handful of values, all to be tried",
            '`RandomSearchCV(sampler="grid")`',
            "no more, no less",
        ],
    ]
    head = ["what you have", "what to use", "what was measured"]
    return table(head, lines).replace("---:", "---")


# Name -> the benchmarks that write the JSON, and the function that makes a table of it.
TABLES: dict[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "decision": (("sample_efficiency", "wall_clock"), decision),
    "regrets": (("sample_efficiency",), regrets),
    "regret_tasks": (("sample_efficiency",), regret_tasks),
    "suggestion_times": (("sample_efficiency",), suggestion_times),
    "searches": (("wall_clock",), searches),
    "together": (("torch_cv",), together),
    "equal": (("torch_cv",), equal),
    "overhead": (("overhead",), overhead),
    "utilisation": (("asynchronous",), utilisation),
    "leakage": (("leakage",), leakage),
}


def markdown(name: str, results: Path = RESULTS) -> str:
    """Return a table by name; where nothing was measured, what would do so."""
    benchmarks, make = TABLES[name]
    paths = [results / f"{benchmark}.json" for benchmark in benchmarks]
    for path in paths:
        if not path.exists():
            return f"Not measured here yet: `python benchmarks/{path.stem}.py` does."
    return make(*(json.loads(path.read_text()) for path in paths))


def refreshed(text: str) -> str:
    """Return a text with the tables between its marks made anew."""
    return MARKED.sub(lambda m: f"{m[1]}{markdown(m[2])}\n{m[4]}", text)


def setup(app):
    from sphinx.util.docutils import SphinxDirective

    class Figures(SphinxDirective):
        """Puts a table where the directive stands."""

        required_arguments = 1

        def run(self):
            name = self.arguments[0]
            if name not in TABLES:
                raise self.error(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
            for benchmark in TABLES[name][0]:
                self.env.note_dependency(str(RESULTS / f"{benchmark}.json"))
            return self.parse_text_to_nodes(markdown(name))

    app.add_directive("figures", Figures)
    return {"parallel_read_safe": True}


def draw_example(readme: str, picture: Path) -> None:
    """Run the example of the README, and save the picture of its search."""
    from sk_hpo import LearningCurvesDisplay

    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0], namespace)
    display = LearningCurvesDisplay.from_search(namespace["search"])
    display.figure_.savefig(picture, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    readme = ROOT / "README.md"
    for page in (readme, *sorted((ROOT / "docs").glob("*.md"))):
        page.write_text(refreshed(page.read_text()))
    draw_example(readme.read_text(), ROOT / "docs" / "_static" / "readme.png")
