"""Finds the lines of one run in the logs of all processes, and puts them in order of time."""

from __future__ import annotations

import heapq
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# As `curation.telemetry` writes it, wherever `docker compose logs` has put its own words before.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\+00:00)")
_TRACEBACK = "Traceback (most recent call last):"
_JSON_TIMES = ("time", "timestamp", "ts", "asctime")


@dataclass(frozen=True, order=True)
class LogLine:
    """A line of a log, with those of its traceback.

    Attributes:
        time: When it was written, RFC 3339; empty if the line does not say.
        process: The process that wrote it: the name of its log.
        text: The line.
    """

    time: str
    process: str
    text: str


def log_files(folders: Iterable[Path]) -> list[Path]:
    """Returns the log files of these folders; a path that is a file is one itself."""
    found: list[Path] = []
    for folder in folders:
        found += sorted(folder.glob("*.log")) if folder.is_dir() else [folder]
    return [path for path in found if path.is_file()]


def lines_of(run_id: str, process: str, lines: Iterable[str]) -> Iterator[LogLine]:
    """Yields the lines of one log that are about a run, in the log's order.

    A traceback has no times of its own, and belongs to the line above it. What else has none, such
    as Celery's words at the end of a process, belongs to no run.

    Args:
        run_id: The run's whole id.
        process: The process that wrote the log.
        lines: The log.
    """
    is_meant = is_traceback = False
    time = ""
    for line in lines:
        text = line.rstrip("\r\n")
        if found := _time_of(text):
            is_meant, is_traceback, time = run_id in text, False, found
        is_traceback = is_traceback or (is_meant and text.endswith(_TRACEBACK))
        if is_traceback or run_id in text:
            yield LogLine(time, process, text)


def merged(run_id: str, paths: Iterable[Path]) -> Iterator[LogLine]:
    """Yields the lines of several logs that are about a run, by time."""
    logs = [_read(run_id, path) for path in paths]
    return heapq.merge(*logs, key=lambda line: line.time)


def _read(run_id: str, path: Path) -> Iterator[LogLine]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from lines_of(run_id, path.stem, file)


def _time_of(text: str) -> str:
    start = text.find("{")
    if start >= 0 and text.endswith("}"):
        try:
            facts = json.loads(text[start:])
        except ValueError:
            facts = {}
        known = [str(facts[name]) for name in _JSON_TIMES if name in facts]
        if known:
            return known[0]
    found = _TIME.search(text)
    return found[0] if found else ""
