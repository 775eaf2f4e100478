from __future__ import annotations

from dataclasses import replace

import pytest

from curation.report.drawing import LINE_WIDTH, MAP_HEIGHT, MAP_WIDTH, N_SHADES, Drawing
from curation.report.facts import Facts
from tests.support.report import ReportFiles


def facts_of(files: ReportFiles) -> Facts:
    """Reads the files back."""
    return Facts.read(
        selection_json=files.selection_json(),
        facts_json=files.facts_json(),
        facts_npz=files.facts_npz(),
    )


def test_drawing__draws_each_frame_of_a_short_video_on_the_paper() -> None:
    """All frames whose places differ are there, within the edges, in order of their number."""
    drawing = Drawing(facts_of(ReportFiles(n_frames=40)))

    numbers = [dot.number for dot in drawing.dots]
    assert numbers == sorted(numbers)
    assert len(numbers) > 35
    assert all(0 < dot.x < MAP_WIDTH and 0 < dot.y < MAP_HEIGHT for dot in drawing.dots)
    assert {dot.shade for dot in drawing.dots} == set(range(N_SHADES))


def test_drawing__thins_out_a_long_video_but_not_its_chosen_frames() -> None:
    """Of 100,000 frames a few thousand are drawn, and of 300 that were chosen every one."""
    files = ReportFiles(n_frames=100_000, n_selected=300)

    drawing = Drawing(facts_of(files))

    assert len(drawing.dots) < 6_000
    assert {dot.number for dot in drawing.chosen()} == set(files.chosen)


def test_drawing__thins_out_a_crowd_of_chosen_frames() -> None:
    """Of very many the first are drawn, and others where there is none; moments are heights."""
    files = ReportFiles(n_frames=100_000, n_selected=10_000)

    drawing = Drawing(facts_of(files))

    chosen = {dot.number for dot in drawing.chosen()}
    assert chosen > set(files.chosen[:300])
    assert len(chosen) < 4_000
    assert drawing.moments().count("v-1") == 250


def test_drawing__the_first_choice_lies_on_top() -> None:
    """What is drawn last covers the rest; that is the frame that was chosen first."""
    drawing = Drawing(facts_of(ReportFiles()))

    assert [dot.order for dot in drawing.chosen()] == [4, 3, 2, 1, 0]


def test_drawing__the_timeline_has_moments_and_damage() -> None:
    """Chosen moments are where they are in time; a damaged stretch is wide enough to be seen."""
    drawing = Drawing(facts_of(ReportFiles(n_frames=101, n_selected=2, n_damaged=1)))

    assert drawing.moments() == "M0 0v1M500 0v1"
    assert drawing.damaged_spans() == [(500.0, 2.0)]
    assert [x for x, _ in drawing.ticks()] == [0, 250, 500, 750, LINE_WIDTH]


@pytest.mark.parametrize("n_frames", [1, 2])
def test_drawing__of_a_very_short_video(n_frames: int) -> None:
    """One frame, or frames that all look and are the same, can be drawn too."""
    facts = facts_of(ReportFiles(n_frames=n_frames, n_selected=1))

    drawing = Drawing(replace(facts, map_xy=facts.map_xy * 0))

    assert {dot.x for dot in drawing.dots} == {MAP_WIDTH // 2}
