"""Fetches what a run has selected into a folder, and makes sure that it is all there."""

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pydantic import ConfigDict, Field

from curation.errors import CurationError
from curation.models import Record, Run
from curation.ports import Objects
from curation.report.contact_sheet import MAX_FRAMES, Frame, contact_sheet
from pipeline.cli.bucket import copy, prefix_of

_SHEET_QUALITY = 90


class _Selected(Record):
    """What is needed of an entry of `selection.json`."""

    model_config = ConfigDict(extra="ignore")

    frame_number: int
    timestamp_s: float
    order: int
    file: str


class _Damage(Record):
    """What is needed of the damage in `selection.json`."""

    model_config = ConfigDict(extra="ignore")

    n_damaged: int = 0


class _Selection(Record):
    """What is needed of `selection.json`."""

    model_config = ConfigDict(extra="ignore")

    damage: _Damage = _Damage()
    selected: list[_Selected] = Field(min_length=1)


def fetch(run: Run, objects: Objects, folder: Path) -> Path:
    """Copies a completed run's results from S3, checks them, and adds a contact sheet.

    Args:
        run: The run.
        objects: Where its results are.
        folder: Where they go; made if need be.

    Returns:
        The contact sheet.

    Raises:
        CurationError: If something is missing, is no picture, or is not what was announced.
    """
    prefix = prefix_of(run)
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    for name in ("selected.txt", "selection.json"):
        copy(objects, f"{prefix}{name}", folder / name)
    names = (folder / "selected.txt").read_text(encoding="utf-8").splitlines()
    for name in names:
        copy(objects, f"{prefix}frames/{name}", folder / "frames" / name)
    frames = _frames(run, folder, names)
    sheet = folder / "contact-sheet.jpg"
    contact_sheet(frames, title=_title(run, len(frames))).save(sheet, quality=_SHEET_QUALITY)
    return sheet


def _frames(run: Run, folder: Path, names: list[str]) -> list[Frame]:
    """Returns the frames by time; of many, those that were chosen first."""
    text = (folder / "selection.json").read_text(encoding="utf-8")
    selection = _Selection.model_validate(json.loads(text))
    selected = selection.selected
    problems = list(_problems(run, folder, names, selection))
    if problems:
        message = f"The results of run {run.run_id} are not right: {'; '.join(problems)}."
        raise CurationError(message, code="results:wrong")
    first = sorted(selected, key=lambda frame: frame.order)[:MAX_FRAMES]
    return [
        Frame(folder / frame.file, frame.frame_number, frame.timestamp_s)
        for frame in sorted(first, key=lambda frame: frame.frame_number)
    ]


def _problems(run: Run, folder: Path, names: list[str], selection: _Selection) -> Iterator[str]:
    # Damaged frames are not chosen from, so the share is one of the others.
    expected = run.request.config.n_of((run.selection.n_frames or 0) - selection.damage.n_damaged)
    counts = {
        "the status says": run.selection.n_selected,
        "selected.txt lists": len(set(names)),
        "selection.json lists": len({frame.frame_number for frame in selection.selected}),
    }
    for who, count in counts.items():
        if count != expected:
            yield f"{who} {count} frames, expected are {expected}"
    if [f"frames/{name}" for name in names] != [frame.file for frame in selection.selected]:
        yield "selected.txt and selection.json do not list the same frames"
    for name in names:
        if not _is_picture(folder / "frames" / name):
            yield f"frames/{name} cannot be decoded"


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, UnidentifiedImageError):
        return False
    return True


def _title(run: Run, n_shown: int) -> str:
    name = Path(run.request.source).name
    chosen = f"{run.selection.in_words} frames"
    shown = f"  ·  the first {n_shown}" if n_shown < (run.selection.n_selected or 0) else ""
    return f"{chosen}{shown}  ·  {name}"
