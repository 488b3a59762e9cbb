"""Sending an exported folder to the Hugging Face Hub, with the Hub's own client, when told to."""

from __future__ import annotations

from pathlib import Path

from nas.errors import NasError, shortened

_FILES = ("README.md", "config.json", "model.safetensors", "modeling.py", "cells.svg")


def client_of_hub() -> object:
    """The Hub's client, asked for before anything is exported."""
    try:
        from huggingface_hub import HfApi
    except ImportError as problem:
        raise NasError(
            "--push needs huggingface_hub, which is not installed: pip install "
            "'nas-toolkit[hub]', or leave --push out and send the folder yourself"
        ) from problem
    return HfApi()


def push(folder: Path, name: str) -> str:
    """Send what the Hub takes of this folder; returns where it lies then."""
    from huggingface_hub import HfApi

    client = HfApi()
    try:
        client.create_repo(name, exist_ok=True)
        client.upload_folder(repo_id=name, folder_path=folder, allow_patterns=list(_FILES))
    except Exception as problem:  # of theirs, there are many kinds
        raise NasError(
            f"{folder} is exported, but the Hub did not take it ({shortened(str(problem), 200)}): "
            f"send it again with `huggingface-cli upload {name} {folder}`"
        ) from problem
    return f"{client.endpoint}/{name}"
