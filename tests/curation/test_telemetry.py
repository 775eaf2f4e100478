from __future__ import annotations

import logging

from curation.telemetry import FactsFormatter, is_worth_a_line


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
