"""Runs in an open world, asked for as a person would: by `curate` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curation.adapters.compute.ssm import LEASE_COMMENT
from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from curation.models import Run
from sandbox.cloud.control import Control
from tests.support.waiting import wait_until
from tests.support.worlds import s3_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from sandbox.world import World

_LIMIT_S = 150
_CELERY = (sys.executable, "-m", "celery", "-A", "pipeline")


@dataclass(frozen=True)
class Chain:
    """An open world, and what to ask of it."""

    world: World

    @property
    def cloud(self) -> Control:
        """EC2 and SSM: faults, calls, true state."""
        port = self.world.ports["cloud"]
        return Control(
            url=f"http://127.0.0.1:{port}", instance_id=self.world.environment["EC2_INSTANCE_ID"]
        )

    @property
    def s3(self) -> S3Client:
        """The buckets."""
        return s3_of(self.world)

    def curate(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the world.

        Args:
            arguments: What follows `curate`.
            settings: Variables that go before the world's.
        """
        return subprocess.run(
            [str(Path(sys.executable).parent / "curate"), *arguments],
            env=self.world.environment | settings,
            cwd=self.world.data,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )

    def run(self, source: str | Path, **settings: str) -> tuple[int, Run]:
        """Does a run and waits for its end; returns the exit code and the final status object."""
        done = self.curate("run", str(source), "--force", "--wait", "--json", **settings)
        assert done.stdout, done.stderr
        return done.returncode, Run.model_validate_json(done.stdout)

    def begin(self, source: str | Path, **settings: str) -> str:
        """Enqueues a run and returns its id."""
        done = self.curate("run", str(source), "--force", "--json", **settings)
        return str(json.loads(done.stdout)["run_id"])

    def begin_at_once(self, source: str | Path, count: int) -> list[str]:
        """Enqueues many runs from one program, without a pause between them."""
        program = (
            "from pipeline import RunRequest, enqueue\n"
            f"for _ in range({count}): print(enqueue(RunRequest(source={str(source)!r})))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=self.world.environment,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=True,
        )
        return done.stdout.split()

    def call(self, task: str, *arguments: str) -> None:
        """Sends a task's message, as a person would by Celery's own command."""
        subprocess.run(
            [*_CELERY, "call", task, "--args", json.dumps(arguments)],
            env=self.world.environment,
            cwd=self.world.data,
            capture_output=True,
            timeout=_LIMIT_S,
            check=True,
        )

    def result(self, run_id: str, name: str) -> bytes | None:
        """Returns a file among a run's results, or None if there is none."""
        s3 = self.s3
        try:
            found = s3.get_object(Bucket="lightly", Key=f"results/{run_id}/{name}")
        except s3.exceptions.NoSuchKey:
            return None
        return found["Body"].read()

    def newest(self) -> Run:
        """Returns the status object of the run that was enqueued last."""
        items = json.loads(self.curate("list", "--limit", "1", "--json").stdout)["items"]
        return self.status(items[0]["run_id"])

    def status(self, run_id: str) -> Run:
        """Returns a run's status object, as the ledger has it."""
        store = Store.connect(self.world.environment["REDIS_URL"])
        return Ledger.over(store, retention_days=1, lease_ttl_s=1).runs.get(run_id)

    def ended(self, *run_ids: str) -> list[Run]:
        """Waits until all the runs are in an end state, and returns them."""

        def all_ended() -> list[Run] | None:
            runs = [self.status(run_id) for run_id in run_ids]
            return runs if all(run.state.is_end for run in runs) else None

        return wait_until(all_ended, limit_s=_LIMIT_S)

    def leftovers(self, run_id: str) -> list[str]:
        """Returns keys under the run's prefix in the input bucket, and all open uploads."""
        s3 = self.s3
        objects = s3.list_objects_v2(Bucket="input", Prefix=f"videos/{run_id}/")
        found = [item["Key"] for item in objects.get("Contents", [])]
        # rclone's word for a bucket that has no upload.
        with contextlib.suppress(s3.exceptions.NoSuchUpload):
            uploads = s3.list_multipart_uploads(Bucket="input")
            found += [item["Key"] for item in uploads.get("Uploads", [])]
        return found

    def operations(self) -> list[str]:
        """Returns the names of all calls so far that changed the instance and were accepted.

        Renewals of the watchdog's lease are left out: how many there are is a matter of time.
        """
        changing = ("StartInstances", "StopInstances", "SendCommand")
        return [
            call["operation"]
            for call in self.cloud.calls()
            if call["operation"] in changing
            and call["acted"]
            and call["parameters"].get("Comment") != LEASE_COMMENT
        ]
