"""Where frames go on the report's map and timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation.report.facts import Facts

MAP_WIDTH, MAP_HEIGHT = 1000, 640
LINE_WIDTH = 1000
# So many shades tell when a frame is; more cannot be told apart.
N_SHADES = 12

_MARGIN = 24
# One frame in a field of this width is drawn: nearer dots hide each other. 3,640 fields in all.
_FIELD = 13
# As many chosen frames are drawn wherever they are, and as many moments one by one.
_FEW_CHOSEN = 300
_BARS = 250
_MIN_SPAN_WIDTH = 2.0  # of a damaged stretch, so that a single frame can be seen


@dataclass(frozen=True)
class Dot:
    """A frame on the map.

    Attributes:
        number: Frame number.
        timestamp_s: Presentation time in seconds.
        x: From the left edge of the map.
        y: From its upper edge.
        line_x: From the left edge of the timeline.
        shade: From 0 at the beginning of the video to N_SHADES - 1 at its end.
        order: Place in the order of choice, or None if it was not chosen.
        is_damaged: Whether it could not be chosen.
    """

    number: int
    timestamp_s: float
    x: int
    y: int
    line_x: float
    shade: int
    order: int | None
    is_damaged: bool

    @property
    def is_plain(self) -> bool:
        """Whether nothing is special about it."""
        return self.order is None and not self.is_damaged


class Drawing:
    """Map and timeline of a run with at least one frame.

    Attributes:
        dots: The frames that are drawn, by number.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        times = facts.timestamps_s
        self._start_s = float(times.min())
        self._length_s = max(float(times.max()) - self._start_s, 1e-9)
        x, y = _on_paper(facts.map_xy)
        self.dots = [
            self._dot(number, int(x[number]), int(y[number]))
            for number in _drawn(x, y, facts).tolist()
        ]

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the last."""
        return self._length_s

    def clouds(self) -> list[tuple[int, str]]:
        """Returns the plain frames as one path for each shade."""
        by_shade: dict[int, list[Dot]] = {}
        for dot in self.dots:
            if dot.is_plain:
                by_shade.setdefault(dot.shade, []).append(dot)
        return [(shade, _points(dots)) for shade, dots in sorted(by_shade.items())]

    def damaged(self) -> str:
        """Returns the damaged frames as one path."""
        return _points([dot for dot in self.dots if dot.is_damaged])

    def chosen(self) -> list[Dot]:
        """Returns the chosen frames that are drawn, the first one last, so that it lies on top."""
        chosen = [dot for dot in self.dots if dot.order is not None]
        return sorted(chosen, key=lambda dot: -(dot.order or 0))

    @property
    def is_crowded(self) -> bool:
        """Whether so many were chosen that only some can be drawn, and moments as heights."""
        return len(self._facts.selected) > _FEW_CHOSEN

    def moments(self) -> str:
        """Returns all chosen moments as one path of the timeline, 1 high."""
        places = [self.line_x(frame.timestamp_s) for frame in self._facts.selected]
        if not self.is_crowded:
            return "".join(f"M{place:g} 0v1" for place in sorted(set(places)))
        counts, edges = np.histogram(places, bins=_BARS, range=(0, LINE_WIDTH))
        heights = (counts / counts.max()).round(3).tolist()
        middles = (edges[:-1] + LINE_WIDTH / _BARS / 2).tolist()
        return "".join(f"M{x:g} 1v-{high:g}" for x, high in zip(middles, heights, strict=True))

    def damaged_spans(self) -> list[tuple[float, float]]:
        """Returns left edge and width of each damaged stretch of the timeline."""
        ranges = self._facts.summary.damage.ranges_s
        edges = [(self.line_x(first), self.line_x(last)) for first, last in ranges]
        return [
            (min(left, LINE_WIDTH - _MIN_SPAN_WIDTH), max(right - left, _MIN_SPAN_WIDTH))
            for left, right in edges
        ]

    def ticks(self) -> list[tuple[float, float]]:
        """Returns place on the timeline and time in seconds of five marks."""
        return [
            (share * LINE_WIDTH, self._start_s + share * self._length_s)
            for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        ]

    def line_x(self, timestamp_s: float) -> float:
        """Returns where a moment is on the timeline."""
        share = (timestamp_s - self._start_s) / self._length_s
        return round(LINE_WIDTH * min(max(share, 0.0), 1.0), 1)

    def _dot(self, number: int, x: int, y: int) -> Dot:
        timestamp_s = float(self._facts.timestamps_s[number])
        line_x = self.line_x(timestamp_s)
        return Dot(
            number,
            timestamp_s,
            x,
            y,
            line_x,
            shade=min(int(line_x / LINE_WIDTH * N_SHADES), N_SHADES - 1),
            order=self._facts.orders.get(number),
            is_damaged=bool(self._facts.is_damaged[number]),
        )


def _on_paper(map_xy: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fills the paper: the distances are those of an overview, not to be measured."""
    sides = []
    for axis, room in enumerate((MAP_WIDTH, MAP_HEIGHT)):
        values = map_xy[:, axis].astype(np.float64)
        least, width = values.min(), np.ptp(values)
        shares = (values - least) / width if width else np.full(len(values), 0.5)
        sides.append(np.rint(_MARGIN + shares * (room - 2 * _MARGIN)).astype(np.int64))
    return sides[0], sides[1]


def _drawn(x: NDArray[np.int64], y: NDArray[np.int64], facts: Facts) -> NDArray[np.int64]:
    """Returns the numbers of the frames to draw: one a field, and one a field of the chosen ones.

    The first chosen ones are drawn all.
    """
    fields = x // _FIELD * MAP_HEIGHT + y // _FIELD
    # Damaged ones have fields of their own.
    fields = fields * 2 + facts.is_damaged
    chosen = np.array([frame.frame_number for frame in facts.selected], np.int64)
    _, earliest = np.unique(fields[chosen], return_index=True)
    shown = chosen[np.union1d(earliest, np.arange(min(len(chosen), _FEW_CHOSEN))).astype(np.int64)]
    others = np.setdiff1d(np.arange(len(fields)), chosen)
    _, first = np.unique(fields[others], return_index=True)
    return np.union1d(others[first], shown)


def _points(dots: list[Dot]) -> str:
    """Returns a path whose round line ends are the dots."""
    return "".join(f"M{dot.x} {dot.y}h0" for dot in dots)
