"""What the modelled platform knows: records as they go over the wire, kept in one file."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from sandbox.lightly.request import LightlyError

if TYPE_CHECKING:
    from pathlib import Path

Record: TypeAlias = "dict[str, Any]"

USER_ID = "sandbox-user"
_ID_BYTES = 12


@dataclass
class Plan:
    """What the Lightly Worker does with runs; everything that can be switched by hand.

    Attributes:
        takes: Whether it takes any.
        ends: State in which each run ends.
        message: What the run says at such an end.
        state_s: Seconds that a run stays in each state, at least.
        wide_tags: Whether a run's tag holds all samples of the dataset, also those of earlier runs.
    """

    takes: bool = True
    ends: str = "COMPLETED"
    message: str = ""
    state_s: float = 0.05
    wide_tags: bool = False


@dataclass
class Records:
    """All records by id, in the order in which they were made.

    Attributes:
        datasources: By dataset id and purpose, `ID/INPUT`.
        samples: Names of the samples of each dataset.
        artifacts: Where an artifact belongs: its run's id.
    """

    datasets: dict[str, Record] = field(default_factory=dict)
    datasources: dict[str, Record] = field(default_factory=dict)
    samples: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, Record] = field(default_factory=dict)
    workers: dict[str, Record] = field(default_factory=dict)
    configs: dict[str, Record] = field(default_factory=dict)
    scheduled: dict[str, Record] = field(default_factory=dict)
    runs: dict[str, Record] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Records:
        """Reads the file; no file means an empty platform."""
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, path: Path) -> None:
        """Writes the file; a crash leaves the old one or the new one."""
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(vars(self)))
        draft.replace(path)


def known(table: dict[str, Record], record_id: str) -> Record:
    """Returns a record.

    Raises:
        LightlyError: 404 if there is none.
    """
    if record_id not in table:
        raise LightlyError(404, "NOT_FOUND", f"There is no {record_id}.")
    return table[record_id]


def field_of(body: object, name: str) -> Any:  # noqa: ANN401  # what a client sent
    """Returns a field of what was sent.

    Raises:
        LightlyError: 400 if it is missing.
    """
    if not isinstance(body, dict) or name not in body:
        raise LightlyError(400, "MALFORMED_REQUEST", f"{name} is missing.")
    return body[name]


def stamped(**facts: object) -> Record:
    """Returns a new record with an id and both times, in milliseconds."""
    now = now_ms()
    return {"id": new_id(), **facts, "createdAt": now, "lastModifiedAt": now}


def new_id() -> str:
    """Returns an id such as the platform's: 24 hex digits."""
    return secrets.token_hex(_ID_BYTES)


def now_ms() -> int:
    """Returns milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def changed_plan(plan: Plan, changes: Record) -> Plan:
    """Returns the plan with some fields changed.

    Raises:
        ValueError: If there is no such field.
    """
    names = [field.name for field in fields(Plan)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}, expected {', '.join(names)}")
    return Plan(**{**asdict(plan), **changes})
