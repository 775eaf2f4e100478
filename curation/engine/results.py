"""Writes what an engine run leaves behind, beside its pictures; docs/engine-results.md tells all.

`selected.txt` and `selection.json` come last, so that their presence means done.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.report_facts import facts_json, facts_npz

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.engine.outcome import Outcome


def write_results(
    outcome: Outcome,
    *,
    write: Callable[[str, bytes, str], None],
    on_result: Callable[[], None],
) -> None:
    """Writes all results but the pictures.

    Args:
        outcome: What came of the run.
        write: Writes a result: name relative to the run, content, MIME type.
        on_result: Called before each. It may raise, which ends the work.
    """
    for name, make, mime_type in _RESULTS:
        content = make(outcome)
        on_result()
        write(name, content, mime_type)


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
    video = outcome.video
    record = {
        "schema": 1,
        "run_id": video.run_id,
        "video": {"uri": video.uri, "sha256": video.sha256, "n_frames": len(outcome.frames)},
        **outcome.facts,
        "selected": [asdict(frame) for frame in outcome.pictures.selected],
    }
    return json.dumps(record, indent=2).encode() + b"\n"


_BINARY, _JSON = "application/octet-stream", "application/json"
_RESULTS: tuple[tuple[str, Callable[[Outcome], bytes], str], ...] = (
    ("embeddings.npy", embeddings_npy, _BINARY),
    ("report_facts.npz", facts_npz, _BINARY),
    ("report_facts.json", facts_json, _JSON),
    ("selected.txt", selected_txt, "text/plain"),
    ("selection.json", selection_json, _JSON),
)
