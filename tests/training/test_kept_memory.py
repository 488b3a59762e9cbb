"""A training on a processor keeps the memory of its process."""

import subprocess
import sys

import pytest

_STEPS = """
import resource, torch
from nas.training.computation import Computation

def step():
    # Blocks of 64 MiB; glibc by itself never keeps those above 32.
    return [torch.empty(2**24).fill_(0.0) for _ in range(3)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

torch.set_num_threads(1)
with Computation().active():
    pass
for _ in range(3):
    step()
before = faults()
for _ in range(5):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_the_next_step_is_given_no_new_memory_by_the_system() -> None:
    faults = int(subprocess.check_output([sys.executable, "-c", _STEPS]))
    assert faults < 2 * 3 * 2**26 // 2**12, "the pages of two of five steps"
