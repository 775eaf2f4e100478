from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from curation.adapters.storage.s3 import S3Storage
from curation.errors import CurationError
from curation.states import Outcome
from pipeline.cli import results
from tests.support.cli import end, new_run

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from curation.models import Run

NAMES = ["clip-7-mp4.jpg", "clip-2-mp4.jpg"]


@pytest.fixture
def run(ledger: Ledger, s3_client: S3Client, bucket: str) -> Run:
    """A completed run that has selected 2 of 20 frames, number 7 first."""
    run_id = new_run(ledger)
    prefix = f"results/{run_id}/"
    names = f"s3://{bucket}/{prefix}selected.txt"
    end(ledger, run_id, Outcome.COMPLETED, n_frames=20, n_selected=2, filenames_uri=names)
    selected = [
        {"frame_number": n, "timestamp_s": n / 10, "order": order, "file": f"frames/{name}"}
        for order, (n, name) in enumerate(zip((7, 2), NAMES, strict=True))
    ]
    bodies = {f"frames/{name}": picture() for name in NAMES} | {
        "selected.txt": "\n".join([*NAMES, ""]).encode(),
        "selection.json": json.dumps({"schema": 1, "selected": selected}).encode(),
    }
    for name, body in bodies.items():
        s3_client.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=body)
    return ledger.runs.get(run_id)


@pytest.fixture
def storage(s3_endpoint: str) -> S3Storage:
    """The buckets."""
    assert s3_endpoint
    return S3Storage(region=None)


def picture() -> bytes:
    """Returns a JPEG that does not end before its body."""
    buffer = io.BytesIO()
    Image.effect_noise((320, 240), 64).save(buffer, "JPEG")
    return buffer.getvalue()


def place(run: Run, name: str) -> tuple[str, str]:
    """Returns the bucket and the key of one of the run's results."""
    bucket, _, key = str(run.selection.filenames_uri).removeprefix("s3://").partition("/")
    return bucket, key.replace("selected.txt", name)


def replace(client: S3Client, run: Run, name: str, body: bytes) -> None:
    """Writes another object in place of one of the run's results."""
    bucket, key = place(run, name)
    client.put_object(Bucket=bucket, Key=key, Body=body)


def content(client: S3Client, run: Run, name: str) -> bytes:
    """Returns one of the run's results."""
    bucket, key = place(run, name)
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_fetch__brings_everything(run: Run, storage: S3Storage, tmp_path: Path) -> None:
    """All results lie in the folder as they do in the bucket, and the contact sheet with them."""
    sheet = results.fetch(run, storage, tmp_path / run.run_id)

    folder = tmp_path / run.run_id
    assert sorted(path.name for path in (folder / "frames").iterdir()) == sorted(NAMES)
    assert (folder / "selected.txt").read_text().splitlines() == NAMES
    assert json.loads((folder / "selection.json").read_text())["schema"] == 1
    assert sheet == folder / "contact-sheet.jpg"
    with Image.open(sheet) as opened:
        opened.load()


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        (("frames/clip-2-mp4.jpg", b"no picture"), r"frames/clip-2-mp4\.jpg cannot be decoded"),
        (("frames/clip-2-mp4.jpg", picture()[:2000]), r"frames/clip-2-mp4\.jpg cannot be decoded"),
        (("selected.txt", b"clip-7-mp4.jpg"), r"selected\.txt lists 1 frames, expected are 2"),
        (("selected.txt", "\n".join(NAMES[::-1]).encode()), "do not list the same frames"),
    ],
)
def test_fetch__notices_what_is_wrong(
    spoilt: tuple[str, bytes],
    complaint: str,
    run: Run,
    storage: S3Storage,
    s3_client: S3Client,
    tmp_path: Path,
) -> None:
    """A frame that is no picture, or lists that differ, are named."""
    replace(s3_client, run, *spoilt)

    with pytest.raises(CurationError, match=complaint):
        results.fetch(run, storage, tmp_path)


def test_fetch__notices_a_wrong_count(run: Run, storage: S3Storage, tmp_path: Path) -> None:
    """The number of frames selected must be what the request asked for."""
    selection = run.selection.model_copy(update={"n_frames": 100})

    with pytest.raises(CurationError, match="the status says 2 frames, expected are 10"):
        results.fetch(run.model_copy(update={"selection": selection}), storage, tmp_path)


@pytest.mark.parametrize(("n_frames", "n_damaged"), [(15, 0), (24, 0), (40, 20)])
def test_fetch__counts_as_the_engine_does(
    n_frames: int,
    n_damaged: int,
    run: Run,
    storage: S3Storage,
    s3_client: S3Client,
    tmp_path: Path,
) -> None:
    """A share is one of the frames that are not damaged, and half a frame is a frame."""
    record = json.loads(content(s3_client, run, "selection.json"))
    damaged = json.dumps(record | {"damage": {"n_damaged": n_damaged}}).encode()
    replace(s3_client, run, "selection.json", damaged)
    selection = run.selection.model_copy(update={"n_frames": n_frames})

    sheet = results.fetch(run.model_copy(update={"selection": selection}), storage, tmp_path)

    assert sheet.exists()


def test_fetch__missing_frame(
    run: Run, storage: S3Storage, s3_client: S3Client, tmp_path: Path
) -> None:
    """A frame that is listed but is not in the bucket is an error."""
    replace(s3_client, run, "selected.txt", b"clip-3-mp4.jpg\n")

    with pytest.raises(CurationError, match=r"clip-3-mp4\.jpg"):
        results.fetch(run, storage, tmp_path)
