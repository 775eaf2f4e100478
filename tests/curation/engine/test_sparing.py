"""Frames that hardly differ share an embedding, and nothing that lasts three frames is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.engine.sparing import SparingEmbedder, most_spared
from curation.selection_config import diverse, parse_config

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MOST = 2


@dataclass
class Counting:
    """An embedder whose embedding is the picture's first value, which it also notes."""

    identity: str = "counting"
    size: int = 8
    n_features: int = 1
    seen: list[int] = field(default_factory=list)

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Notes the frame."""
        self.seen.append(int(pixels[0, 0, 0]))
        return np.array([pixels[0, 0, 0]], np.float32)


def embedded(greys: Iterable[int], *, most: int = MOST) -> tuple[list[int], list[int]]:
    """Returns whose embedding each of these plain frames has, and which were embedded."""
    counting = Counting()
    embedder = SparingEmbedder(counting, most=most)
    frames = (np.full((8, 8, 3), grey, np.uint8) for grey in greys)
    return [int(embedder.embed(frame)[0]) for frame in frames], counting.seen


@pytest.mark.parametrize(
    ("greys", "expected"),
    [
        ([5, 5, 5, 5, 5, 5, 5], [5, 5, 5]),  # each third one
        ([5, 60, 5, 60], [5, 60, 5, 60]),
        ([250, 0], [250, 0]),  # differences of bytes do not wrap round
        ([0, 6, 12, 18], [0, 12]),  # small changes add up
    ],
)
def test_embed__embeds_what_differs_or_comes_third(greys: list[int], expected: list[int]) -> None:
    """A frame is embedded if it looks different from the last that was, or two were spared."""
    _, seen = embedded(greys)

    assert expected == seen


@given(st.lists(st.integers(0, 255), max_size=60), st.integers(0, 3))
def test_embed__is_near_and_never_spares_more_than_allowed(greys: list[int], most: int) -> None:
    """Each frame has its own embedding, or that of one of the last few which looks the same."""
    got, seen = embedded(greys, most=most)

    assert len(seen) >= len(greys) / (most + 1)
    assert all(
        abs(embedding - grey) < 8 and embedding in greys[max(0, index - most) : index + 1]
        for index, (embedding, grey) in enumerate(zip(got, greys, strict=True))
    )


def test_sparing_embedder__is_compared_as_the_embedder_that_it_spares() -> None:
    """Identity and sizes are those of the embedder."""
    embedder = SparingEmbedder(Counting(), most=MOST)

    assert (embedder.identity, embedder.size, embedder.n_features) == ("counting", 8, 1)


@pytest.mark.parametrize(
    ("proportion", "expected"),
    [(0.01, 2), (0.1, 2), (1 / 6, 2), (0.17, 0), (1.0, 0)],
)
def test_most_spared__leaves_two_embeddings_for_each_choice(
    proportion: float, expected: int
) -> None:
    """Where much is chosen, no frame is spared."""
    assert expected == most_spared(diverse(proportion), 1_000)


@pytest.mark.parametrize(("n_frames", "expected"), [(1_000, 2), (500, 0), (None, 0)])
def test_most_spared__goes_by_the_frames_that_the_file_says_it_has(
    n_frames: int | None, expected: int
) -> None:
    """A number to choose is a share of the video; of an unknown one, nothing is spared."""
    strategies = [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}]
    config = parse_config({"n_samples": 100, "strategies": strategies})

    assert expected == most_spared(config, n_frames)


def test_most_spared__is_none_where_not_only_diversity_counts() -> None:
    """With a threshold, few frames may be left, and each counts."""
    sharp = {"type": "METADATA", "key": "lightly.sharpness"}
    threshold = {"type": "THRESHOLD", "threshold": 5, "operation": "BIGGER"}
    strategies = [
        {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}},
        {"input": sharp, "strategy": threshold},
    ]
    config = parse_config({"proportion_samples": 0.1, "strategies": strategies})

    assert most_spared(config, 1_000) == 0
