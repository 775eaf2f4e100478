"""A remote object read like a file, with few requests."""

from __future__ import annotations

import io
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.adapters.storage.range_file import BLOCK_BYTES, RangeFile

SIZE = 3 * BLOCK_BYTES + 1000
DATA = random.Random(0).randbytes(SIZE)


class Requests:
    """Fetches ranges and counts them."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, end: int) -> bytes:
        """Fetches one."""
        self.ranges.append((start, end))
        return DATA[start:end]


@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from([os.SEEK_SET, os.SEEK_END, os.SEEK_CUR]),
            st.sampled_from([0, BLOCK_BYTES, 2 * BLOCK_BYTES, SIZE]).flatmap(
                lambda edge: st.integers(edge - 5000, edge + 5000)
            ),
            st.sampled_from([0, 1, 4096, 70_000]),
        ),
        max_size=10,
    )
)
def test_range_file__is_like_any_file(moves: list[tuple[int, int, int]]) -> None:
    """After any moves and reads the bytes and positions are those of a file in memory."""
    remote, local = io.BufferedReader(RangeFile(SIZE, Requests())), io.BytesIO(DATA)

    for whence, offset, size in moves:
        place = max(offset, -local.tell()) if whence == os.SEEK_CUR else offset
        place = min(place, 0) if whence == os.SEEK_END else max(place, -local.tell())
        if whence == os.SEEK_SET:
            place = max(place, 0)
        assert remote.seek(place, whence) == local.seek(place, whence)
        assert remote.read(size) == local.read(size)


def test_range_file__in_one_go__fetches_each_byte_once() -> None:
    """A sequential read of small pieces asks for whole blocks, each once."""
    requests = Requests()
    file = io.BufferedReader(RangeFile(SIZE, requests))

    pieces = list(iter(lambda: file.read(10_000), b""))

    assert b"".join(pieces) == DATA
    assert [start for start, _ in requests.ranges] == [n * BLOCK_BYTES for n in range(4)]
    assert requests.ranges[-1][1] == SIZE


def test_range_file__to_and_fro__keeps_both_ends() -> None:
    """An index at the end and frames at the beginning are fetched once each."""
    requests = Requests()
    file = RangeFile(SIZE, requests)

    for _ in range(20):
        file.seek(-10, os.SEEK_END)
        file.read(10)
        file.seek(0)
        file.read(10)

    assert len(requests.ranges) == 2


def test_range_file__keeps_few_blocks() -> None:
    """Memory does not grow with the object."""
    size = 100 * BLOCK_BYTES
    file = RangeFile(size, lambda start, end: bytes(end - start))

    while file.read(BLOCK_BYTES):
        pass

    assert len(file._blocks) <= 4


def test_seek__before_the_beginning__is_refused() -> None:
    """As in any file."""
    file = RangeFile(SIZE, Requests())

    with pytest.raises(ValueError, match="negative"):
        file.seek(-1)
