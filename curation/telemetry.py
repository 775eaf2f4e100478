"""Log lines: a constant sentence, then the facts as `name=value`, in UTC."""

from __future__ import annotations

import logging
import time

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
        facts = {
            name: value
            for name, value in vars(record).items()
            if name not in _OWN and isinstance(value, str | int | float | list)
        }
        line = super().format(record)
        if not facts:
            return line
        first, *rest = line.split("\n")
        return "\n".join([" ".join([first, *_words(facts)]), *rest])


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a record says what no other says better.

    Celery reports a failed header task of a chord with a traceback; the step has said why before.
    """
    return not (record.name.startswith("celery.backends") and str(record.msg).startswith("Chord "))


def quieten() -> None:
    """Raises the level of libraries that report each connection as news."""
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _words(facts: dict[str, str | int | float | list[str]]) -> list[str]:
    return [f"{name}={str(value).replace(chr(10), ' ')}" for name, value in facts.items()]
