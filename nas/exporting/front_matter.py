"""The front matter of a card: what the Hugging Face Hub reads of a model, in YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nas.exporting.subject import Subject, accuracies_of

UNKNOWN = "unknown"  # a licence that the Hub knows by this name


def front_matter(subject: Subject, licence: str | None) -> str:
    """Licence, data set, metrics and provenance between two rules; JSON is YAML, so every value is
    written as JSON."""
    fields = {
        "license": licence or UNKNOWN,
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["neural-architecture-search", "nas-toolkit", subject.genotype.space],
        "datasets": _datasets(subject),
        "metrics": ["accuracy"],
        "model-index": list(_results(subject)),
        "nas": {"key": subject.genotype.key, **subject.origin},
    }
    lines = [f"{name}: {json.dumps(value)}" for name, value in fields.items() if value]
    return "\n".join(["---", *lines, "---", "", ""])


def _datasets(subject: Subject) -> list[str]:
    name = subject.trained.get("dataset")
    return [_plain(name)] if isinstance(name, str) else []


def _plain(dataset: str) -> str:
    """A folder of pictures without the way to it, which is nobody else's business."""
    kind, colon, path = dataset.partition(":")
    return f"{kind}-{path.rstrip('/').rpartition('/')[2]}" if colon else dataset


def _results(subject: Subject) -> Iterator[dict[str, Any]]:
    measured = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": name, "type": name, "split": split},
            "metrics": [{"type": "accuracy", "value": value, "name": f"{split} accuracy"}],
        }
        for name in _datasets(subject)
        for split, value in accuracies_of(subject).items()
        if isinstance(value, int | float)
    ]
    if measured:
        yield {"name": subject.title, "results": measured}
