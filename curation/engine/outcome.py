"""All that is known of an engine run when its frames are chosen and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.engine.choice import Choice
    from curation.engine.damage import Damage
    from curation.engine.embedders.port import Embedder
    from curation.engine.frames import Frames
    from curation.engine_port import VideoOfRun


@dataclass(frozen=True)
class SelectedFrame:
    """One selected frame, as `selection.json` lists it.

    Attributes:
        frame_number: Position in presentation order, from 0.
        timestamp_s: Presentation time in seconds.
        order: Position in the order of choice, from 0; the first few are a selection themselves.
        file: Name of the picture, relative to the run.
        distance: To the nearest frame that was chosen before it, 0 to 2; 2 if there was none.
    """

    frame_number: int
    timestamp_s: float
    order: int
    file: str
    distance: float

    @property
    def filename(self) -> str:
        """The name of the picture alone."""
        return PurePath(self.file).name


@dataclass
class Pictures:
    """The pictures that were written.

    Attributes:
        selected: The frames, in order of choice.
        thumbnails: Small JPEGs of the first few hundred of them, by frame number.
        sizes: Width and height of each in pixels, by frame number; they may change within a video.
    """

    selected: list[SelectedFrame] = field(default_factory=list)
    thumbnails: dict[int, bytes] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """An engine run.

    Attributes:
        video: The video, and what was asked for.
        frames: Its frames.
        damage: What is wrong with them.
        choice: What was chosen.
        pictures: What was written.
        embedder: What made the embeddings.
        timings_s: Seconds by stage.
    """

    video: VideoOfRun
    frames: Frames
    damage: Damage
    choice: Choice
    pictures: Pictures
    embedder: Embedder
    timings_s: Mapping[str, float]

    @property
    def facts(self) -> dict[str, object]:
        """What `selection.json` and `report_facts.json` both say."""
        return {
            "embedder": {
                "identity": self.embedder.identity,
                "n_features": self.embedder.n_features,
            },
            "selection_config": self.video.config.to_dict(),
            "damage": {
                "n_damaged": self.damage.n_damaged,
                "n_missing": self.damage.n_missing,
                "ranges_s": self.damage.ranges_s,
            },
            "choice": {
                "n_selected": len(self.choice.indices),
                "n_candidates": self.choice.n_candidates,
                "n_below_threshold": self.choice.n_below_threshold,
                "n_known": self.choice.n_known,
                "collapse_distance": round(float(self.choice.collapse_distance), 4),
            },
        }
