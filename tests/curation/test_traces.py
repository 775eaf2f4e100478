from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from curation import traces
from curation.models import RunError, new_run_id
from curation.spans import root_id, trace_id
from curation.states import Outcome, StepState
from sandbox.processes import free_port
from tests.support.requests import new_run
from tests.support.span_collector import SpanCollector, span_collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.ledger.ledger import Ledger

RUN_ID = new_run_id(1_800_000_000.0)
# redis-py itself loads what it can use of OpenTelemetry for its own metrics.
ASK_FOR_A_RUN = """
import sys
import pipeline
from pipeline.cli import app
from workers import base, signals
from curation import traces
traces.begin("run", "step", {})
traces.note(outcome="succeeded")
traces.end(outcome="success")
traces.flush()
heavy = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "prometheus_client")
print([name for name in sys.modules if name.startswith(heavy)])
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of OpenTelemetry's, and no spans of another test's."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    traces.flush()
    yield
    traces.flush()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanCollector]:
    """A collector, to which the variable leads."""
    with span_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector
        traces.flush()


def deliver(run_id: str = RUN_ID, *, outcome: str = "") -> None:
    """Does a delivery whose step notes its outcome, if any."""
    traces.begin(run_id, "ingest_video", {"run_id": run_id})
    if outcome:
        traces.note(outcome=outcome)
    traces.end(outcome="success")
    traces.flush()


@pytest.mark.parametrize(
    "variables",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}],
)
def test_begin__without_an_endpoint_loads_nothing(variables: dict[str, str]) -> None:
    """Whoever asks for runs, and whoever traces nothing, pays nothing for the possibility."""
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_A_RUN],
        env={**os.environ, "PYTHON_DOTENV_DISABLED": "1", **variables},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_end__sends_what_the_step_noted(collector: SpanCollector) -> None:
    """The step's own word goes before Celery's; only a failure is an error."""
    deliver(outcome=StepState.WAITING)
    deliver(outcome=StepState.FAILED)
    deliver()

    spans = collector.spans()

    assert [span.facts["curation.outcome"] for span in spans] == ["waiting", "failed", "success"]
    assert [span.is_error for span in spans] == [False, True, False]
    assert {span.trace_id for span in spans} == {f"{trace_id(RUN_ID):032x}"}


def test_note__belongs_to_the_delivery_that_goes_on(collector: SpanCollector) -> None:
    """What is noted between two deliveries is nobody's."""
    deliver()
    traces.note(outcome="failed")
    deliver()

    assert [span.facts["curation.outcome"] for span in collector.spans()] == ["success"] * 2


def test_end_run__says_the_code_and_not_the_message(
    collector: SpanCollector, ledger: Ledger
) -> None:
    """A message is for who may read the ledger; a code names no link and no person."""
    run_id = new_run(ledger)
    error = RunError(code="source:gone", message="The canary is gone.")
    ledger.runs.decide(run_id, Outcome.FAILED, error)
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SKIPPED)

    traces.end_run(ledger.runs.get(run_id))
    traces.flush()

    (root,) = collector.spans()
    assert (root.name, root.span_id) == ("run", f"{root_id(run_id):016x}")
    assert root.facts["error.type"] == "source:gone"
    assert b"canary" not in collector.bodies[0]


def test_sampler__keeps_or_drops_a_whole_run(
    collector: SpanCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a share of traces, a run's deliveries are all sent or none, in whichever process."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    runs = [new_run_id(1_800_000_000.0) for _ in range(40)]
    for run_id in 2 * runs:
        traces.begin(run_id, "ingest_video", {})
        traces.end(outcome="success")
    traces.flush()

    sent = [span.trace_id for span in collector.spans()]

    assert 0 < len(sent) < 80
    assert {sent.count(trace) for trace in sent} == {2}


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"},
    ],
)
def test_begin__with_variables_that_cannot_be_used(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on, whatever OpenTelemetry thinks of its settings."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    deliver()


def test_ids__are_derived_from_the_runs() -> None:
    """As the documentation computes them: the beginning of the run id's SHA-256."""
    assert f"{trace_id('RUN_ID'):032x}" == "dbfe0879d8e4fa2efbc714dd508ec914"
    assert trace_id(RUN_ID) != trace_id(f"{RUN_ID}0")
