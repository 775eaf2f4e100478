from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from sandbox.ask import RefusedError, ask
from tests.sandbox.lightly.conftest import set_datasources
from tests.support.lightly import LIST, LOOK, TOKEN, lightly_server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lightly import Lightly

DIVERSE = {
    "proportion_samples": 0.1,
    "strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}],
}
LOOPBACK_ONLY = {"Host": "example.com"}


def scheduled(client: Any) -> str:  # noqa: ANN401  # the client has no types
    """Schedules a run and returns its scheduled run id."""
    set_datasources(client)
    return str(client.schedule_compute_worker_run(selection_config=DIVERSE, runs_on=["gpu"]))


def test_client__accepts_every_answer(client: Any, lightly: Lightly) -> None:  # noqa: ANN401  # the same
    """The client's own methods, whose models forbid what they do not know, read all answers."""
    scheduled_run_id = scheduled(client)
    before = client.get_compute_worker_run_info(scheduled_run_id)
    made = lightly.take(client.dataset_id, scheduled_run_id)
    lightly.add_report(made, "REPORT_PDF", b"%PDF-1.7")
    lightly.enter(made, "EMBEDDING", "Half way.")
    meanwhile = client.get_compute_worker_run_info(scheduled_run_id)
    lightly.complete(made, ["clip-1-mp4.png", "clip-2-mp4.png"])
    run = client.get_compute_worker_run_from_scheduled_run(scheduled_run_id)
    (tag,) = client.get_compute_worker_run_tags(run.id)

    assert (before.state, meanwhile.state) == ("OPEN", "EMBEDDING")
    assert meanwhile.message == "Half way."
    assert client.get_compute_worker_run_info(scheduled_run_id).ended_successfully()
    assert client.export_filenames_by_tag_name(tag.name) == "clip-1-mp4.png\nclip-2-mp4.png"
    assert [it.id for it in client.get_compute_worker_runs(client.dataset_id)] == [run.id]
    assert client.get_dataset_by_id(client.dataset_id).n_samples == 2
    assert client.list_datasource_permissions()["can_read"]
    assert len(client.get_compute_workers()) >= 1


def test_client__downloads_artifacts(
    client: Any,  # noqa: ANN401  # the same
    lightly: Lightly,
    tmp_path: Path,
) -> None:
    """A report comes by a signed link that leads to it for real."""
    scheduled_run_id = scheduled(client)
    made = lightly.take(client.dataset_id, scheduled_run_id)
    lightly.add_report(made, "REPORT_PDF", b"%PDF-1.7")
    run = client.get_compute_worker_run_from_scheduled_run(scheduled_run_id)

    client.download_compute_worker_run_report_pdf(run, str(tmp_path / "report.pdf"))

    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF-1.7"


def test_token__is_checked(lightly: Lightly) -> None:
    """Nobody gets in without the token; it is in no record of the stand-in."""
    answer = requests.get(f"{lightly.url}/v1/datasets?token=other", timeout=5)
    lightly.send("GET", "datasets")

    assert answer.status_code == 401
    assert [call["code"] for call in lightly.calls()] == ["401", "200"]
    assert "token" not in str(lightly.calls())


def test_token__revoked(client: Any, lightly: Lightly) -> None:  # noqa: ANN401  # the same
    """A script of 401 for all is a token that was revoked in mid-run."""
    lightly.faults({"operation": "*", "code": "401", "times": None})

    with pytest.raises(Exception, match="401"):
        client.get_compute_workers()


def test_list__shows_the_states_asked_for(client: Any, lightly: Lightly) -> None:  # noqa: ANN401  # the same
    """Without a state the list holds what has not ended; listing changes nothing."""
    scheduled_run_id = scheduled(client)
    path = f"datasets/{client.dataset_id}/docker/worker/schedule"
    open_ones = client.get_scheduled_compute_worker_runs()
    lightly.send("PUT", f"{path}/{scheduled_run_id}")

    assert [it.state for it in open_ones] == ["OPEN"]
    assert client.get_scheduled_compute_worker_runs() == []
    assert [it.state for it in client.get_scheduled_compute_worker_runs("CANCELED")] == ["CANCELED"]
    assert client.get_scheduled_compute_worker_runs("DONE") == []


def test_cancel__refused_once_picked_up(client: Any, lightly: Lightly) -> None:  # noqa: ANN401  # the same
    """Only an open run can be canceled (as the client's own documentation says)."""
    scheduled_run_id = scheduled(client)
    lightly.take(client.dataset_id, scheduled_run_id)

    with pytest.raises(RefusedError, match="LOCKED cannot become CANCELED"):
        lightly.send(
            "PUT", f"datasets/{client.dataset_id}/docker/worker/schedule/{scheduled_run_id}"
        )


def test_schedule__without_datasources(client: Any) -> None:  # noqa: ANN401  # the same
    """A dataset without datasources cannot be selected from."""
    with pytest.raises(Exception, match="422"):
        client.schedule_compute_worker_run(selection_config=DIVERSE)


