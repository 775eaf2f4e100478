"""Lists the selected frames in the forms that labelling tools read; docs/exports.md tells how.

None of these has annotations: they are what one begins to label with. Each form is a few lines of
JSON or text, which no library makes any shorter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from curation.models import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Known(Record):
    """A record of which not all is needed."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ExportFrame(_Known):
    """A selected frame, as `selection.json` has it."""

    frame_number: int
    timestamp_s: float
    order: int
    file: str
    width: int
    height: int

    @property
    def path(self) -> PurePosixPath:
        """The file name of its picture. Whatever the list says, it leads nowhere else."""
        return PurePosixPath(PurePosixPath(self.file).name)


class _Selection(_Known):
    run_id: str
    selected: list[ExportFrame]


class _Video(_Known):
    name: str


class _Facts(_Known):
    video: _Video


@dataclass(frozen=True)
class Listing:
    """The selected frames of a run.

    Attributes:
        run_id: The run.
        video: File name of the video.
        frames: The frames, in order of choice.
    """

    run_id: str
    video: str
    frames: list[ExportFrame]

    @classmethod
    def read(cls, *, selection_json: bytes, facts_json: bytes) -> Listing:
        """Reads `selection.json` and `report_facts.json`.

        Raises:
            ValueError: If they are not what an engine run leaves.
        """
        selection = _Selection.model_validate_json(selection_json)
        video = _Facts.model_validate_json(facts_json).video
        return cls(selection.run_id, video.name, selection.selected)


def coco(listing: Listing) -> bytes:
    """Returns the frames as a COCO dataset; names are relative to the folder of the frames."""
    images = [
        {
            "id": frame.order + 1,
            "file_name": str(frame.path),
            "width": frame.width,
            "height": frame.height,
            "frame_number": frame.frame_number,
            "timestamp_s": frame.timestamp_s,
        }
        for frame in listing.frames
    ]
    about = {"description": f"Frames of {listing.video}, selected by run {listing.run_id}"}
    empty: dict[str, list[object]] = {"licenses": [], "categories": [], "annotations": []}
    return _json({"info": about, "images": images, **empty})


def label_studio(listing: Listing, *, root: str) -> bytes:
    """Returns the frames as tasks of Label Studio.

    Args:
        listing: The frames.
        root: What Label Studio puts before a frame's file name to find it.
    """
    return _json(
        [
            {
                "data": {
                    "image": f"{root}{frame.path}",
                    "video": listing.video,
                    "frame_number": frame.frame_number,
                    "timestamp_s": frame.timestamp_s,
                    "order": frame.order,
                }
            }
            for frame in listing.frames
        ]
    )


def cvat_manifest(listing: Listing) -> bytes:
    """Returns the frames as a manifest of CVAT that lies beside the folder `frames/`."""
    lines: list[dict[str, object]] = [{"version": "1.1"}, {"type": "images"}]
    lines += [
        {
            "name": str("frames" / frame.path.with_suffix("")),
            "extension": frame.path.suffix,
            "width": frame.width,
            "height": frame.height,
            "meta": {"related_images": []},
        }
        for frame in listing.frames
    ]
    return _lines(json.dumps(line) for line in lines)


def yolo_list(listing: Listing) -> bytes:
    """Returns the frames as a list of images for YOLO, which looks for labels beside `images/`."""
    return _lines(f"./images/train/{frame.path}" for frame in listing.frames)


def yolo_data() -> bytes:
    """Returns the description of a dataset for YOLO, to be completed with classes."""
    # Without `path`, paths are relative to this file.
    return _lines(
        ["train: train.txt", "val: train.txt", "# Your classes, e.g. 0: car", "names: {}"]
    )


def _json(document: object) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
