"""Holds decoded pictures back until what was decoded before them is known to be whole or not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import av

    from curation.engine.frame_nums import FrameNums
    from curation.engine.packets import Packet

# As many pictures as a decoder may hold itself (H.264 and HEVC).
_MAX_HELD = 16
# Packets come steadily if so many steps in a row differ by no more than this factor.
_STEADY_STEPS = 6
_STEADY = 1.5


@dataclass(frozen=True, slots=True)
class Mark:
    """What a packet hands on to its picture.

    Attributes:
        number: Position in decoding order.
        is_mine: Whether the picture belongs to the segment at hand.
    """

    number: int
    is_mine: bool


class Order:
    """Attributes signs of damage to pictures by decoding order.

    Pictures come out in presentation order. A damaged picture that others refer to may come after
    some of them, so each waits until those that were decoded before it have come, or never will.

    Args:
        step: Usual ticks between packets, if one that comes late means that some are lost.
        nums: What finds by their numbers that pictures are missing, if they have any.
    """

    def __init__(self, *, step: float | None = None, nums: FrameNums | None = None) -> None:
        self._nums = nums
        self._steps = deque([step] * _STEADY_STEPS if step else [], maxlen=_STEADY_STEPS)
        self._latest: int | None = None
        self._awaited: set[int] = set()
        self._new_signs: set[int] = set()
        self._signs: set[int] = set()
        self._held: deque[tuple[av.VideoFrame, Mark]] = deque()

    def sent(self, mark: Mark, packet: Packet) -> None:
        """Notes that the decoder gets a packet."""
        self._awaited.add(mark.number)
        dts = packet.dts
        if self._nums and self._nums.has_gap(bytes(packet), is_key=packet.is_keyframe):
            self._sign(mark)
        if self._steps and dts is not None:
            step = dts - (dts if self._latest is None else self._latest)
            self._latest = dts
            if max(self._steps) <= _STEADY * min(self._steps) and step > _STEADY * max(self._steps):
                self._sign(mark)
            elif step:
                self._steps.append(step)

    def failed(self, mark: Mark) -> None:
        """Notes that a packet is damaged."""
        self._awaited.discard(mark.number)
        self._sign(mark)

    def came(self, pictures: Iterable[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, Mark, int]]:
        """Takes pictures and yields those that need wait no longer, with their count of signs."""
        for picture in pictures:
            mark = cast("Mark", picture.opaque)
            self._awaited.discard(mark.number)
            if picture.is_corrupt:
                self._sign(mark)
            self._held.append((picture, mark))
        oldest = min(self._awaited, default=None)
        while self._held and (
            oldest is None or self._held[0][1].number < oldest or len(self._held) > _MAX_HELD
        ):
            picture, mark = self._held.popleft()
            yield picture, mark, self._n_signs(mark)

    def rest(self) -> Iterator[tuple[av.VideoFrame, Mark, int]]:
        """Yields what is still held, when nothing more will come."""
        self._awaited.clear()
        return self.came([])

    def _sign(self, mark: Mark) -> None:
        # Of pictures of other segments only those are decoded that ours need; theirs count there.
        if mark.is_mine:
            self._signs.add(mark.number)
            self._new_signs.add(mark.number)

    def _n_signs(self, mark: Mark) -> int:
        if not mark.is_mine:
            return 0
        new = {number for number in self._new_signs if number <= mark.number}
        self._new_signs -= new
        # Its own counts again, because a keyframe would otherwise end the damage that it has.
        return len(new | ({mark.number} & self._signs))
