"""Log lines: a constant sentence, then the facts, in UTC; as text or as JSON."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from curation import at_work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from curation.setting_groups import LogFormat

# What a record has by itself; everything else came through `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "data"}
_LINE = "%(asctime)s %(levelname)-7s %(processName)s %(message)s"


class FactsFormatter(logging.Formatter):
    """Writes a record on one line, with the facts that were given as `extra`."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__(_LINE)

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; a traceback, if there is one, follows it."""
        facts = _facts(record)
        line = super().format(record)
        if not facts:
            return line
        first, *rest = line.split("\n")
        return "\n".join([" ".join([first, *_words(facts)]), *rest])


class JsonFormatter(FactsFormatter):
    """Writes a record as one JSON object on one line, its traceback in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        line = _facts(record) | {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.processName,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # ASCII, so that no character of a message ends the line, whoever reads it.
        return json.dumps(line)


def set_up(handlers: Iterable[logging.Handler], log_format: LogFormat) -> None:
    """Has handlers write our lines, with what the process works on in each of them.

    Args:
        handlers: Those of the root logger, so that libraries' lines are meant too.
        log_format: `text` or `json`.
    """
    quieten()
    for handler in handlers:
        handler.setFormatter(JsonFormatter() if log_format == "json" else FactsFormatter())
        handler.addFilter(is_worth_a_line)
        handler.addFilter(say_what_is_at_work)


def say_what_is_at_work(record: logging.LogRecord) -> bool:
    """Adds what the process works on, where the record does not say; every record may pass."""
    for name, value in at_work.facts().items():
        vars(record).setdefault(name, value)
    return True


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a record says what no other says better.

    Celery reports a failed header task of a chord with a traceback; the step has said why before.
    """
    return not (record.name.startswith("celery.backends") and str(record.msg).startswith("Chord "))


def quieten() -> None:
    """Raises the level of libraries that report each connection, or each try, as news."""
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A collector that is away is one line for each batch of spans, not one for each try.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _OWN and isinstance(value, str | int | float | list)
    }


def _words(facts: Mapping[str, object]) -> list[str]:
    return [f"{name}={str(value).replace(chr(10), ' ')}" for name, value in facts.items()]
