from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from pycocotools.coco import COCO

from curation.exports import Listing, coco, cvat_manifest, label_studio, yolo_data, yolo_list
from tests.support.report import ReportFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def listing() -> Listing:
    """Two frames of a clip of 640 x 360, the later one chosen first."""
    files = ReportFiles(n_frames=100, n_selected=2)
    return Listing.read(selection_json=files.selection_json(), facts_json=files.facts_json())


def test_coco__is_read_by_its_own_reader(
    listing: Listing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each frame is an image with its size, and nothing is labelled yet."""
    path = tmp_path / "coco.json"
    path.write_bytes(coco(listing))

    dataset = COCO(str(path))

    assert "index created" in capsys.readouterr().out
    assert (dataset.getCatIds(), dataset.getAnnIds()) == ([], [])
    images = dataset.loadImgs(dataset.getImgIds())
    assert [(image["file_name"], image["width"], image["height"]) for image in images] == [
        ("clip.mp4-50.jpg", 640, 360),
        ("clip.mp4-0.jpg", 640, 360),
    ]


def test_label_studio__has_a_task_for_each_frame(listing: Listing) -> None:
    """A task has the address of the frame, and whatever helps to sort the tasks."""
    tasks = json.loads(label_studio(listing, root="s3://b/run-1/frames/"))

    assert tasks[0] == {
        "data": {
            "image": "s3://b/run-1/frames/clip.mp4-50.jpg",
            "video": "clip.mp4",
            "frame_number": 50,
            "timestamp_s": 2.0,
            "order": 0,
        }
    }
    assert len(tasks) == 2


def test_cvat_manifest__names_each_frame_beside_it(listing: Listing) -> None:
    """Two lines of head, then a line for each frame: its name, and the extension apart."""
    head, kind, *frames = map(json.loads, cvat_manifest(listing).splitlines())

    assert (head, kind) == ({"version": "1.1"}, {"type": "images"})
    assert [f"{frame['name']}{frame['extension']}" for frame in frames] == [
        "frames/clip.mp4-50.jpg",
        "frames/clip.mp4-0.jpg",
    ]
    assert (frames[0]["width"], frames[0]["height"]) == (640, 360)


def test_yolo__lists_the_images_where_labels_are_looked_for(listing: Listing) -> None:
    """Paths are relative to the list, in a folder `images` with one for `labels` beside it."""
    data = yaml.safe_load(yolo_data())

    assert data == {"train": "train.txt", "val": "train.txt", "names": {}}
    assert yolo_list(listing).decode().splitlines() == [
        "./images/train/clip.mp4-50.jpg",
        "./images/train/clip.mp4-0.jpg",
    ]


def test_listing__of_a_run_that_chose_nothing() -> None:
    """Every list is empty."""
    files = ReportFiles(n_selected=0)

    listing = Listing.read(selection_json=files.selection_json(), facts_json=files.facts_json())

    assert json.loads(coco(listing))["images"] == []


def test_listing__a_frame_has_no_way_out_of_its_folder() -> None:
    """Of whatever a list says, only the last part names a file."""
    selection = json.loads(ReportFiles(n_selected=1).selection_json())
    selection["selected"][0]["file"] = "frames/../../.ssh/authorized_keys"

    listing = Listing.read(
        selection_json=json.dumps(selection).encode(), facts_json=ReportFiles().facts_json()
    )

    assert str(listing.frames[0].path) == "authorized_keys"


def test_listing__refuses_what_is_no_selection() -> None:
    """A list without frames' numbers is an error, not an empty export."""
    with pytest.raises(ValueError, match="selected"):
        Listing.read(selection_json=b"{}", facts_json=ReportFiles().facts_json())
