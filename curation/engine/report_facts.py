"""What a report needs to know of an engine run, in two files: few facts, and arrays.

`report_facts.json` has facts of the whole; `report_facts.npz` has arrays over the N frames of the
video, the K that were chosen and T thumbnails. docs/engine-results.md describes both.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.flat_map import lay_out
from curation.engine.scores import compare

if TYPE_CHECKING:
    from curation.engine.outcome import Outcome


def facts_json(outcome: Outcome) -> bytes:
    """Returns `report_facts.json`."""
    # Of the first; the report shows all of them in its shape.
    sizes = iter(outcome.pictures.sizes.values())
    video, (width, height) = outcome.video, next(sizes, (None, None))
    eligible = np.flatnonzero(~outcome.damage.mask)
    scores = compare(outcome.frames.embeddings, eligible, outcome.choice.indices)
    record = {
        "schema": 1,
        "run_id": video.run_id,
        "video": {
            "uri": video.uri,
            "sha256": video.sha256,
            "name": video.name,
            "width": width,
            "height": height,
            "n_frames": len(outcome.frames),
        },
        **outcome.facts,
        "scores": {name: asdict(score) for name, score in scores.items()},
        "timings": {f"{stage}_s": round(it, 2) for stage, it in outcome.timings_s.items()},
    }
    return json.dumps(record, indent=2).encode() + b"\n"


def facts_npz(outcome: Outcome) -> bytes:
    """Returns `report_facts.npz`."""
    frames = outcome.frames
    thumbnails = {number: data for number, data in enumerate(frames.thumbnails) if data}
    # Made of the full picture, these are better.
    thumbnails |= outcome.pictures.thumbnails
    numbers = sorted(thumbnails)
    jpegs = [thumbnails[number] for number in numbers]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        timestamps_s=frames.timestamps_s,
        is_key=frames.is_key,
        is_damaged=outcome.damage.mask,
        n_errors=frames.n_errors,
        sharpness=frames.sharpness,
        luminance=frames.luminance,
        map_xy=lay_out(frames.embeddings),
        selected=outcome.choice.indices,
        distances=outcome.choice.distances,
        thumbnail_numbers=np.array(numbers, np.int64),
        thumbnail_jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
        thumbnail_bounds=np.cumsum([0, *map(len, jpegs)]),
    )
    return buffer.getvalue()
