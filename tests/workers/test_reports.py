from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING

import pytest

from curation.ledger import keys
from curation.models import Request, RunError
from curation.states import Backend, Event, Outcome, StepState
from pipeline.celery import app
from tests.support.inbox import inbox_server
from workers import reaper, reports
from workers.base import wiring
from workers.messages import send_end_notice, send_notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from curation.ledger.ledger import Ledger
    from curation.wiring import Wiring
    from tests.support.cloud import Cloud
    from tests.support.inbox import Inbox

ALL = "completed,failed,canceled,deadline,reaped,stop,budget"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """Where messages go."""
    with inbox_server() as server:
        yield server


@pytest.fixture
def ledger(
    here: Wiring, valkey: str, redis_client: Redis, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ledger]:
    """An empty ledger; messages of each kind are wanted, and all of them are let out."""
    assert here
    assert redis_client.dbsize() == 0
    app.conf.update(broker_url=valkey)
    for name, value in {
        "EC2_INSTANCE_ID": "",
        "NOTIFY_URLS": f"{inbox.webhook}, {inbox.chat}",
        "NOTIFY_ON": ALL,
        "NOTIFY_EVERY_S": "0.000001",
        "LIGHTLY_TOKEN": "canary-token",
        "WEB_URL": "https://curation.example.com/",
    }.items():
        monkeypatch.setenv(name, value)
    wiring.cache_clear()
    yield wiring().ledger
    wiring.cache_clear()


def test_notify__says_what_failed_why_and_what_to_do(ledger: Ledger, inbox: Inbox) -> None:
    """A message has name, id, source, reason, the next command and a link, for every target."""
    run_id = ended(ledger, Outcome.FAILED)
    name = ledger.runs.get(run_id).name

    reports.notify("failed", run_id)

    (webhook_path, webhook), (chat_path, chat) = inbox.received
    assert (webhook_path, chat_path) == ("/webhook", "/hooks/canarytoken0123456789abcd")
    assert webhook["title"] == f"Run {name} failed: source:empty"
    assert webhook["message"] == (
        "source:empty: /clip.mp4 is empty. Check the file.\n"
        f"Source: /clip.mp4\nRun: {run_id}\n\n"
        f"What to do: curate logs {name} shows why; curate resume {name} tries again\n"
        f"https://curation.example.com/runs/{run_id}"
    )
    assert f"Run {name} failed: source:empty" in chat["text"]


@pytest.mark.parametrize("event", Event)
def test_notify__has_words_for_every_event(event: Event, ledger: Ledger, inbox: Inbox) -> None:
    """Each kind has a title of one line and a body, with a run and without one."""
    run_id = ended(ledger, Outcome.COMPLETED)

    for subject in (run_id, "2026-11"):
        reports.notify(event, subject, "These are the facts.")

    messages = [message for path, message in inbox.received if path == "/webhook"]
    assert len(messages) == 2
    assert all(message["title"] and "\n" not in message["title"] for message in messages)
    assert all("These are the facts." in message["message"] for message in messages)


def test_notify__has_no_secret_in_it(ledger: Ledger, inbox: Inbox) -> None:
    """Whatever an error's text holds, no secret of the settings and no signature is sent."""
    link = "https://u:canary-user@example.com/clip.mp4?X-Amz-Signature=canary-signature"
    said = f"canary-token was refused at {link} by canary-password and {inbox.webhook}"
    run_id = ended(ledger, Outcome.FAILED, source=link, said=said)

    reports.notify("failed", run_id)

    (_, webhook), (_, chat) = inbox.received
    assert "canary" not in json.dumps(webhook)
    assert "canary" not in json.dumps(chat)
    assert "*** was refused at https://example.com/clip.mp4" in webhook["message"]


def test_notify__tries_again_only_where_it_did_not_arrive(ledger: Ledger, inbox: Inbox) -> None:
    """A target that refuses gets the message again, the others do not."""
    run_id = ended(ledger, Outcome.FAILED)
    inbox.refusals = 1

    reports.notify.apply(("failed", run_id))

    assert [path for path, _ in inbox.received] == ["/hooks/canarytoken0123456789abcd", "/webhook"]


