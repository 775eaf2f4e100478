from __future__ import annotations

import io
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from curation import at_work
from curation.telemetry import FactsFormatter, JsonFormatter, is_worth_a_line, set_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def line_of(record: dict[str, object]) -> str:
    """The line that a record becomes."""
    base = {"msg": "Run ended", "levelname": "INFO", "created": 0.0, "msecs": 0.0}
    return FactsFormatter().format(logging.makeLogRecord(base | record))


def test_format__facts_follow_the_sentence_on_the_same_line() -> None:
    """Who looks for a run id finds every line about the run, each on one line."""
    line = line_of({"run_id": "r1", "state": "failed\nbadly"})

    assert line.startswith("1970-01-01T00:00:00.000Z INFO ")
    assert line.endswith("Run ended run_id=r1 state=failed badly")
    assert "\n" not in line


def test_format__without_facts_is_the_sentence_alone() -> None:
    """A line of a library stays as it is."""
    assert line_of({}).endswith(" Run ended")


def test_is_worth_a_line__drops_what_a_step_has_said_before() -> None:
    """Celery's traceback of a failed chord says less than the step's own line."""
    chord = {"name": "celery.backends.redis", "msg": "Chord %r raised: %r"}
    other = {"name": "celery.backends.redis", "msg": "Connection lost"}

    assert not is_worth_a_line(logging.makeLogRecord(chord))
    assert is_worth_a_line(logging.makeLogRecord(other))


def json_of(record: dict[str, object]) -> dict[str, object]:
    """What a record becomes as JSON."""
    base = {"msg": "Run ended", "levelname": "INFO", "created": 0.0, "msecs": 0.0, "name": "a.b"}
    line = JsonFormatter().format(logging.makeLogRecord(base | record))
    assert "\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_json__is_one_object_with_the_facts() -> None:
    """Time, level, logger, message and process are always there, then whatever was given."""
    found = json_of({"run_id": "r1", "n": 3, "processName": "ForkPoolWorker-1"})

    assert found == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "logger": "a.b",
        "message": "Run ended",
        "process": "ForkPoolWorker-1",
        "run_id": "r1",
        "n": 3,
    }


def test_json__has_the_traceback_in_it() -> None:
    """A traceback stays with its line, however many lines it has, and so does a line break."""
    try:
        int("bad\u2028news")
    except ValueError:
        found = json_of({"exc_info": sys.exc_info(), "msg": "a\nb"})

    assert found["message"] == "a\nb"
    assert "in test_json__has_the_traceback_in_it\n" in str(found["traceback"])


def test_json__facts_do_not_take_a_fields_place() -> None:
    """Whoever logs a fact named `level` does not change the line's own."""
    assert json_of({"level": "high"})["level"] == "info"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the root logger writes as text."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    set_up([handler], "text")
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def test_lines__name_the_run_that_is_worked_on(lines: io.StringIO) -> None:
    """A library's line says it too; what a line says itself stands; afterwards nothing is said."""
    library = logging.getLogger("some.library")

    at_work.begin("1", {"run_id": "r1"})
    library.warning("Slow")
    library.warning("Slow", extra={"run_id": "r2"})
    at_work.end("1")
    library.warning("Slow")

    ends = [line.partition("Slow")[2] for line in lines.getvalue().splitlines()]
    assert ends == [" run_id=r1", " run_id=r2", ""]


def test_lines__of_a_librarys_thread(lines: io.StringIO) -> None:
    """A thread that a task has started belongs to its run; with two runs at work nobody knows."""

    def warn() -> None:
        logging.getLogger("some.library").warning("Slow")

    at_work.begin("1", {"run_id": "r1"})
    do_in_thread(warn)
    do_in_thread(lambda: at_work.begin("2", {"run_id": "r2"}))
    do_in_thread(warn)
    at_work.end("2")
    at_work.end("1")

    ends = [line.partition("Slow")[2] for line in lines.getvalue().splitlines()]
    assert ends == [" run_id=r1", ""]


def do_in_thread(work: Callable[[], None]) -> None:
    """Does something in a thread of its own, and waits for it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
