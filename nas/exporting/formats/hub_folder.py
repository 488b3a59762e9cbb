"""`modeling.py`, `model.safetensors` and `config.json`: the folder as the Hugging Face Hub takes it;
its README begins with the front matter that the Hub reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from nas.exporting.source.python_file import names_in_file, python_file
from nas.exporting.stranger import answers_of_python
from nas.exporting.subject import Subject, accuracies_of
from nas.exporting.weights import write_weights
from nas.exporting.written import Written

CARRIES_WEIGHTS = WHEN_NAMED = True
_USAGE = """`modeling.py`, `model.safetensors` and `config.json` are what the Hugging Face Hub takes; they need torch alone:

```python
from huggingface_hub import snapshot_download
import sys
sys.path.insert(0, snapshot_download("USER/NAME"))
from modeling import build, image_of
shares = build()(image_of("photo.jpg")).softmax(1)[0]
```

Nothing was sent anywhere: `nas export ... --to hub --push USER/NAME` does that."""


def hub_folder(subject: Subject, folder: Path) -> Written:
    """Write the network's source, its weights and its facts under the Hub's names."""
    source, weights, facts = (
        folder / name for name in ("modeling.py", "model.safetensors", "config.json")
    )
    text = python_file(subject)
    for ours, theirs in (
        ("from model import", "from modeling import"),
        ("python model.py", "python modeling.py"),
        ("weights.safetensors", "model.safetensors"),
    ):
        text = text.replace(ours, theirs)
    source.write_text(text, encoding="utf-8")
    write_weights(weights, subject, names_in_file(subject))
    facts.write_text(json.dumps(_config(subject), indent=2) + "\n", encoding="utf-8")
    return Written((source, weights, facts), _USAGE, partial(answers_of_python, source), limit=1e-5)


def _config(subject: Subject) -> Mapping[str, Any]:
    """What the network is, for whoever reads no Python."""
    return {
        "model_type": "nas-toolkit",
        "architectures": ["Network"],
        "image_size": subject.skeleton.image_size,
        "num_channels": subject.skeleton.channels,
        "num_labels": subject.skeleton.classes,
        "id2label": {str(number): name for number, name in enumerate(subject.classes)},
        "label2id": {name: number for number, name in enumerate(subject.classes)},
        "image_mean": list(subject.mean),
        "image_std": list(subject.std),
        "genotype": subject.genotype.to_dict(),
        "key": subject.genotype.key,
        "skeleton": asdict(subject.skeleton),
        "origin": dict(subject.origin),
        "dataset": subject.trained.get("dataset"),
        "accuracy": accuracies_of(subject),
    }
