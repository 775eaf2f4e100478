"""The operations of the HTTP API for people, read from its own description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi import FastAPI

# An entry of a docstring's `Attributes`: the name, and a text whose later lines are indented.
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """A field of the body, or a parameter."""

    name: str
    place: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Operation:
    """One thing that the API does."""

    method: str
    path: str
    meaning: str
    fields: list[Field]
    answers: list[tuple[str, str]]


def operations(api: FastAPI) -> list[Operation]:
    """Returns all operations in the order in which they are written."""
    described = api.openapi()
    return [
        Operation(
            method=method.upper(),
            path=path,
            meaning=facts["description"],
            fields=[*_parameters(facts), *_body(facts, described)],
            answers=[(code, item["description"]) for code, item in facts["responses"].items()],
        )
        for path, methods in described["paths"].items()
        for method, facts in methods.items()
    ]


def _parameters(facts: Mapping[str, Any]) -> Iterator[Field]:
    for item in facts.get("parameters", ()):
        meaning = item.get("description", "The run's id or name." if item["in"] == "path" else "")
        yield Field(item["name"], item["in"], _type(item["schema"]), meaning)


def _body(facts: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[Field]:
    if "requestBody" not in facts:
        return
    schema = facts["requestBody"]["content"]["application/json"]["schema"]
    names = [item["$ref"].rpartition("/")[2] for item in schema["anyOf"] if "$ref" in item]
    for name in names:
        model = described["components"]["schemas"][name]
        meanings = dict(_ATTRIBUTE.findall(model["description"]))
        for field, item in model["properties"].items():
            yield Field(field, "body", _type(item), " ".join(meanings.get(field, "").split()))


def _type(schema: Mapping[str, Any]) -> str:
    """Returns the type in a word or two; that anything may be left out goes without saying."""
    kinds = [item for item in schema.get("anyOf", [schema]) if item.get("type") != "null"]
    names = [item.get("type") or item.get("$ref", "").rpartition("/")[2] for item in kinds]
    return " or ".join(name for name in names if name) or "any"
