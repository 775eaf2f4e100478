"""Reads a run's results from the bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
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
        message = f"Run {run.name} has no results: it is {run.state}. `curate status` says why."
        raise CurationError(message, code="results:missing")
    return run.selection.filenames_uri.removesuffix("selected.txt")


@contextmanager
def into(folder: Path) -> Iterator[None]:
    """Explains what keeps us from writing into a folder of this machine.

    Raises:
        CurationError: If it cannot be made or written.
    """
    try:
        yield
    except OSError as error:
        message = (
            f"{folder} cannot be written ({error.strerror or error}). Name another folder, give "
            "yourself the right to write there, or make room."
        )
        raise CurationError(message, code="results:folder") from error


def copy(objects: Objects, uri: str, path: Path) -> None:
    """Copies an object into a file."""
    with objects.read(uri) as chunks, path.open("wb") as file:
        file.writelines(chunks)


def read(objects: Objects, uri: str) -> bytes:
    """Returns an object's content."""
    with objects.read(uri) as chunks:
        return b"".join(chunks)
