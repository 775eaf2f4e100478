"""Parts of a multipart upload."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from curation.steps.parts import MAX_PARTS, PART_BYTES, cut, part_bytes


@given(chunks=st.lists(st.binary(max_size=30), max_size=20), size_bytes=st.integers(1, 40))
def test_cut__all_parts_but_the_last_are_full(chunks: list[bytes], size_bytes: int) -> None:
    """The parts are the stream, all of the same size, the last one not longer and not empty."""
    parts = list(cut(chunks, size_bytes))

    assert b"".join(parts) == b"".join(chunks)
    assert {len(part) for part in parts[:-1]} <= {size_bytes}
    assert len(parts[-1]) <= size_bytes
    assert parts[-1] or not any(chunks)


def test_cut__does_not_depend_on_the_chunks() -> None:
    """Two deliveries that are sent the same bytes in other pieces cut the same parts."""
    data = random.Random(0).randbytes(1000)

    first = list(cut([data], 64))
    second = list(cut([data[i : i + 7] for i in range(0, 1000, 7)], 64))

    assert first == second


@given(size_bytes=st.integers(0, 5 * 1024**4))
def test_part_bytes__keeps_within_the_limits_of_s3(size_bytes: int) -> None:
    """Up to 5 TiB, S3's largest object, there are never too many parts, and none too small."""
    size = part_bytes(size_bytes)

    assert -(-size_bytes // size) <= MAX_PARTS
    assert size >= PART_BYTES
    assert size == PART_BYTES or -(-size_bytes // (size - 1024 * 1024)) > MAX_PARTS


def test_part_bytes__of_an_unknown_length() -> None:
    """Without a length the smallest size is taken."""
    assert part_bytes(None) == PART_BYTES
