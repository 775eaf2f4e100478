"""What an engine run leaves for its report, made up, for a video of any length."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from curation.report.page import build_report

if TYPE_CHECKING:
    from pathlib import Path

_MOST_THUMBNAILS = 300


@dataclass
class ReportFiles:
    """Files of a run at 25 frames a second.

    Attributes:
        n_frames: Frames in the video.
        n_selected: Frames that are chosen, evenly.
        name: File name of the video.
        n_damaged: Frames in the middle that are damaged.
        config: The selection config.
    """

    n_frames: int = 100
    n_selected: int = 5
    name: str = "clip.mp4"
    n_damaged: int = 0
    config: dict[str, object] = field(default_factory=dict)

    @property
    def chosen(self) -> list[int]:
        """Numbers of the chosen frames, in order of choice: the last one first."""
        step = self.n_frames / max(self.n_selected, 1)
        return [int(place * step) for place in range(self.n_selected)][::-1]

    def page(self) -> bytes:
        """Returns the report."""
        return build_report(
            selection_json=self.selection_json(),
            facts_json=self.facts_json(),
            facts_npz=self.facts_npz(),
        )

    def write(self, folder: Path) -> Path:
        """Writes the report and its frames; returns the report."""
        (folder / "frames").mkdir()
        for number in self.chosen:
            (folder / "frames" / f"{self.name}-{number}.jpg").write_bytes(picture(number, 640))
        page = folder / "report.html"
        page.write_bytes(self.page())
        return page

    def selection_json(self) -> bytes:
        """Returns `selection.json`."""
        selected = [
            {
                "frame_number": number,
                "timestamp_s": number / 25,
                "order": order,
                "file": f"frames/{self.name}-{number}.jpg",
                "distance": 0.5,
                "width": 640,
                "height": 360,
            }
            for order, number in enumerate(self.chosen)
        ]
        return json.dumps({"schema": 1, "run_id": "run-1", "selected": selected}).encode()

    def facts_json(self) -> bytes:
        """Returns `report_facts.json`."""
        uri = f"s3://in/run-1/{self.name}"
        scores = {
            who: {"covering_radius": radius, "mean_distance": 0.2, "near_duplicates": 0.1}
            for who, radius in (("chosen", 0.4), ("every_nth", 0.8), ("random", 1.0))
        }
        facts = {
            "run_id": "run-1",
            "video": {"name": self.name, "uri": uri, "sha256": "5f0c", "n_frames": self.n_frames}
            | {"width": 640, "height": 360},
            "embedder": {"identity": "lite0@160/3", "n_features": 448},
            "selection_config": self.config,
            "damage": {"n_damaged": self.n_damaged, "n_missing": 0, "ranges_s": self._ranges_s()},
            "choice": {"n_selected": self.n_selected, "n_candidates": self.n_frames}
            | {"n_below_threshold": 0, "n_known": 0 if self.n_selected else self.n_frames},
            "scores": scores if self.n_selected else {},
            "timings": {"embedding_s": 3.0, "choice_s": 0.5, "saving_s": 1.25},
        }
        return json.dumps(facts).encode()

    def facts_npz(self) -> bytes:
        """Returns `report_facts.npz`."""
        dice = np.random.default_rng(0)
        step = -(-self.n_frames // _MOST_THUMBNAILS)
        numbers = sorted({*range(0, self.n_frames, step), *self.chosen[:600]})
        jpegs = [picture(number, 160) for number in numbers]
        buffer = io.BytesIO()
        np.savez(
            buffer,
            allow_pickle=False,
            timestamps_s=np.arange(self.n_frames) / 25,
            is_damaged=self._is_damaged(),
            map_xy=dice.uniform(-1, 1, (self.n_frames, 2)).astype(np.float32),
            thumbnail_numbers=np.array(numbers),
            thumbnail_jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
            thumbnail_bounds=np.cumsum([0, *map(len, jpegs)]),
        )
        return buffer.getvalue()

    def _is_damaged(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        middle = self.n_frames // 2
        numbers = np.arange(self.n_frames)
        return (numbers >= middle) & (numbers < middle + self.n_damaged)

    def _ranges_s(self) -> list[tuple[float, float]]:
        middle = self.n_frames // 2
        return [(middle / 25, (middle + self.n_damaged - 1) / 25)] if self.n_damaged else []


def picture(number: int, width: int) -> bytes:
    """Returns a JPEG whose colour tells the frame."""
    buffer = io.BytesIO()
    color = (number * 37 % 256, number * 91 % 256, number * 53 % 256)
    Image.new("RGB", (width, width * 9 // 16), color).save(buffer, "JPEG")
    return buffer.getvalue()
