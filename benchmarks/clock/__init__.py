"""Searches against the clock: the task, the searches of several packages, and the report.

Importing it keeps numpy and torch to one core in each process, where they are not imported
yet and the environment says nothing else.
"""

import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
