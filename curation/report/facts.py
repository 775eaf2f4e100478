"""Reads what an engine run has left for its report."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ConfigDict

from curation.models import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Known(Record):
    """A record of which the report needs not all."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ReportVideo(_Known):
    """The video."""

    name: str
    uri: str
    sha256: str
    width: int | None
    height: int | None
    n_frames: int


class ReportEmbedder(_Known):
    """What made the embeddings."""

    identity: str
    n_features: int


class ReportDamage(_Known):
    """What is wrong with the video."""

    n_damaged: int
    n_missing: int
    ranges_s: list[tuple[float, float]]


class ReportChoice(_Known):
    """How many frames could be chosen, and why others could not."""

    n_selected: int
    n_candidates: int
    n_below_threshold: int
    n_known: int


class ReportScores(_Known):
    """How well some frames stand for the whole video; see `curation/engine/scores.py`."""

    covering_radius: float
    mean_distance: float
    near_duplicates: float


class Summary(_Known):
    """`report_facts.json`."""

    run_id: str
    video: ReportVideo
    embedder: ReportEmbedder
    selection_config: dict[str, Any]
    damage: ReportDamage
    choice: ReportChoice
    scores: dict[str, ReportScores]
    timings: dict[str, float]


class ReportFrame(_Known):
    """A selected frame, as `selection.json` has it."""

    frame_number: int
    timestamp_s: float
    order: int
    file: str


class _Selection(_Known):
    """What is needed of `selection.json`."""

    selected: list[ReportFrame]


@dataclass(frozen=True)
class Facts:
    """All that the report shows. N frames in the video, T thumbnails.

    Attributes:
        summary: Facts of the whole run.
        selected: The selected frames, in order of choice.
        timestamps_s: Presentation times in seconds, shape (N,), float64.
        is_damaged: Which frames are damaged, shape (N,), bool.
        map_xy: Where frames are on the map, each axis within -1 to 1, shape (N, 2), float32.
        thumbnails: JPEGs of some frames, by frame number, rising.
    """

    summary: Summary
    selected: list[ReportFrame]
    timestamps_s: NDArray[np.float64]
    is_damaged: NDArray[np.bool_]
    map_xy: NDArray[np.float32]
    thumbnails: dict[int, bytes]

    @classmethod
    def read(cls, *, selection_json: bytes, facts_json: bytes, facts_npz: bytes) -> Facts:
        """Reads the three files of that name.

        Raises:
            ValueError: If they are not what an engine run leaves.
        """
        with np.load(io.BytesIO(facts_npz), allow_pickle=False) as arrays:
            jpegs, bounds = arrays["thumbnail_jpegs"].tobytes(), arrays["thumbnail_bounds"].tolist()
            pictures = (jpegs[start:end] for start, end in pairwise(bounds))
            numbers = arrays["thumbnail_numbers"].tolist()
            return cls(
                Summary.model_validate_json(facts_json),
                _Selection.model_validate_json(selection_json).selected,
                arrays["timestamps_s"],
                arrays["is_damaged"],
                arrays["map_xy"],
                dict(zip(numbers, pictures, strict=True)),
            )

    @cached_property
    def orders(self) -> dict[int, int]:
        """The place in the order of choice of each selected frame, by frame number."""
        return {frame.frame_number: frame.order for frame in self.selected}
