from __future__ import annotations

import json

from pipeline.canvas import build_run

RUN = "20270115-080000-0123456789"


def test_build_run__is_the_documented_shape() -> None:
    """Ingest and start in parallel, chorded into the selection, which links to the release."""
    run = build_run(RUN)

    header = [task.task for task in run.tasks]
    body = run.body
    assert header == ["ingest.ingest_video", "compute.start_instance"]
    assert body.task == "selection.run_selection"
    assert [link.task for link in body.options["link"]] == ["compute.release_instance"]
    errbacks = [[task.task for task in chain.tasks] for chain in body.options["link_error"]]
    assert errbacks == [["reaper.fail_run", "compute.release_instance"]]


def test_build_run__only_the_run_id_goes_over_the_wire() -> None:
    """Every message of a run has its id as the one argument, and takes no other task's result."""
    sent = json.loads(json.dumps(build_run(RUN)))

    found = list(_signatures(sent))
    assert len(found) == 6
    assert {tuple(signature["args"]) for signature in found} == {(RUN,)}
    assert all(signature["immutable"] for signature in found)


def _signatures(part: object) -> list[dict[str, object]]:
    """All task signatures in a canvas, however deep."""
    if isinstance(part, list):
        return [found for item in part for found in _signatures(item)]
    if not isinstance(part, dict):
        return []
    inner = [found for item in part.values() for found in _signatures(item)]
    is_task = str(part.get("task", "")).count(".") == 1 and "celery." not in str(part["task"])
    return ([part] if is_task else []) + inner
