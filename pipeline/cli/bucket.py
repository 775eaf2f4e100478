"""Reads a run's results from the bucket."""

from pathlib import Path

from curation.errors import CurationError
from curation.models import Run
from curation.ports import Objects


def prefix_of(run: Run) -> str:
    """Returns the URI under which a run's results are.

    Raises:
        CurationError: If it has none.
    """
    if run.selection.filenames_uri is None:
        raise CurationError(f"Run {run.run_id} names no results.", code="results:missing")
    return run.selection.filenames_uri.removesuffix("selected.txt")


def copy(objects: Objects, uri: str, path: Path) -> None:
    """Copies an object into a file."""
    with objects.read(uri) as chunks, path.open("wb") as file:
        file.writelines(chunks)


def read(objects: Objects, uri: str) -> bytes:
    """Returns an object's content."""
    with objects.read(uri) as chunks:
        return b"".join(chunks)