def test_offer__only_what_the_labels_allow(client: Any, lightly: Lightly) -> None:  # noqa: ANN401  # the same
    """A Lightly Worker is offered a run whose labels it has, unless it is told to take none."""
    scheduled_run_id = scheduled(client)
    plain, gpu = (
        client.register_compute_worker(f"{client.dataset_id}-{label}", labels=[label])
        for label in ("cpu", "gpu")
    )

    def offered(worker_id: str) -> bool:
        runs = lightly.send("GET", f"docker/worker/{worker_id}/schedule", state="OPEN")
        return scheduled_run_id in [run["id"] for run in runs]

    assert (offered(plain), offered(gpu)) == (False, True)
    lightly.hand("plan", {"takes": False})
    assert not offered(gpu)


def test_offer__one_run_of_a_dataset_at_a_time(client: Any, lightly: Lightly) -> None:  # noqa: ANN401  # the same
    """While a run of a dataset goes on, its others wait."""
    first = scheduled(client)
    second = scheduled(client)
    worker_id = client.register_compute_worker(client.dataset_id, labels=["gpu"])
    lightly.take(client.dataset_id, first)

    runs = lightly.send("GET", f"docker/worker/{worker_id}/schedule", state="OPEN")

    assert second not in [run["id"] for run in runs]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"code": "429"}, "429"),
        ({"kind": "garbage"}, "validation error|dict"),
        ({"kind": "extra-field"}, "unheardOf|extra|field"),
        ({"kind": "state", "code": "PONDERING"}, "state"),
    ],
)
def test_faults__reach_the_client(
    client: Any,  # noqa: ANN401  # the same
    lightly: Lightly,
    fault: dict[str, str | float],
    message: str,
) -> None:
    """Each scripted fault is what the client says it is."""
    scheduled_run_id = scheduled(client)
    lightly.take(client.dataset_id, scheduled_run_id)
    lightly.faults({"operation": LOOK, "times": None} | fault)

    with pytest.raises(Exception, match=message):
        client.get_compute_worker_run_from_scheduled_run(scheduled_run_id)


@pytest.mark.parametrize("kind", ["cut-before", "cut-after", "truncated"])
def test_faults__cut_connections(lightly: Lightly, kind: str) -> None:
    """A connection that ends too early is an error below HTTP; what was cut after has acted."""
    lightly.faults({"operation": "create_dataset", "kind": kind})

    with pytest.raises(requests.RequestException):
        requests.post(
            f"{lightly.url}/v1/datasets",
            params={"token": TOKEN},
            json={"name": "cut", "type": "Videos"},
            timeout=5,
        )

    (call,) = lightly.calls("create_dataset")
    assert (call["code"], call["acted"]) == (kind, kind != "cut-before")


def test_faults__hang_and_delay(lightly: Lightly) -> None:
    """An answer can be late, or never come."""
    url = f"{lightly.url}/v1/datasets?token=x"
    lightly.faults(
        {"operation": "get_datasets", "kind": "delay", "seconds": 0.3},
        {"operation": "get_datasets", "kind": "hang"},
    )
    begun = time.monotonic()

    assert requests.get(url, timeout=5).status_code == 401
    assert time.monotonic() - begun > 0.3
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, timeout=0.3)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("plan", {"endz": "FAILED"}, "unknown field 'endz'"),
        ("results", {"runId": "0"}, "There is no 0"),
        ("other", {}, "other is unknown"),
    ],
)
def test_hand__refuses_what_it_does_not_know(
    lightly: Lightly, name: str, body: dict[str, str], message: str
) -> None:
    """A mistake in steering is said, not swallowed."""
    with pytest.raises(RefusedError, match=message):
        lightly.hand(name, body)


def test_server__answers_to_loopback_names_alone(lightly: Lightly) -> None:
    """No name on the internet can lead a web page to the stand-in."""
    answer = requests.get(f"{lightly.url}/sandbox/calls", headers=LOOPBACK_ONLY, timeout=5)

    assert answer.status_code == 404


def test_server__refuses_a_page_in_a_browser(lightly: Lightly) -> None:
    """A form that a page could send steers nothing."""
    answer = requests.post(f"{lightly.url}/sandbox/plan", data="{}", timeout=5)

    assert answer.status_code == 415


def test_server__keeps_its_records(tmp_path: Path) -> None:
    """A stand-in that died comes back with everything it knew, its call log too."""
    with lightly_server(tmp_path / "data") as before:
        made = before.send("POST", "datasets", {"name": "videos", "type": "Videos"})

    with lightly_server(tmp_path / "data") as after:
        assert after.send("GET", f"datasets/{made['id']}")["name"] == "videos"
        assert len(after.calls("create_dataset")) == 1
        assert after.calls(LIST) == []


def test_log__has_no_token_of_a_client_that_has_gone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that hangs up before the answer is no error, and the log has no address of it."""
    with lightly_server(tmp_path) as lightly:
        lightly.faults({"operation": "create_dataset", "kind": "delay", "seconds": 0.3})
        place = urlsplit(lightly.url)
        with socket.create_connection((place.hostname, place.port)) as client:
            body = '{"name": "videos", "type": "Videos"}'
            head = f"Host: {place.netloc}\r\nContent-Length: {len(body)}"
            path = f"/v1/datasets?token={quote(TOKEN)}"
            client.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
            # The fault is used up as soon as the request has come.
            faults = f"{lightly.url}/sandbox/faults"
            wait_until(lambda: not json.loads(ask("GET", faults))["faults"])

        wait_until(lambda: lightly.calls("create_dataset"))
        lightly.calls()

    assert capfd.readouterr().err == ""
