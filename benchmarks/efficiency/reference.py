"""Write ``data/reference.json``: median and optimum of every task, measured anew."""

from __future__ import annotations

import json

from efficiency.task import DATA
from efficiency.tasks import TASKS, get


def main() -> None:
    bases = dict.fromkeys(name.partition("~")[0] for name in TASKS)
    named = {base: next(n for n in TASKS if n.partition("~")[0] == base) for base in bases}
    measured = {base: get(name).measure_reference() for base, name in named.items()}
    (DATA / "reference.json").write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
