"""Turns a missing or broken package of the engine into one error with the command that mends it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from curation.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL = "pip install --no-deps --require-hashes -r requirements.txt"


@contextmanager
def explained() -> Iterator[None]:
    """Explains an import that fails inside the block.

    Raises:
        OperatorError: If an import fails, whatever is wrong with the package.
    """
    try:
        yield
    except ImportError as error:
        raise broken(str(error)) from error


def broken(what: str) -> OperatorError:
    """Returns the error for an installation in which `what` is wrong."""
    # lightly-mundig has no wheel for Linux on ARM, so there it can only be missing.
    message = (
        f"The engine's packages are not installed as they should be: {what}. "
        f"On x86-64 Linux or macOS, run: {INSTALL}"
    )
    return OperatorError(message, code="config:packages")
