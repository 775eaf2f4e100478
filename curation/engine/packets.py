"""Picks the packets of one segment out of a stream, without a frame too many or too few."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import av

    Packet = av.Packet[av.VideoStream]
    TimeOf = Callable[[Packet], int | None]

# No codec lets more pictures be shown before the keyframe that they are stored after.
_MAX_LEADING = 64


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a video that is decoded by itself: from a keyframe up to another one.

    All fields are JSON. Which frames a segment has depends on the video alone.

    Attributes:
        number: Position in the video, from 0.
        start: Time of its first keyframe, in the stream's ticks; None: it begins the video.
        end: Time of the keyframe that begins the next segment; None: it ends the video.
    """

    number: int = 0
    start: int | None = None
    end: int | None = None


def packets_of(
    packets: Iterable[Packet], segment: Segment, time_of: TimeOf, *, warm_up: bool = False
) -> Iterator[tuple[Packet, bool]]:
    """Yields what has to be decoded for a segment, and whether its frame belongs to the segment.

    Pictures that are shown before a keyframe but stored after it need the frames before both (an
    "open" group of pictures): they belong to the segment before.

    Args:
        packets: Packets of the video's stream in decoding order, from the start or before it.
        segment: The segment.
        time_of: Time of a keyframe's packet on the clock of `segment`.
        warm_up: Whether what comes before the segment is decoded, too.
    """
    remaining = iter(packets)
    if segment.start is not None:
        for packet in remaining:
            if _reaches(packet, segment.start, time_of):
                break
            if warm_up:
                yield packet, False
        else:
            return
        yield packet, True
        leading, remaining = _split(remaining, packet)
        yield from ((picture, False) for picture in leading)
    for packet in remaining:
        if segment.end is not None and _reaches(packet, segment.end, time_of):
            leading, _ = _split(remaining, packet)
            if leading:
                yield packet, False
            yield from ((picture, True) for picture in leading)
            return
        yield packet, True


def _reaches(packet: Packet, time: int, time_of: TimeOf) -> bool:
    if not packet.is_keyframe:
        return False
    own = time_of(packet)
    # A keyframe that is damaged beyond recognition leaves its frames to the segment before.
    return own is not None and own >= time


def _split(packets: Iterator[Packet], key: Packet) -> tuple[list[Packet], Iterator[Packet]]:
    """Returns the pictures that are shown before `key`, and all others."""
    leading: list[Packet] = []
    for packet in packets:
        if not _is_leading(packet, key) or len(leading) == _MAX_LEADING:
            return leading, chain([packet], packets)
        leading.append(packet)
    return leading, packets


def _is_leading(packet: Packet, key: Packet) -> bool:
    if packet.is_keyframe or packet.pts is None or key.pts is None:
        return False
    return packet.pts < key.pts
