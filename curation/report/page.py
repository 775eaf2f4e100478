"""Makes the report of an engine run: one HTML page that needs nothing but itself.

File names, source and settings are a stranger's: the template escapes all of them, and the page's
own policy lets no script run but the one whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from itertools import takewhile
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curation.report.drawing import LINE_WIDTH, MAP_HEIGHT, MAP_WIDTH, N_SHADES, Drawing
from curation.report.facts import Facts

if TYPE_CHECKING:
    from curation.report.drawing import Dot
    from curation.report.facts import ReportFrame

# Bytes of JPEG in a page: selected frames, and others for the map. In base64 they are a third more.
_ROOM_FOR_SELECTED = 2_500_000
_ROOM_FOR_OTHERS = 800_000
# Pictures above the timeline.
_STRIP_LENGTH = 12


def build_report(*, selection_json: bytes, facts_json: bytes, facts_npz: bytes) -> bytes:
    """Returns the page.

    Args:
        selection_json: `selection.json` of the run.
        facts_json: Its `report_facts.json`.
        facts_npz: Its `report_facts.npz`.

    Raises:
        ValueError: If these are not what an engine run leaves.
    """
    facts = Facts.read(selection_json=selection_json, facts_json=facts_json, facts_npz=facts_npz)
    drawing, shown = Drawing(facts), _shown(facts)
    pictures = _pictures(facts, shown)
    strip = _strip(facts, pictures)
    in_page = {frame.frame_number for frame in shown} | set(strip)
    hidden = {number: link for number, link in pictures.items() if number not in in_page}
    page = _environment().get_template("report.html.jinja")
    return page.render(
        run=facts.summary,
        facts=facts,
        drawing=drawing,
        frames=shown,
        strip=strip,
        pictures=pictures,
        data={"dots": [_row(dot) for dot in drawing.dots], "pictures": hidden},
    ).encode()


def _row(dot: Dot) -> tuple[object, ...]:
    """Returns what the page's script needs of a frame, in the script's order."""
    time = _clock(dot.timestamp_s)
    return (dot.x, dot.y, dot.line_x, dot.number, time, dot.order, int(dot.is_damaged))


def _pictures(facts: Facts, shown: list[ReportFrame]) -> dict[int, str]:
    """Returns as many thumbnails as there is room for, as `data:` links, by frame number."""
    chosen = [frame.frame_number for frame in shown]
    others = [number for number in facts.thumbnails if number not in set(chosen)]
    kept = [*chosen, *_fitting(_shuffled(others), facts.thumbnails, _ROOM_FOR_OTHERS)]
    return {number: _data_uri(facts.thumbnails[number]) for number in sorted(kept)}


def _shown(facts: Facts) -> list[ReportFrame]:
    """Returns the selected frames that the page shows: the first in order of choice."""
    chosen = list(takewhile(facts.thumbnails.__contains__, facts.orders))
    return facts.selected[: len(_fitting(chosen, facts.thumbnails, _ROOM_FOR_SELECTED))]


def _fitting(numbers: list[int], thumbnails: dict[int, bytes], room: int) -> list[int]:
    fitting, used = [], 0
    for number in numbers:
        used += len(thumbnails[number])
        if used > room:
            break
        fitting.append(number)
    return fitting


def _shuffled(numbers: list[int]) -> list[int]:
    """Returns the numbers so that any beginning of the list is spread over the whole of it."""
    golden = 0.6180339887498949
    places = sorted(range(len(numbers)), key=lambda place: place * golden % 1)
    return [numbers[place] for place in places]


def _strip(facts: Facts, pictures: dict[int, str]) -> list[int]:
    """Returns frames evenly over the video's time that have a picture."""
    numbers = sorted(pictures)
    if not numbers:
        return []
    times = facts.timestamps_s
    first, last = float(times.min()), float(times.max())
    wanted = (
        first + (place + 0.5) / _STRIP_LENGTH * (last - first) for place in range(_STRIP_LENGTH)
    )
    return [min(numbers, key=lambda number: abs(times[number] - moment)) for moment in wanted]


def _environment() -> Environment:
    here = resources.files("curation.report")
    style, script = (here.joinpath(name).read_text("utf-8") for name in ("report.css", "report.js"))
    environment = Environment(
        loader=PackageLoader("curation.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=_clock, count=_count, href=_href, pretty=_pretty)
    environment.globals.update(
        size={"map": (MAP_WIDTH, MAP_HEIGHT), "line": LINE_WIDTH, "shades": N_SHADES},
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        policy=(
            "default-src 'none'; img-src data: 'self' file:; base-uri 'none'; form-action 'none'; "
            f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
        ),
    )
    return environment


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _href(frame: ReportFrame) -> str:
    """Returns the link to a frame at full size, which lies beside the report."""
    return quote(frame.file)


def _clock(seconds: float) -> str:
    """Returns a moment of the video: `0:07.48`, `1:02:07.48`."""
    minutes, rest = divmod(max(round(seconds, 2), 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"


def _count(number: int) -> str:
    """Returns a whole number with narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def _pretty(config: object) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False)
