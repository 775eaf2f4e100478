"""Makes labelled videos: scenes of very unequal length, events of three frames, slow journeys."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from bench.quality.material import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    from bench.quality.material import Pixels, Scene

    _View = tuple[int, int, int, int]

EVENT_FRAMES = 3
_FPS = 25
# Scenes of a joined film, and frames of its shortest and longest.
_N_JOINED, _SHORTEST, _LONGEST = 24, 3, 240
# Frames of the near-static shot and of those that move, and how many events come into each.
_STILL, _STILL_EVENTS = 520, 3
_SHOTS, _SHOT_EVENTS = (20, 24, 32, 40, 50, 64, 80, 110), (0, 0, 0, 0, 1, 1, 1, 1)
# Places of a journey, frames in which one fades into the next, and the share of its time that the
# camera moves.
_N_PLACES, _FADE, _MOVING = 10, 16, 0.35
# Noise of the camera as a standard deviation, out of 255.
_NOISE = 2.0


@dataclass
class LabelledSet:
    """A video of which is known what is where.

    Attributes:
        name: Kind, material and seed.
        scenes: Scene of each frame, or -1 where an event or a fade is, shape (N,), int64.
        events: First frame of each event; it lasts `EVENT_FRAMES`.
    """

    name: str
    scenes: NDArray[np.int64]
    events: list[int]


@dataclass
class _Film:
    """Frames as they are put together, with their labels."""

    frames: list[Pixels] = field(default_factory=list)
    scenes: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)

    def add(self, frame: Pixels, scene: int) -> None:
        self.frames.append(frame)
        self.scenes.append(scene)

    def interrupt(self, start: int, stranger: Pixels, view: _View | None) -> None:
        """Shows a part of another scene for three frames, or all of it without a `view`."""
        for tick in range(start, start + EVENT_FRAMES):
            self.frames[tick] = _with(self.frames[tick], stranger[tick - start], view)
            self.scenes[tick] = -1
        self.events.append(start)


def joined(material: Sequence[Scene], dice: Generator) -> _Film:
    """Joins scenes whose lengths go from 3 to 240 frames."""
    film = _Film()
    n = min(_N_JOINED, len(material))
    lengths = dice.permutation(np.geomspace(_SHORTEST, _LONGEST, n).round().astype(int))
    for number, index in enumerate(dice.permutation(len(material))[:n]):
        for frame in _there_and_back(material[index].frames(), int(lengths[number])):
            film.add(frame, number)
    return film


def rare(material: Sequence[Scene], dice: Generator) -> _Film:
    """Lets something fill the view, or a part of it, for three frames; one shot is near-static."""
    film = _Film()
    unseen = [material[index].frames() for index in dice.permutation(len(material))]
    shots = [(np.array([_shaken(unseen[0][0], dice) for _ in range(_STILL)]), _STILL_EVENTS)]
    for length, n_events in zip(_SHOTS, _SHOT_EVENTS, strict=True):
        shots.append((_there_and_back(unseen.pop(), length), n_events))
    for number, index in enumerate(dice.permutation(len(shots))):
        frames, n_events = shots[index]
        first = len(film.frames)
        for frame in frames:
            film.add(frame, number)
        for start in _apart(dice, len(frames), n_events):
            view = _place(dice) if len(film.events) % 2 else None
            film.interrupt(first + start, unseen.pop(), view)
    return film


def journey(material: Sequence[Scene], dice: Generator) -> _Film:
    """Drives slowly from place to place, stops, and sees something cross twice."""
    film = _Film()
    places = dice.permutation(len(material))[:_N_PLACES]
    lengths = dice.permutation(np.geomspace(30, 220, len(places)).round().astype(int))
    before: Pixels | None = None
    for number, (place, length) in enumerate(zip(places, lengths, strict=True)):
        path = _there_and_back(material[place].frames(), int(length * _MOVING) + 1)
        stops = np.sort(dice.integers(0, len(path), int(length)))
        for tick, step in enumerate(stops):
            frame, fading = path[step], before is not None and tick < _FADE
            if fading and before is not None:
                frame = _mixed(before, frame, (tick + 1) / (_FADE + 1))
            film.add(frame, -1 if fading else number)
        before = path[stops[-1]]
    for start in _apart(dice, len(film.frames), 2):
        film.interrupt(start, material[dice.choice(places)].frames(), _place(dice))
    return film


KINDS: dict[str, Callable[[Sequence[Scene], Generator], _Film]] = {
    "joined": joined,
    "rare": rare,
    "journey": journey,
}


def make_set(
    kind: str, material: Sequence[Scene], *, seed: int, name: str, path: Path
) -> LabelledSet:
    """Writes one set as an H.264 video and returns its labels.

    Args:
        kind: A key of `KINDS`.
        material: Scenes to take from.
        seed: Of the dice that decide order, lengths and events.
        name: Name of the set.
        path: Where the video goes; one that is there is kept.
    """
    dice = np.random.default_rng(seed)
    film = KINDS[kind](material, dice)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, _noisy(film.frames, dice))
    return LabelledSet(name, np.array(film.scenes, np.int64), sorted(film.events))


def _there_and_back(frames: Pixels, length: int) -> Pixels:
    there_and_back = np.concatenate([frames, frames[-2:0:-1]])
    return there_and_back[np.arange(length) % len(there_and_back)]


def _apart(dice: Generator, length: int, n: int) -> list[int]:
    """Returns starts of `n` events that do not touch one another or the ends."""
    slot = length // max(n, 1)
    return [number * slot + int(dice.integers(6, slot - 6)) for number in range(n)]


def _place(dice: Generator) -> _View:
    """Returns left, top, width and height of a sixth of the view."""
    width, height = SIZE[0] * 2 // 5, SIZE[1] * 2 // 5
    x, y = dice.integers(0, SIZE[0] - width), dice.integers(0, SIZE[1] - height)
    return int(x), int(y), width, height


def _with(frame: Pixels, stranger: Pixels, view: _View | None) -> Pixels:
    if view is None:
        return stranger
    x, y, width, height = view
    changed = frame.copy()
    top, left = (SIZE[1] - height) // 2, (SIZE[0] - width) // 2
    changed[y : y + height, x : x + width] = stranger[top : top + height, left : left + width]
    return changed


def _shaken(frame: Pixels, dice: Generator) -> Pixels:
    return np.roll(frame, dice.integers(-1, 2, 2), (0, 1))


def _mixed(one: Pixels, other: Pixels, share: float) -> Pixels:
    return (one * (1 - share) + other * share).astype(np.uint8)


def _noisy(frames: Iterable[Pixels], dice: Generator) -> Iterator[Pixels]:
    for frame in frames:
        noise = dice.normal(0, _NOISE, (*frame.shape[:2], 1))
        yield (frame + noise).clip(0, 255).astype(np.uint8)


def _write(path: Path, frames: Iterable[Pixels]) -> None:
    whole = path.with_suffix(".part.mp4")
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=_FPS, options={"crf": "26"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _FPS)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    whole.replace(path)
