"""What a process frees stays with it, where malloc is glibc's."""

import subprocess
import sys

import pytest

# Counts the pages that the system gives anew while blocks of 400 kB come and go.
_COUNT = """
import resource
import numpy as np
from sk_hpo.evaluation.memory import keep_freed

{first}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        blocks = [np.ones(100_000, np.float32) for _ in range(5)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def _faults(first):
    code = _COUNT.format(first=first)
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_pages_are_used_again():
    assert _faults("keep_freed()") < _faults("") / 10
