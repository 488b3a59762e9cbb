"""`model.py`: the network as one readable file that needs torch alone, and its weights as
`weights.safetensors`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nas.exporting.source.python_file import names_in_file, python_file
from nas.exporting.stranger import answers_of_python
from nas.exporting.subject import Subject
from nas.exporting.weights import write_weights
from nas.exporting.written import Written
from nas.study.store import WEIGHTS_FILE

CARRIES_WEIGHTS = WITHIN_SECONDS = True
_USAGE = """`model.py` needs torch, and Pillow to read pictures. What a photo shows, class by class:

```
python model.py photo.jpg
```

```python
from model import NAMES, build, image_of
network = build()                                      # reads weights.safetensors beside model.py
shares = network(image_of("photo.jpg")).softmax(1)[0]  # image_of gives (1, {channels}, {size}, {size})
likeliest = int(shares.argmax())
print(NAMES[likeliest] if NAMES else likeliest, float(shares[likeliest]))
```"""


def python_source(subject: Subject, folder: Path) -> Written:
    """Write the network as source and its weights."""
    source, weights = folder / "model.py", folder / WEIGHTS_FILE
    source.write_text(python_file(subject), encoding="utf-8")
    write_weights(weights, subject, names_in_file(subject))
    usage = _USAGE.format(size=subject.skeleton.image_size, channels=subject.skeleton.channels)
    # The source computes the same steps in the same order; other threads or processors may round
    # another way.
    return Written((source, weights), usage, partial(answers_of_python, source), limit=1e-5)
