"""Writes what an engine run leaves behind, beside its pictures; docs/engine-results.md tells all.

`selected.txt` and `selection.json` come last, so that their presence means done.
"""

from __future__ import annotations

import io
import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.report_facts import facts_json, facts_npz
from curation.exports import Listing, coco, cvat_manifest, label_studio
from curation.report.page import build_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curation.engine.outcome import Outcome, Pictures, SelectedFrame

    NamedResult = tuple[str, bytes, str]

log = logging.getLogger(__name__)

REPORT = "report.html"


def write_results(
    outcome: Outcome,
    *,
    write: Callable[[str, bytes, str], None],
    on_result: Callable[[], None],
) -> list[str]:
    """Writes all results but the pictures, and returns their names.

    Args:
        outcome: What came of the run.
        write: Writes a result: name relative to the run, content, MIME type.
        on_result: Called before each. It may raise, which ends the work.
    """
    names = []
    for name, content, mime_type in _results(outcome):
        on_result()
        write(name, content, mime_type)
        names.append(name)
    return names


def embeddings_npy(outcome: Outcome) -> bytes:
    """Returns the embeddings of all frames as a file that `numpy.load` reads."""
    buffer = io.BytesIO()
    np.save(buffer, outcome.frames.embeddings, allow_pickle=False)
    # No copy is made here: two hours of embeddings are in memory twice, not thrice.
    return buffer.getvalue()


def selected_txt(outcome: Outcome) -> bytes:
    """Returns the file names of the frames, one a line, in order of choice."""
    return "".join(f"{frame.filename}\n" for frame in outcome.pictures.selected).encode()


def selection_json(outcome: Outcome) -> bytes:
    """Returns the record of the selection."""
    video, pictures = outcome.video, outcome.pictures
    record = {
        "schema": 1,
        "run_id": video.run_id,
        "video": {"uri": video.uri, "sha256": video.sha256, "n_frames": len(outcome.frames)},
        **outcome.facts,
        "selected": [_listed(frame, pictures) for frame in pictures.selected],
    }
    return json.dumps(record, indent=2).encode() + b"\n"


def _listed(frame: SelectedFrame, pictures: Pictures) -> dict[str, object]:
    width, height = pictures.sizes[frame.frame_number]
    return {**asdict(frame), "width": width, "height": height}


_BINARY, _JSON = "application/octet-stream", "application/json"


def _results(outcome: Outcome) -> Iterator[NamedResult]:
    yield "embeddings.npy", embeddings_npy(outcome), _BINARY
    arrays, facts, record = facts_npz(outcome), facts_json(outcome), selection_json(outcome)
    yield "report_facts.npz", arrays, _BINARY
    yield "report_facts.json", facts, _JSON
    yield from _exports(outcome, Listing.read(selection_json=record, facts_json=facts))
    yield from _report(outcome.video.run_id, arrays=arrays, facts=facts, record=record)
    yield "selected.txt", selected_txt(outcome), "text/plain"
    yield "selection.json", record, _JSON


def _exports(outcome: Outcome, listing: Listing) -> Iterator[NamedResult]:
    """Yields lists of the frames for tools that read the bucket itself."""
    root = f"{outcome.video.results_uri}frames/"
    yield "exports/coco.json", coco(listing), _JSON
    yield "exports/label-studio.json", label_studio(listing, root=root), _JSON
    # CVAT looks for the frames beside their manifest.
    yield "manifest.jsonl", cvat_manifest(listing), "application/jsonl"


def _report(run_id: str, *, arrays: bytes, facts: bytes, record: bytes) -> Iterator[NamedResult]:
    """Yields the report, or nothing: it is a present, and no run fails for it."""
    try:
        page = build_report(selection_json=record, facts_json=facts, facts_npz=arrays)
    except Exception:
        log.warning("The report could not be made", extra={"run_id": run_id}, exc_info=True)
        return
    yield REPORT, page, "text/html; charset=utf-8"
