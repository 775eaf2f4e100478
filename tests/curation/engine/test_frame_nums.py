"""Pictures of H.264 that are missing are found by the numbers of those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import pytest

from curation.engine.frame_nums import FrameNums
from tests.support.media import shipped_clip, write_scenes

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> tuple[bytes | None, list[tuple[bytes, bool]]]:
    """Returns the parameters of a video, and its packets with whether they are keyframes."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [(bytes(packet), packet.is_keyframe) for packet in container.demux(stream)]
        return stream.codec_context.extradata, [packet for packet in packets if packet[0]]


def gaps(extradata: bytes | None, packets: list[tuple[bytes, bool]]) -> list[int]:
    """Returns the positions of packets before which pictures are missing."""
    nums = FrameNums(extradata)
    found = [nums.has_gap(packet, is_key=is_key) for packet, is_key in packets]
    return [at for at, is_gap in enumerate(found) if is_gap]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
@pytest.mark.parametrize(
    "options",
    [
        {"g": "30", "bf": "3"},
        {"g": "30", "bf": "0", "refs": "1"},
        {"x264-params": "open-gop=1:keyint=20:bframes=3:b-pyramid=normal"},
        {"x264-params": "interlaced=1:keyint=20"},
        {"x264-params": "intra-refresh=1:keyint=20"},
        {"x264-params": "slices=4:keyint=20:cqm=jvt"},
    ],
    ids=["B-frames", "P-frames", "open groups", "interlaced", "refreshed", "slices"],
)
def test_has_gap__is_false_for_whole_videos(
    name: str, options: dict[str, str], tmp_path: Path
) -> None:
    """However pictures refer to each other, none is missed that was never there."""
    video = read(write_scenes(tmp_path / name, [30, 30], options=options))

    assert gaps(*video) == []


@pytest.mark.parametrize(
    "name", ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4", "carphone_distorted.mp4"]
)
def test_has_gap__is_false_for_real_videos(name: str) -> None:
    """Nor in clips that other people's encoders made."""
    assert gaps(*read(shipped_clip(name))) == []


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_has_gap__is_true_where_a_picture_is_missing(name: str, tmp_path: Path) -> None:
    """After a picture that others refer to was lost, the next one tells; a keyframe makes good."""
    options = {"g": "20", "keyint_min": "20", "sc_threshold": "0", "bf": "0"}
    extradata, packets = read(write_scenes(tmp_path / name, [60], options=options))
    del packets[45]
    del packets[25:27]
    del packets[19]

    # The first one lost was the last before a keyframe.
    assert gaps(extradata, packets) == [24, 42]


@pytest.mark.parametrize("extradata", [None, b"", b"\1", b"\1" * 8, b"\0\0\1\x67\x64", bytes(40)])
def test_has_gap__bears_what_is_no_h264(extradata: bytes | None) -> None:
    """Damaged parameters and packets are no error here: the decoder will tell."""
    packets = [(content, False) for content in (b"", b"\0\0\1", b"\0\0\1\x65", b"\xff" * 30)]

    assert gaps(extradata, packets) == []
