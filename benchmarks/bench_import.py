"""Time of ``import sk_hpo`` against ``import sklearn.model_selection``.

Each import runs in a fresh interpreter, the two in turn; printed are the median of the
whole processes' times less that of an empty interpreter, and their ratio pair by pair.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from statistics import median

STATEMENTS = ("pass", "import sklearn.model_selection", "import sk_hpo")


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    for statement in STATEMENTS:  # warm the file cache
        seconds(statement)
    runs = [[seconds(statement) for statement in STATEMENTS] for _ in range(repeats)]
    theirs = [scikit_learn - empty for empty, scikit_learn, _ in runs]
    ours = [sk_hpo - empty for empty, _, sk_hpo in runs]
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"import sklearn.model_selection  {median(theirs):6.3f} s")
    print(f"import sk_hpo                   {median(ours):6.3f} s")
    print(f"ratio  {median(ratios):.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
