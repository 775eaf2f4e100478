"""One request to the stand-in: what is asked, and the fault that strikes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.cloud.faults import Fault


@dataclass(frozen=True)
class Request:
    """A request to either service.

    Attributes:
        service: `ec2` or `ssm`.
        operation: For example `StartInstances`.
        parameters: As sent.
        fault: What goes wrong; kind `pass` when nothing does.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    fault: Fault

    @property
    def is_effective(self) -> bool:
        """Whether it does what it answers."""
        return self.fault.kind != "no-effect"
