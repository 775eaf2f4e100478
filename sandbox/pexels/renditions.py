"""The files of the stand-in: one real clip in several sizes, each made when it is first fetched."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from sandbox.clip import clip

if TYPE_CHECKING:
    from pathlib import Path

    from av.filter import Graph
    from av.video.stream import VideoStream

Size = tuple[int, int]

# The clip's own width and height in pixels.
WHOLE: Size = (640, 272)
_SMALLER: tuple[Size, ...] = ((320, 136), (480, 204))


def sizes(*, portrait: bool) -> list[Size]:
    """Returns width and height of every rendition of a video, in pixels.

    Without PyAV there is only the clip as it is.
    """
    if find_spec("av") is None:
        return [WHOLE]
    landscape = [*_SMALLER, WHOLE]
    return [(height, width) for width, height in landscape] if portrait else landscape


def rendition(folder: Path, size: Size) -> Path:
    """Returns a real MP4 file of that size, made now or earlier.

    Args:
        folder: Where files are kept.
        size: One of `sizes`.
    """
    if size == WHOLE:
        return clip()
    path = folder / f"{size[0]}x{size[1]}.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        _convert(clip(), draft, size)
        draft.replace(path)
    return path


def _convert(source: Path, target: Path, size: Size) -> None:
    import av  # noqa: PLC0415  # not everybody has it, and whoever takes the clip as it is needs none

    with av.open(str(source)) as given, av.open(str(target), "w", format="mp4") as made:
        before = given.streams.video[0]
        after = made.add_stream(
            "libx264", rate=before.average_rate, options={"preset": "ultrafast"}
        )
        after.width, after.height, after.pix_fmt = *size, "yuv420p"
        graph = _graph(before, size)
        for frame in given.decode(before):
            graph.push(frame)
            made.mux(after.encode(graph.vpull()))
        made.mux(after.encode(None))


def _graph(stream: VideoStream, size: Size) -> Graph:
    from av.filter import Graph  # noqa: PLC0415  # as above

    graph = Graph()
    chain = [graph.add_buffer(template=stream)]
    if size[0] < size[1]:
        chain.append(graph.add("transpose", "clock"))
    chain.append(graph.add("scale", f"{size[0]}:{size[1]}"))
    graph.link_nodes(*chain, graph.add("buffersink")).configure()
    return graph
