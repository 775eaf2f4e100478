"""Spans of a run's deliveries; where no endpoint is set, nothing is loaded and nothing is done."""

from __future__ import annotations

import logging
import os
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.models import Run
    from curation.spans import Spans

log = logging.getLogger(__name__)

# OpenTelemetry's own variables: either says where spans go.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@dataclass(frozen=True)
class Delivery:
    """One delivery that goes on.

    Attributes:
        run_id: The run.
        name: Name of its span.
        began_ns: When it began, in nanoseconds since the epoch.
        facts: Attributes of the span; more are added while it goes on.
    """

    run_id: str
    name: str
    began_ns: int
    facts: dict[str, str | int] = field(default_factory=dict)


_current: ContextVar[Delivery | None] = ContextVar("delivery", default=None)


def begin(run_id: str, name: str, facts: Mapping[str, str | int]) -> None:
    """Notes that this thread begins a delivery.

    Args:
        run_id: The run.
        name: Name of its span.
        facts: Attributes of the span. Never a secret, a link or an error's text.
    """
    if _spans():
        _current.set(Delivery(run_id, name, time.time_ns(), dict(facts)))


def note(**facts: str | int) -> None:
    """Adds attributes to the span of the delivery that goes on, if there is one."""
    delivery = _current.get()
    if delivery:
        delivery.facts.update(facts)


def end(*, outcome: str) -> Mapping[str, str | int]:
    """Sends the span of this thread's delivery off; returns its attributes.

    Args:
        outcome: What came of it, unless that was noted.
    """
    delivery, spans = _current.get(), _spans()
    _current.set(None)
    if not (delivery and spans):
        return {}
    delivery.facts.setdefault("outcome", outcome)
    spans.send_delivery(delivery)
    return delivery.facts


def end_run(run: Run) -> None:
    """Sends the span of a whole run off, which all spans of its deliveries hang from.

    Args:
        run: The run in its end state.
    """
    spans = _spans()
    if spans:
        spans.send_run(run)


def flush() -> None:
    """Sends what was not sent yet; this process is about to end."""
    if _spans.cache_info().currsize:
        spans = _spans()
        if spans:
            spans.close()
        _spans.cache_clear()


# One for each process that works: made when its first delivery begins, so never before a fork.
@cache
def _spans() -> Spans | None:
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    from curation.spans import Spans  # noqa: PLC0415  # a tenth of a second for who traces nothing

    try:
        return Spans()
    except Exception as error:  # noqa: BLE001  # a variable that cannot be used stops no run
        log.warning("No traces: OpenTelemetry refused its settings (%s)", type(error).__name__)
        return None
