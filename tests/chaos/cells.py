"""The matrix: its steps, its faults, and the pairs of them that have no meaning, with the why."""

from __future__ import annotations

from dataclasses import dataclass

# Each step by the calls that it is made of.
STEPS: dict[str, tuple[tuple[str, str], ...]] = {
    "enqueue": (),
    "download": (("source", "Fetch"),),
    "upload": (
        ("s3", "CreateMultipartUpload"),
        ("s3", "UploadPart"),
        ("s3", "CompleteMultipartUpload"),
    ),
    "start": (("ec2", "StartInstances"),),
    "wait-running": (("ec2", "DescribeInstances"),),
    "wait-ssm": (("ssm", "DescribeInstanceInformation"),),
    "send": (("ssm", "SendCommand"),),
    "invocation": (("ssm", "GetCommandInvocation"),),
    "create dataset": (
        ("lightly", "get_datasets_query_by_name"),
        ("lightly", "create_dataset"),
        ("lightly", "update_datasource_by_dataset_id"),
        ("lightly", "create_docker_worker_config_vx"),
    ),
    "schedule": (
        ("lightly", "get_docker_runs_scheduled_by_dataset_id"),
        ("lightly", "create_docker_run_scheduled_by_dataset_id"),
    ),
    "poll": (
        ("lightly", "get_docker_run_by_scheduled_id"),
        ("lightly", "get_docker_run_tags"),
        ("lightly", "export_tag_to_basic_filenames"),
    ),
    "stop": (("ec2", "StopInstances"),),
    "verify-stop": (("ec2", "VerifyStop"),),
}
FAULTS = {
    "F1": "SIGKILL of a pool child",
    "F2": "SIGKILL of the whole Celery worker",
    "F3": "SIGSTOP for twice the lease, then SIGCONT",
    "F4": "Redis restarts",
    "F5": "Redis FLUSHALL",
    "F6": "duplicate delivery",
    "F7": "burst of 500, 503, throttling",
    "F8": "connection cut before the server acted",
    "F9": "connection cut after the server acted",
    "F10": "latency above the time-out",
    "F11": "permanent 403",
    "F12": "expired credentials",
    "F13": "capacity missing for n tries",
    "F14": "stop fails n times",
    "F15": "beat dead",
    "F16": "a human stops or starts the instance",
    "F17": "the clock jumps",
    "F18": "malformed answer",
    "F19": "two concurrent runs",
    "F20": "everything but the instance dies for good",
}
# What must end well: it is trouble that passes by itself.
_SURVIVED = frozenset({"F1", "F2", "F4", "F6", "F7", "F8", "F9", "F13", "F14", "F15", "F18", "F19"})
# What must not cost a second boot.
_ONE_BOOT = _SURVIVED - {"F19"} | {"F10", "F11", "F12"}
_WIRE = ("F7", "F11", "F12", "F18")


@dataclass(frozen=True)
class Cell:
    """One step and one fault."""

    step: str
    fault: str

    def __str__(self) -> str:
        return f"{self.step}:{self.fault}"

    @property
    def must_end_well(self) -> bool:
        """Whether a run must bear this trouble."""
        # A source that serves something else is taken at its word; and a datasource is set by a
        # request whose answer says nothing, so that a false one is not seen before the schedule.
        if str(self) in ("download:F18", "create dataset:F18"):
            return False
        return self.fault in _SURVIVED or str(self) == "poll:F17"

    @property
    def must_boot_once(self) -> bool:
        """Whether one start must do for a run."""
        return self.fault in _ONE_BOOT


def why_not(cell: Cell) -> str:
    """Returns why a cell has no meaning, or nothing."""
    if cell.fault == "F13" and cell.step != "start":
        return "only a start can lack capacity"
    if cell.fault == "F14" and cell.step not in ("stop", "verify-stop"):
        return "no stop in this step"
    if cell.step == "enqueue" and cell.fault in _WIRE:
        return "enqueue speaks to Redis alone"
    if cell.step == "enqueue" and cell.fault in ("F3", "F16"):
        return "nothing has begun yet"
    return ""


def cells() -> list[Cell]:
    """Returns the cells that have a meaning."""
    every = [Cell(step, fault) for step in STEPS for fault in FAULTS]
    return [cell for cell in every if not why_not(cell)]
