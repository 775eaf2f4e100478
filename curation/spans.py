"""Sends spans over OTLP/HTTP; ids derive from the run's, so that no process asks another."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from curation.states import RunState, StepState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.models import Run
    from curation.traces import Delivery

_SERVICE = "video-curation"
_PREFIX = "curation."
_NS_PER_S = 1_000_000_000


class Spans:
    """This process's way to the collector. Spans are sent by a thread, in batches, or are lost.

    Where to, with which headers and how often is said by OpenTelemetry's own variables.
    """

    def __init__(self) -> None:
        self._ids = _RunIds()
        self._provider = TracerProvider(id_generator=self._ids, resource=_resource())
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("curation")

    def send_delivery(self, delivery: Delivery) -> None:
        """Sends the span of a delivery that ends now, as a child of its run's."""
        span = self._tracer.start_span(
            delivery.name,
            context=self._within(delivery.run_id),
            kind=SpanKind.CONSUMER,
            start_time=delivery.began_ns,
            attributes={f"{_PREFIX}{name}": value for name, value in delivery.facts.items()},
        )
        if delivery.facts.get("outcome") in {StepState.FAILED, "failure"}:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def send_run(self, run: Run) -> None:
        """Sends the root span of a run that has ended."""
        facts: dict[str, str | int] = {
            "run_id": run.run_id,
            "run_name": run.name,
            "state": run.state,
            "backend": run.request.selection_backend,
        }
        with self._ids.of(run.run_id):
            span = self._tracer.start_span(
                "run",
                context=Context(),
                start_time=_nanoseconds(run.created_at),
                attributes={f"{_PREFIX}{name}": value for name, value in facts.items()},
            )
        if run.error and run.state is RunState.FAILED:
            # The code alone: a message is for who may read the ledger.
            span.set_attribute("error.type", run.error.code)
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(run.ended_at or run.updated_at))

    def close(self) -> None:
        """Sends what was not sent yet, and ends."""
        self._provider.shutdown()

    def _within(self, run_id: str) -> Context:
        """Returns the context of a run's root span; the sampler decides as it does for that."""
        sampled = self._provider.sampler.should_sample(None, trace_id(run_id), "run")
        is_sampled = sampled.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT
        root = SpanContext(
            trace_id(run_id), root_id(run_id), is_remote=True, trace_flags=TraceFlags(flags)
        )
        return set_span_in_context(NonRecordingSpan(root), Context())


class _RunIds(RandomIdGenerator):
    """Random ids, but for a run's root span."""

    def __init__(self) -> None:
        self._run_id: ContextVar[str | None] = ContextVar("root_of", default=None)

    @contextmanager
    def of(self, run_id: str) -> Iterator[None]:
        """Gives the span that is started now the ids of a run's root span."""
        token = self._run_id.set(run_id)
        try:
            yield
        finally:
            self._run_id.reset(token)

    def generate_trace_id(self) -> int:
        """Returns the id of a new trace."""
        run_id = self._run_id.get()
        return trace_id(run_id) if run_id else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Returns the id of a new span."""
        run_id = self._run_id.get()
        return root_id(run_id) if run_id else super().generate_span_id()


def trace_id(run_id: str) -> int:
    """Returns the id of a run's trace, 128 bits."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:16])


def root_id(run_id: str) -> int:
    """Returns the id of a run's root span, 64 bits."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[16:24])


def _resource() -> Resource:
    asked = Resource.create()
    if str(asked.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return asked.merge(Resource({SERVICE_NAME: _SERVICE}))
    return asked


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NS_PER_S)
