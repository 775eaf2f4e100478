"""The datapool: what earlier runs chose, kept in the Lightly bucket.

Each run has one object, `<Lightly bucket>datapool/<name>/<run id>.frames`: a line of JSON, then
the embeddings as little-endian float16, row by row. It is written at once and never changed, so
runs that end at the same time do not lose each other's frames: the pool is whatever is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from curation.errors import OperatorError, RequestError
from curation.models import Record
from curation.setting_groups import DATAPOOL_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.ports import ObjectInfo, Objects

_FOLDER = "datapool/"
_ENDING = ".frames"
_MIME_TYPE = "application/octet-stream"
_BYTES_PER_NUMBER = 2
# The names of 500,000 frames are less.
_LONGEST_HEAD_BYTES = 64 * 1024 * 1024


class PoolEntry(Record):
    """What one run has put into a datapool.

    Attributes:
        run_id: The run.
        embedder: Name of what made the embeddings; those of others cannot be compared with them.
        n_features: Length of an embedding.
        frames: File names of the frames, one for each row.
    """

    run_id: str
    embedder: str
    n_features: int = Field(gt=0)
    frames: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Length of all rows in bytes."""
        return len(self.frames) * self.n_features * _BYTES_PER_NUMBER


class DatapoolStore:
    """The entries of one datapool.

    Args:
        objects: Where the Lightly bucket is.
        lightly_bucket: Its URI with prefix.
        name: The datapool.

    Raises:
        RequestError: If that cannot be the name of one.
    """

    def __init__(self, objects: Objects, lightly_bucket: str, name: str) -> None:
        if not re.fullmatch(DATAPOOL_NAME, name):
            raise RequestError(
                f"{name!r} cannot be the name of a datapool: it has letters, digits, _ and -.",
                code="request:datapool",
            )
        self._objects = objects
        self.uri = f"{lightly_bucket}{_FOLDER}{name}/"

    def run_ids(self) -> list[str]:
        """Returns the runs that have an entry, the oldest first."""
        return [_run_id(info) for info in self._infos()]

    def head(self, run_id: str) -> PoolEntry:
        """Returns what a run's entry is, without its rows."""
        return self._read(run_id, with_rows=False)[0]

    def read(self, run_id: str) -> tuple[PoolEntry, bytes]:
        """Returns a run's entry with its rows.

        Raises:
            OperatorError: If the object is no such entry.
        """
        return self._read(run_id, with_rows=True)

    def write(self, entry: PoolEntry, rows: bytes) -> None:
        """Writes a run's entry; again writes the same object."""
        head = entry.model_dump_json().encode() + b"\n"
        self._objects.put(self._entry_uri(entry.run_id), head + rows, content_type=_MIME_TYPE)

    def reset(self) -> int:
        """Deletes all entries and returns how many there were."""
        uris = [info.uri for info in self._infos()]
        for uri in uris:
            self._objects.delete(uri)
        return len(uris)

    def _infos(self) -> Iterator[ObjectInfo]:
        return (info for info in self._objects.under(self.uri) if info.uri.endswith(_ENDING))

    def _entry_uri(self, run_id: str) -> str:
        return f"{self.uri}{run_id}{_ENDING}"

    def _read(self, run_id: str, *, with_rows: bool) -> tuple[PoolEntry, bytes]:
        uri = self._entry_uri(run_id)
        with self._objects.open(uri) as file:
            head = file.readline(_LONGEST_HEAD_BYTES)
            rows = file.read() if with_rows else b""
        try:
            entry = PoolEntry.model_validate_json(head)
        except ValidationError as error:
            raise _damaged(uri) from error
        if with_rows and len(rows) != entry.n_bytes:
            raise _damaged(uri)
        return entry, rows


class PoolSize(Record):
    """A datapool, as a listing sees it."""

    name: str
    n_runs: int
    size_bytes: int


def datapools(objects: Objects, lightly_bucket: str) -> list[PoolSize]:
    """Returns all datapools that have an entry, by name."""
    root = f"{lightly_bucket}{_FOLDER}"
    sizes: dict[str, list[int]] = {}
    for info in objects.under(root):
        name, _, rest = info.uri.removeprefix(root).partition("/")
        if rest.endswith(_ENDING):
            sizes.setdefault(name, []).append(info.size_bytes)
    return [
        PoolSize(name=name, n_runs=len(entries), size_bytes=sum(entries))
        for name, entries in sorted(sizes.items())
    ]


def _run_id(info: ObjectInfo) -> str:
    return info.uri.rpartition("/")[2].removesuffix(_ENDING)


def _damaged(uri: str) -> OperatorError:
    message = f"{uri} is no entry of a datapool, or was cut. Delete it, or reset the datapool."
    return OperatorError(message, code="datapool:damaged")
