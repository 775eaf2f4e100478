from __future__ import annotations

import json
from typing import TYPE_CHECKING

from curation.states import RunState
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chain import Chain


def test_dry_run__names_the_calls_that_are_made(chain: Chain, clip: Path) -> None:
    """The plan has every operation of EC2 and SSM that the run then uses, in the same order."""
    plan = json.loads(chain.curate("run", str(clip), "--dry-run", "--json").stdout)
    n_before = len(chain.cloud.calls())

    exit_code, run = chain.run(clip)

    assert (exit_code, run.state) == (0, RunState.COMPLETED)
    made = [call["operation"] for call in chain.cloud.calls()[n_before:]]
    planned = [call["name"] for step in plan["steps"] for call in step["calls"]]
    of_cloud = [name.partition(":")[2] for name in planned if name.startswith(("ec2:", "ssm:"))]
    assert list(dict.fromkeys(made)) == list(dict.fromkeys(of_cloud))


def test_run__curated_already_takes_over_the_results(chain: Chain, clip: Path) -> None:
    """What only the ingest step can see ends the run with the earlier one's frames."""
    _, earlier = chain.run(clip)

    done = chain.curate("run", clip.as_uri(), "--wait")

    run = chain.newest()
    assert (done.returncode, run.state, run.same_as) == (0, RunState.COMPLETED, earlier.run_id)
    assert run.selection.filenames_uri == earlier.selection.filenames_uri
    assert run.selection.scheduled_run_id == earlier.selection.scheduled_run_id
    assert chain.cloud.state == "stopped"


def test_build_report__makes_the_page_again(chain: Chain, clip: Path) -> None:
    """A report that is lost comes back from what its run has left."""
    _, run = chain.run(clip)
    before = chain.result(run.run_id, "report.html")
    chain.s3.delete_object(Bucket="lightly", Key=f"results/{run.run_id}/report.html")

    chain.call("reports.build_report", run.run_id)

    after = wait_until(lambda: chain.result(run.run_id, "report.html"), limit_s=60)
    assert after == before


def test_logs__have_the_lines_of_all_processes(chain: Chain, clip: Path) -> None:
    """What was said about a run on both sides, here and on the instance, is found by its name."""
    _, run = chain.run(clip)

    lines = json.loads(chain.curate("logs", run.name, "--json").stdout)["items"]

    assert {"control", "selection-worker"} <= {line["process"] for line in lines}
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert [line for line in lines if run.run_id not in line["text"]] == []
