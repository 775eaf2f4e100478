"""A seekable read-only file over ranges of a remote object."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

# Large enough that a video is read in few requests, small enough that the first frame comes soon.
BLOCK_BYTES = 4 * 1024 * 1024
# A container's index lies at one end and its frames elsewhere, so a decoder goes to and fro.
_BLOCKS_KEPT = 4


class RangeFile(io.RawIOBase):
    """Reads blocks on demand and keeps the last few.

    Args:
        size_bytes: Length of the object.
        fetch: Returns the bytes from a start (inclusive) to an end (exclusive).
    """

    def __init__(self, size_bytes: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size_bytes = size_bytes
        self._fetch = fetch
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Returns the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves; nothing is fetched. Positions beyond the end are allowed, as in any file."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}
        position = start[whence] + offset
        if position < 0:
            raise ValueError(f"negative position {position}")
        self._position = position
        return position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads up to the end of the block at hand; `io.BufferedReader` asks again for the rest."""
        view = memoryview(buffer).cast("B")
        if self._position >= self._size_bytes or not view.nbytes:
            return 0
        number, skip = divmod(self._position, BLOCK_BYTES)
        data = memoryview(self._block(number))[skip : skip + view.nbytes]
        view[: data.nbytes] = data
        self._position += data.nbytes
        return data.nbytes

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            end = min(start + BLOCK_BYTES, self._size_bytes)
            self._blocks[number] = self._fetch(start, end)
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]
