"""The command `curate export`: a run's frames in a folder that a labelling tool opens."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from curation import exports
from curation.errors import CurationError, RequestError
from curation.exports import Listing
from curation.models import Run
from curation.ports import Objects
from pipeline import client
from pipeline.cli import bucket, output
from pipeline.cli.options import RunId
from workers.base import wiring


class Format(StrEnum):
    """Which tool is to open the folder."""

    COCO = "coco"
    CVAT = "cvat"
    LABEL_STUDIO = "label-studio"
    YOLO = "yolo"


_Format = Annotated[Format, typer.Option("--format", help="Which tool is to open the folder.")]
_To = Annotated[
    Path,
    typer.Option(
        "--to", file_okay=False, resolve_path=True, help="The folder; made if it is not there."
    ),
]


def export(run_id: RunId, *, to: _To, form: _Format = Format.COCO) -> None:
    """Copies a run's frames into a folder that a labelling tool opens.

    Example: curate export calm-amber-otter --format yolo --to my-frames
    """
    run = client.status(run_id)
    objects, prefix = wiring().storage, bucket.prefix_of(run)
    listing = _listing(run, objects, prefix)
    frames = to / ("images/train" if form is Format.YOLO else "frames")
    with bucket.into(to):
        frames.mkdir(parents=True, exist_ok=True)
        for frame in listing.frames:
            bucket.copy(objects, f"{prefix}frames/{frame.path}", frames / frame.path)
        for name, content in _files(listing, form, to).items():
            (to / name).write_bytes(content)
            output.answer(str(to / name))
    output.note(f"{len(listing.frames)} frames in {frames}. docs/exports.md says how to go on.")


def _listing(run: Run, objects: Objects, prefix: str) -> Listing:
    names = ("selection.json", "report_facts.json")
    if not all(objects.head(f"{prefix}{name}") for name in names):
        raise RequestError(
            f"Run {run.run_id} has no frames in the bucket: only our own engine puts them there "
            "(SELECTION_BACKEND=engine).",
            code="request:no-frames",
        )
    selection, facts = (bucket.read(objects, f"{prefix}{name}") for name in names)
    try:
        return Listing.read(selection_json=selection, facts_json=facts)
    except ValueError as error:
        message = f"The results of run {run.run_id} are not right: {error}"
        raise CurationError(message, code="results:wrong") from error


def _files(listing: Listing, form: Format, to: Path) -> dict[str, bytes]:
    match form:
        case Format.COCO:
            return {"coco.json": exports.coco(listing)}
        case Format.CVAT:
            return {"manifest.jsonl": exports.cvat_manifest(listing)}
        case Format.LABEL_STUDIO:
            # Label Studio's address of files below its LOCAL_FILES_DOCUMENT_ROOT.
            root = f"/data/local-files/?d={quote(to.name)}/frames/"
            return {"label-studio.json": exports.label_studio(listing, root=root)}
        case Format.YOLO:
            (to / "labels" / "train").mkdir(parents=True, exist_ok=True)
            return {"data.yaml": exports.yolo_data(), "train.txt": exports.yolo_list(listing)}
