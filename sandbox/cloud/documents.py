"""SSM command documents: which script they run, and which parameters they accept.

AWS-RunShellScript is built in. Any other is a JSON file `documents/NAME.json` in the data folder,
with the content of a real command document (schema 2.2, one `aws:runShellScript` step).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cloud.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_.-]{3,128}")
_REFERENCE = re.compile(r"{{\s*(\w+)\s*}}")
_RUN_SHELL_SCRIPT = {
    "parameters": {
        "commands": {"type": "StringList"},
        "workingDirectory": {"type": "String", "default": ""},
        "executionTimeout": {
            "type": "String",
            "default": "3600",
            "allowedPattern": "([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})"
            "|(172[0-7][0-9]{2})|(172800)",
        },
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "inputs": {
                "runCommand": ["{{ commands }}"],
                "workingDirectory": "{{ workingDirectory }}",
                "timeoutSeconds": "{{ executionTimeout }}",
            },
        }
    ],
}


@dataclass(frozen=True)
class Script:
    """What a document with its parameters comes to."""

    text: str
    folder: str  # where it runs; empty: in the command's own folder
    timeout_s: float


def script(folder: Path, name: str, parameters: Mapping[str, list[str]]) -> Script:
    """Returns the script of a document, with its parameters filled in.

    Raises:
        AwsError: InvalidDocument if there is no such document or it has another form than the
            one above; InvalidParameters if the parameters do not fit it.
    """
    document = _load(folder, name)
    values = _values(document.get("parameters", {}), parameters)
    try:
        (step,) = document["mainSteps"]
        lines = step["inputs"]["runCommand"]
        inputs = {"timeoutSeconds": "3600", "workingDirectory": "", **step["inputs"]}
    except (KeyError, TypeError, ValueError):
        raise AwsError("InvalidDocument", f"{name} needs one aws:runShellScript step.") from None
    return Script(
        text="".join(f"{_fill(line, values)}\n" for line in lines),
        folder=_fill(inputs["workingDirectory"], values),
        timeout_s=float(_fill(str(inputs["timeoutSeconds"]), values)),
    )


def _load(folder: Path, name: str) -> dict[str, Any]:
    if name == "AWS-RunShellScript":
        return _RUN_SHELL_SCRIPT
    path = folder / f"{name}.json"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise AwsError("InvalidDocument", f"Document with name {name} does not exist.")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _values(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, list[str]]
) -> dict[str, str]:
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise AwsError("InvalidParameters", f"{unknown[0]} is not a parameter of the document.")
    values = {}
    for name, rules in declared.items():
        default = rules.get("default")
        lines = given.get(name, [default] if isinstance(default, str) else default)
        if lines is None:
            raise AwsError("InvalidParameters", f"Parameter {name} is missing.")
        pattern = re.compile(rules.get("allowedPattern", r"[\s\S]*"))
        if not all(pattern.fullmatch(line) for line in lines):
            raise AwsError("InvalidParameters", f"Parameter {name} does not match its pattern.")
        values[name] = "\n".join(lines)
    return values


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: values[match[1]], text)
