"""What counts as known to a datapool, and when a datapool that is missing is found out."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from curation.adapters.storage.s3 import S3Storage
from curation.engine.datapool import Datapool
from curation.engine.decode import open_video
from curation.engine.embedders.catalog import open_embedder
from curation.engine.pools import Pools
from curation.engine.run import Engine
from curation.engine_port import VideoOfRun
from curation.errors import RequestError
from curation.selection_config import parse_config
from curation.setting_groups import RunSettings
from tests.support.media import shipped_clip

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from numpy.typing import NDArray

    from curation.engine.embedders.port import Embedder

    Floats = NDArray[np.float32]
    Pixels = NDArray[np.uint8]

# One of each shot of the clip.
FRAMES = (10, 50, 100, 160, 210)


@pytest.fixture(scope="module")
def lite0(cache_dir: Path) -> Embedder:
    """The default embedder."""
    return open_embedder("lite0", device="cpu", cache_dir=cache_dir)


def look(
    content: bytes, embedder: Embedder, numbers: Container[int]
) -> tuple[Floats, list[Pixels]]:
    """Returns the embeddings of some frames of a video, and their pixels."""
    rows, pictures = [], []
    with open_video(io.BytesIO(content), name="clip.mp4") as video:
        for frame in video.frames():
            if frame.number in numbers:
                rows.append(embedder.embed(video.pixels(frame, size=embedder.size)))
                pictures.append(video.pixels(frame))
    return np.array(rows), pictures


def encoded(pictures: list[Pixels]) -> bytes:
    """Returns a video of the pictures, compressed well."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18", "g": "1"})
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_datapool_distance__tells_copies_from_new_frames(lite0: Embedder) -> None:
    """By default a frame that is encoded again, and brighter, is known; another shot is not."""
    originals, pictures = look(shipped_clip("bikes.mp4").read_bytes(), lite0, FRAMES)
    brighter = [np.minimum(picture, 245) + np.uint8(10) for picture in pictures]
    copies, _ = look(encoded(brighter), lite0, range(len(FRAMES)))

    distances = np.linalg.norm(originals[:, np.newaxis] - copies, axis=2)

    is_copy = np.eye(len(FRAMES), dtype=np.bool_)
    assert np.array_equal(is_copy, distances < RunSettings().datapool_distance)


def test_plan__finds_out_what_the_datapool_lacks(lite0: Embedder, bucket: str) -> None:
    """To be like a datapool that has nothing is refused before the video is looked at."""
    similar = {"input": {"type": "EMBEDDINGS", "dataset_id": "cars"}}
    config = parse_config({"strategies": [similar | {"strategy": {"type": "SIMILARITY"}}]})
    video = VideoOfRun(pytest.fail, "run-1", "s3://in/run-1/clip.mp4", "", config)
    pools = Pools(partial(Datapool, S3Storage(), f"s3://{bucket}/"), None, 0.0)

    with pytest.raises(RequestError, match="those of datapool 'cars', which has none") as caught:
        Engine(lambda: lite0, pools).plan(video)

    assert caught.value.code == "request:selection-config"
