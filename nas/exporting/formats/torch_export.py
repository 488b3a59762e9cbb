"""`model.pt2`: the network as a program of `torch.export`, weights inside, for any batch size."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from nas.exporting.program import quiet, traced
from nas.exporting.stranger import answers_of_program
from nas.exporting.subject import Subject
from nas.exporting.written import Written

CARRIES_WEIGHTS = True
_USAGE = """`model.pt2` needs torch:

```python
import torch
network = torch.export.load("model.pt2").module()
logits = network(images)                               # (B, {channels}, {size}, {size}), normalised
```"""


def torch_export(subject: Subject, folder: Path) -> Written:
    """Write the network as a program of torch."""
    file = folder / "model.pt2"
    with quiet():
        torch.export.save(traced(subject.network, subject.shape), file)
    usage = _USAGE.format(size=subject.skeleton.image_size, channels=subject.skeleton.channels)
    return Written((file,), usage, partial(answers_of_program, file), limit=1e-5)
