"""Scripted faults: what goes wrong, in which operation, how many times."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ANY_OPERATION = "*"
KINDS = {
    "error": "answers the error `code` without acting",
    "cut-before": "closes the connection without acting",
    "cut-after": "acts, then closes the connection without an answer",
    "garbage": "answers 200 with something unreadable, without acting",
    "hang": "neither acts nor answers",
    "delay": "waits `seconds`, then acts as usual",
    "no-effect": "answers as usual without acting; a command is delivered nowhere, and its "
    "delivery times out after `seconds`",
    "pass": "acts as usual: for faults that begin at a later call",
}


@dataclass
class Fault:
    """One entry of the script.

    Attributes:
        operation: Operation that it strikes, or `*` for each.
        kind: One of KINDS.
        code: AWS's error code, for `error`.
        message: AWS's error text, for `error`.
        seconds: Duration, for `delay` and `no-effect`.
        times: Requests that it strikes, counted on the wire (botocore repeats some by itself);
            None for all from here on.
    """

    operation: str
    kind: str = "error"
    code: str = ""
    message: str = "Scripted by the sandbox."
    seconds: float = 0.0
    times: int | None = 1


class Faults:
    """The script: for each operation the first entry that is left strikes."""

    def __init__(self, operations: Collection[str], kinds: Collection[str] = KINDS) -> None:
        self._operations = {*operations, ANY_OPERATION}
        self._kinds = kinds
        self._script: list[Fault] = []

    def add(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Appends entries.

        Raises:
            ValueError: If one is not usable; then none is added.
        """
        self._script += [self._parse(entry) for entry in entries]

    def clear(self) -> None:
        """Drops the whole script."""
        self._script.clear()

    def take(self, operation: str) -> Fault:
        """Returns the fault that strikes this request; `pass` when there is none."""
        for fault in self._script:
            if fault.operation in (operation, ANY_OPERATION):
                self._use(fault)
                return fault
        return Fault(operation, kind="pass")

    def to_json(self) -> list[dict[str, Any]]:
        """Returns what is left of the script."""
        return [asdict(fault) for fault in self._script]

    def _use(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times < 1:
                self._script.remove(fault)

    def _parse(self, entry: Mapping[str, Any]) -> Fault:
        known = [field.name for field in fields(Fault)]
        unknown = sorted(set(entry) - set(known))
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r}, expected {', '.join(known)}")
        if entry.get("operation") not in self._operations:
            expected = ", ".join(sorted(self._operations))
            raise ValueError(f"operation {entry.get('operation')!r} is none of {expected}")
        fault = Fault(**entry)
        if fault.kind not in self._kinds:
            raise ValueError(f"kind {fault.kind!r} is none of {', '.join(self._kinds)}")
        if fault.kind == "error" and not fault.code:
            raise ValueError("kind 'error' needs a code, for example RequestLimitExceeded")
        return fault