def test_notify__gives_up_with_one_line(
    ledger: Ledger, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be sent is a warning in the end, without the URL, and never an error."""
    run_id = ended(ledger, Outcome.FAILED)
    inbox.refusals = 99

    with caplog.at_level(logging.WARNING):
        reports.notify.apply(("failed", run_id), retries=3)

    (line,) = caplog.records
    assert line.getMessage() == "Message did not reach all targets"
    assert vars(line)["targets"] == ["1 (JSON)", "2 (Mattermost)"]


def test_notify__a_wrong_url_is_one_line_without_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A URL that cannot be used is named by its place, for it is a secret."""
    run_id = ended(ledger, Outcome.FAILED)
    monkeypatch.setenv("NOTIFY_URLS", "nonsense://canary-secret")
    wiring.cache_clear()

    with caplog.at_level(logging.WARNING):
        reports.notify("failed", run_id)

    assert "NOTIFY_URLS: URL number 1 is none that Apprise knows" in caplog.text
    assert "canary" not in caplog.text


def test_notify__holds_back_what_comes_too_fast(
    ledger: Ledger, inbox: Inbox, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a kind one message is let out, the others are counted, and the next one says so."""
    run_id = ended(ledger, Outcome.FAILED)
    monkeypatch.setenv("NOTIFY_EVERY_S", "3600")
    wiring.cache_clear()

    for _ in range(3):
        reports.notify("failed", run_id)
    redis_client.hset("curation:notices", "failed:at", "1")
    reports.notify("failed", run_id)

    webhook = [message["message"] for path, message in inbox.received if path == "/webhook"]
    assert len(webhook) == 2
    assert "2 earlier messages of this kind were held back" in webhook[1]


def test_send_notices__tells_what_was_held_back_when_nothing_follows(
    ledger: Ledger, inbox: Inbox, redis_client: Redis
) -> None:
    """A reaper's round asks for one message about those that were held back, and it says so."""
    redis_client.hset("curation:notices", mapping={"failed:at": "1", "failed:held": "2"})
    assert ledger

    reaper.send_notices()
    deliver(redis_client)

    (_, message), _ = inbox.received
    assert message["title"] == "Held back: 2 messages about: failed"


def test_send_notices__warns_once_of_a_deadline_that_is_near(
    ledger: Ledger, inbox: Inbox, redis_client: Redis
) -> None:
    """A run with little time left is told of once, however many rounds see it."""
    near, _ = ledger.runs.create(request("/clip.mp4"), deadline_s=0.001)
    ledger.runs.create(request("/clip.mp4"), deadline_s=3600)

    reaper.send_notices()
    reaper.send_notices()
    deliver(redis_client)

    titles = [message["title"] for path, message in inbox.received if path == "/webhook"]
    assert titles == [f"Run {ledger.runs.get(near).name} has little time left"]


def test_reap__tells_once_of_an_instance_that_nobody_held(
    ledger: Ledger, cloud: Cloud, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rounds that it takes to stop an instance are one piece of news."""
    assert ledger
    cloud.hand("start")
    cloud.wait_for("running")
    cloud.add_faults({"operation": "StopInstances", "kind": "no-effect", "times": None})
    for name, value in {
        "EC2_INSTANCE_ID": cloud.instance_id,
        "BOOT_GRACE_S": "0.001",
        "REAP_INTERVAL_S": "0.01",
        "LEASE_TTL_S": "0.01",
    }.items():
        monkeypatch.setenv(name, value)
    wiring.cache_clear()

    for _ in range(4):
        reaper.reap()

    assert asked(redis_client) == [["reaped", cloud.instance_id, ""]]


@pytest.mark.parametrize(
    ("released", "expected"), [(StepState.SUCCEEDED, "failed"), (StepState.FAILED, "stop")]
)
def test_send_end_notice__is_once_a_run(
    released: StepState, expected: str, ledger: Ledger, redis_client: Redis
) -> None:
    """The end of a run is told once, also after a second delivery; a refused stop goes first."""
    run_id = ended(ledger, Outcome.FAILED, released=released)

    send_end_notice(run_id)
    send_end_notice(run_id)

    assert asked(redis_client) == [[expected, run_id, ""]]


def test_send_end_notice__nothing_before_the_end(ledger: Ledger, redis_client: Redis) -> None:
    """A message says how a run ended, so there is none before that is written."""
    run_id, _ = ledger.runs.create(request("/clip.mp4"), deadline_s=60)
    ledger.runs.decide(run_id, Outcome.FAILED)

    send_end_notice(run_id)

    assert asked(redis_client) == []


def test_send_notice__only_what_people_want(
    ledger: Ledger, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What NOTIFY_ON does not name is not told."""
    assert ledger
    monkeypatch.setenv("NOTIFY_ON", "failed, budget")
    wiring.cache_clear()

    for event in Event:
        send_notice(event, "2026-11")

    assert [words[0] for words in asked(redis_client)] == ["budget", "failed"]


def test_send_notice__without_redis_is_one_line(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever keeps a message from being sent, no run fails or waits for it."""
    assert ledger
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    wiring.cache_clear()

    with caplog.at_level(logging.WARNING):
        send_notice(Event.FAILED, "20261122-093015-5f0c2d81ab")

    (line,) = caplog.records
    assert line.getMessage().startswith("No message is sent: Redis at 127.0.0.1:1")


def request(source: str) -> Request:
    """Returns what a run does."""
    return Request(source=source, proportion_samples=0.1, selection_backend=Backend.ENGINE)


def ended(
    ledger: Ledger,
    outcome: Outcome,
    *,
    source: str = "/clip.mp4",
    said: str = "/clip.mp4 is empty. Check the file.",
    released: StepState = StepState.SUCCEEDED,
) -> str:
    """Writes a run that has ended."""
    run_id, _ = ledger.runs.create(request(source), deadline_s=60)
    error = RunError(code="source:empty", message=said) if outcome is Outcome.FAILED else None
    ledger.runs.decide(run_id, outcome, error)
    ledger.runs.end(ledger.runs.get(run_id), released=released)
    return run_id


def asked(broker: Redis) -> list[list[str]]:
    """Returns the arguments of the messages that wait in the queue, the oldest last."""
    bodies = [json.loads(text)["body"] for text in broker.lrange("reports", 0, -1)]
    return [json.loads(base64.b64decode(body))[0] for body in bodies]


def deliver(broker: Redis) -> None:
    """Carries out what waits in the queue."""
    for arguments in asked(broker):
        reports.notify(*arguments)


def test_tell_budget__is_once_at_each_milestone(
    ledger: Ledger, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget is told of at 80 and at 100 percent, however many rounds see it."""
    monkeypatch.setenv("INSTANCE_PRICE_PER_HOUR", "1")
    monkeypatch.setenv("BUDGET_PER_MONTH", "10")
    wiring.cache_clear()
    day = int(ledger.store.now() // 86_400)
    for hours in (7.9, 8.0, 8.1, 10.0, 11.0):
        redis_client.hset(keys.BILLED, f"{day}|held", hours * 3600)
        reaper.tell_budget()

    details = [detail for _, _, detail in reversed(asked(redis_client))]
    assert [detail.partition(" of the budget")[0] for detail in details] == [
        "8.00 of 10.00 USD (80 %)",
        "10.00 of 10.00 USD (100 %)",
    ]
