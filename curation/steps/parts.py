"""Cuts a stream of bytes into the parts of a multipart upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MIB = 1024 * 1024
# S3 takes at most 10,000 parts of at least 5 MiB. One part is what is lost when a delivery dies,
# and two are what is held in memory.
PART_BYTES = 8 * _MIB
MAX_PARTS = 9_000


def part_bytes(size_bytes: int | None) -> int:
    """Returns the size of a part, in bytes: the same at every delivery of the same video.

    Args:
        size_bytes: Length of the video, or None if the source does not say. 9,000 parts of the
            smallest size are 70 GiB, more than comes in one slice.
    """
    mebibytes = -(-(size_bytes or 0) // (MAX_PARTS * _MIB))
    return max(PART_BYTES, mebibytes * _MIB)


def cut(chunks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """Cuts a stream into parts of exactly this size; the last one may be shorter.

    Of no bytes at all it makes one empty part, so that the probe gets to refuse it.
    """
    buffer = bytearray()
    n_parts = 0
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size_bytes:
            yield _take(buffer, size_bytes)
            n_parts += 1
    if buffer or not n_parts:
        yield bytes(buffer)


def _take(buffer: bytearray, size_bytes: int) -> bytes:
    # `bytes(buffer[:size_bytes])` would copy twice, and a part is large.
    with memoryview(buffer) as view, view[:size_bytes] as part:
        data = bytes(part)
    del buffer[:size_bytes]
    return data
