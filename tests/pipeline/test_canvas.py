from __future__ import annotations

import json
from typing import Any

from pipeline.canvas import build_run

RUN = "20270115-080000-0123456789"


def sent() -> dict[str, Any]:
    """The canvas of a run as it is sent."""
    canvas: dict[str, Any] = json.loads(json.dumps(build_run(RUN)))
    return canvas


def test_build_run__is_the_documented_shape() -> None:
    """Ingest and start in parallel, chorded into the selection, which links to the release."""
    parts = sent()["kwargs"]
    body = parts["body"]

    header = [task["task"] for task in parts["header"]]
    links = [link["task"] for link in body["options"]["link"]]
    errbacks = [
        [task["task"] for task in chain["kwargs"]["tasks"]]
        for chain in body["options"]["link_error"]
    ]

    assert header == ["ingest.ingest_video", "compute.start_instance"]
    assert body["task"] == "selection.run_selection"
    assert links == ["compute.release_instance"]
    assert errbacks == [["reaper.fail_run", "compute.release_instance"]]


def test_build_run__only_the_run_id_goes_over_the_wire() -> None:
    """Every message of a run has its id as the one argument, and takes no other task's result."""
    messages = ours(sent())

    assert len(messages) == 6
    assert {tuple(message["args"]) for message in messages} == {(RUN,)}
    assert all(message["immutable"] for message in messages)


def ours(part: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # a piece of JSON
    """All messages of our own tasks in a canvas, however deep."""
    if isinstance(part, list):
        return [found for item in part for found in ours(item)]
    if not isinstance(part, dict):
        return []
    found = [found for item in part.values() for found in ours(item)]
    is_ours = "task" in part and not str(part["task"]).startswith("celery.")
    return [part, *found] if is_ours else found
