"""Whether Ray is here at all: it comes with an extra of its own."""

from __future__ import annotations

from importlib.util import find_spec

from nas.errors import SettingsError


def require_ray() -> None:
    """Refuse to begin what would need Ray later."""
    if find_spec("ray") is None:
        raise SettingsError(
            "Ray is not installed: pip install 'nas-toolkit[ray]', or run here, without --runner "
            "ray and with one worker of a training"
        )
