"""Finds where pictures are missing in H.264, by the numbers that those others refer to carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.video.codeccontext import VideoCodecContext

# Kinds of units: a picture or a part of it, one that refers to nothing, and the parameters.
_PICTURE, _FRESH_PICTURE, _PARAMETERS = 1, 5, 7
# Bytes of a unit that are looked at; parameters before what is read here take no more.
_HEAD_BYTES = 64
_START = b"\0\0\1"
# How the parameters begin that come as a box of MP4 and Matroska; units have lengths then.
_BOX_VERSION = 1
_BOX_BYTES = 6
# Profiles whose parameters name colours and depth (H.264, 7.3.2.1.1).
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_FULL_COLOURS = 3
# Numbers after which pictures may go on counting at any time (memory operation 5).
_RESTARTS = frozenset({0, 1})


class FrameNums:
    """Follows `frame_num`, which rises by one with each picture that others refer to.

    A decoder that misses one takes another in its place and says nothing.

    Args:
        extradata: The stream's parameters, as the container has them; None: they come in packets.
    """

    def __init__(self, extradata: bytes | None) -> None:
        self._last: int | None = None
        # Lengths of the number, in bits; None for streams where it tells nothing.
        self._n_bits: set[int | None] = set()
        data = extradata or b""
        is_boxed = len(data) >= _BOX_BYTES and data[0] == _BOX_VERSION
        self._length_bytes = (data[4] & 3) + 1 if is_boxed else 0
        for unit in _boxed(data) if is_boxed else self._units(data):
            if unit[0] & 31 == _PARAMETERS:
                self._learn(unit)

    @classmethod
    def of(cls, context: VideoCodecContext) -> Self | None:
        """Returns what follows the numbers of this stream, or None if it has none."""
        return cls(context.extradata) if context.name == "h264" else None

    def has_gap(self, packet: bytes, *, is_key: bool) -> bool:
        """Tells whether pictures are missing before that of the packet; call it for each in turn.

        Args:
            packet: A packet of the stream.
            is_key: Whether nothing before it is referred to from here on.
        """
        for unit in self._units(packet):
            kind = unit[0] & 31
            if kind == _PARAMETERS:
                self._learn(unit)
            elif kind in {_PICTURE, _FRESH_PICTURE}:
                return self._is_gap(unit, is_key=is_key or kind == _FRESH_PICTURE)
        return False

    def _is_gap(self, unit: bytes, *, is_key: bool) -> bool:
        number = self._number(unit)
        if number is None:
            return False
        last, is_referred_to = self._last, unit[0] & 0x60
        if is_referred_to or is_key or last is None:
            self._last = number
        if is_key or last is None:
            return False
        # The same number twice: the other field of an interlaced picture.
        return number not in _RESTARTS | {last, self._after(last)}

    def _after(self, number: int) -> int:
        (n_bits,) = self._n_bits
        return (number + 1) % (1 << (n_bits or 0))

    def _number(self, unit: bytes) -> int | None:
        if len(self._n_bits) != 1 or None in self._n_bits:
            return None
        (n_bits,) = self._n_bits
        bits = _Bits(unit[1:])
        try:
            for _ in ("first block", "kind of slice", "parameters"):
                bits.code()
            return bits.take(n_bits or 0)
        except EOFError:
            return None

    def _learn(self, unit: bytes) -> None:
        try:
            self._n_bits.add(_n_bits_of(_Bits(unit[1:])))
        except EOFError:
            self._n_bits.add(None)

    def _units(self, data: bytes) -> Iterator[bytes]:
        """Yields the heads of the units, none of them empty."""
        at = 0 if self._length_bytes else data.find(_START)
        while 0 <= at < len(data):
            start = at + (self._length_bytes or len(_START))
            head = data[start : start + _HEAD_BYTES]
            if self._length_bytes:
                at = start + int.from_bytes(data[at:start])
            else:
                at = data.find(_START, start)
            if head:
                yield head


class _Bits:
    """Reads a unit bit by bit; what is beyond its end raises an EOFError."""

    def __init__(self, unit: bytes) -> None:
        # A 3 after two zeros is no content, but keeps units from looking like their beginning.
        content = unit.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(content), 8 * len(content)

    def take(self, n_bits: int) -> int:
        """Returns the number in so many bits."""
        self._left -= n_bits
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & (1 << n_bits) - 1

    def code(self) -> int:
        """Returns a number that is as long as the zeros before it say."""
        n_bits = 0
        while not self.take(1):
            n_bits += 1
        return (1 << n_bits) - 1 + self.take(n_bits)


def _n_bits_of(bits: _Bits) -> int | None:
    """Returns the length of the numbers, or None where gaps are allowed or cannot be told."""
    profile = bits.take(8)
    bits.take(16)
    bits.code()
    if profile in _HIGH_PROFILES:
        if bits.code() == _FULL_COLOURS and bits.take(1):
            return None  # each colour is a picture of its own
        bits.code(), bits.code()
        bits.take(1)
        if bits.take(1):
            return None  # long tables would have to be read
    n_bits = bits.code() + 4
    if not _skip_order(bits):
        return None
    bits.code()
    are_gaps_allowed = bits.take(1)
    return None if are_gaps_allowed else n_bits


def _skip_order(bits: _Bits) -> bool:
    """Reads how the order of pictures is coded, and tells whether it was read."""
    kind = bits.code()
    if kind == 0:
        bits.code()
    return kind in {0, 2}


def _boxed(box: bytes) -> Iterator[bytes]:
    """Yields the sequence parameters of a decoder configuration (ISO 14496-15)."""
    at = _BOX_BYTES
    for _ in range(box[_BOX_BYTES - 1] & 31):
        size = int.from_bytes(box[at : at + 2])
        if unit := box[at + 2 : at + 2 + size]:
            yield unit
        at += 2 + size
