"""Sample efficiency: tasks, optimisers, runs and reports.

Importing it keeps numpy and torch to one core, where they are not imported yet and the
environment says nothing else: optimisers are compared on one core.
"""

import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
