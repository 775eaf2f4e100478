"""The pages of the reference that the code itself tells."""

from __future__ import annotations

import inspect
import re
from itertools import groupby
from typing import TYPE_CHECKING, get_args

import typer.main
from pydantic import BaseModel
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

import pipeline
from curation import settings
from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from curation.metrics.collector import LedgerCollector
from curation.setting_groups import CostSettings
from curation.settings_in_force import default_text, title
from curation.states import InstanceState
from docs.generate.error_codes import explained
from docs.generate.markdown import code, from_docstring, page, table
from pipeline.cli import app
from pipeline.web.api import create_api
from pipeline.web.reference import operations
from tests.support.servers import valkey_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FunctionType

    from prometheus_client import Metric
    from pydantic_settings import BaseSettings

    from pipeline.web.reference import Operation

# What a type is beside its conditions, and beside how it is shown.
_TYPES = {
    r"Annotated\[([\w.]+), .*\]": r"\1",
    r"ShownConfig": "SelectionConfig | None",
    r"Shown(\w+)": r"\1 | None",
    r"SourceUri": "str",
}
_BOX = "i-0123456789abcdef0"
_COST = CostSettings(instance_price_per_hour=1, budget_per_month=100)


def settings_page() -> str:
    """Returns the page of all settings."""
    return page(
        "Settings",
        "From the environment, or from a `.env` in the working directory or above it; the "
        "environment wins. An empty value is the same as none. Durations are in seconds, sizes in "
        "bytes. `curate settings` shows what is in force and where it comes from.",
        map(_settings_group, settings.GROUPS),
    )


def cli_page() -> str:
    """Returns the page of all commands."""
    root = typer.main.get_command(app)
    return page(
        "Command line",
        "Every command that reads has `--json`; JSON alone goes to stdout, all else to stderr. "
        "Exit codes: 0 done, 1 the run or a check failed, 2 wrong usage, settings or unknown run, "
        "3 Redis unreachable, 130 Ctrl-C.",
        [_command(name, command) for name, command in _commands("curate", root)],
    )


def python_page() -> str:
    """Returns the page of what `import pipeline` offers, and of the records in it."""
    offered = [getattr(pipeline, name) for name in sorted(pipeline.__all__)]
    functions = [_function(it) for it in offered if inspect.isfunction(it)]
    records = dict.fromkeys(it for model in _models(offered) for it in _reachable(model))
    return page(
        "Python",
        f"`from pipeline import {', '.join(pipeline.__all__)}`. A `Timestamp` is in seconds since "
        "the epoch here, and RFC 3339 in JSON.",
        [*functions, *map(_record, records)],
    )


def http_page() -> str:
    """Returns the page of the HTTP API."""
    return page(
        "HTTP API",
        "`curate serve` serves it where API_TOKEN is set; each request has the header "
        "`Authorization: Bearer …`. The same for programs: `/openapi.json`.",
        map(_operation, operations(create_api())),
    )


def metrics_page() -> str:
    """Returns the page of all metrics, asked of the collector itself."""
    with valkey_server() as url:
        ledger = Ledger.over(Store.connect(url), retention_days=1, lease_ttl_s=1)
        # Some metrics are there only when there is something to measure.
        ledger.leases.observe(_BOX, InstanceState.RUNNING)
        ledger.note_round(pause_s=1)
        found = list(LedgerCollector(ledger.store, _BOX, _COST).collect())
    rows = [_metric(metric) for metric in sorted(found, key=lambda metric: metric.name)]
    return page(
        "Metrics",
        "`curate serve` has them at `/metrics`, `curate metrics` prints them once. All are read "
        "from the ledger at that moment, for all processes and machines together.",
        [table(("Metric", "Type", "Labels", "Meaning"), rows)],
    )


def errors_page() -> str:
    """Returns the page of all error codes."""
    sections = [
        f"## {group.capitalize()}\n\n"
        + table(
            ("Code", "What has happened", "What to do"),
            [(code(entry.code), entry.meaning, entry.mend) for entry in entries],
        )
        for group, entries in groupby(explained(), key=lambda entry: entry.group)
    ]
    return page(
        "Errors",
        "A run's `error.code`, and `code` in answers of the HTTP API. `*` stands for what is only "
        "known when it happens. The message beside a code names the value and what to do about it.",
        sections,
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "python-api.md": python_page,
    "http-api.md": http_page,
    "metrics.md": metrics_page,
    "errors.md": errors_page,
}


def _settings_group(group: type[BaseSettings]) -> str:
    rows = [
        (code(name), code(default_text(field)), meaning)
        for (name, meaning), field in zip(
            settings.variables(group).items(), group.model_fields.values(), strict=True
        )
    ]
    return f"## {title(group)}\n\n{table(('Variable', 'Default', 'Meaning'), rows)}"


def _commands(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperCommand):
        yield name, command
    elif isinstance(command, TyperGroup):
        for word, member in command.commands.items():
            yield from _commands(f"{name} {word}", member)


def _command(name: str, command: TyperCommand) -> str:
    parts = [f"## {name}", inspect.cleandoc(command.help or "")]
    rows = [
        _parameter(it)
        for it in command.params
        if isinstance(it, (TyperArgument, TyperOption)) and it.name != "help"
    ]
    return "\n\n".join(
        [*parts, table(("Parameter", "Default", "Meaning"), rows)] if rows else parts
    )


def _parameter(parameter: TyperArgument | TyperOption) -> tuple[str, str, str]:
    names = [*parameter.opts, *parameter.secondary_opts]
    if isinstance(parameter, TyperArgument):
        names = [parameter.metavar or str(parameter.name).upper()]
    default = "" if callable(parameter.default) else parameter.default or ""
    shown = str(getattr(default, "value", default))
    return ", ".join(map(code, names)), code(shown), parameter.help or ""


def _function(function: FunctionType) -> str:
    # Annotations are not evaluated, so they come in quotes.
    signature = str(inspect.signature(function)).replace("'", "")
    meaning = from_docstring(inspect.getdoc(function) or "")
    return f"## {function.__name__}\n\n```python\n{function.__name__}{signature}\n```\n\n{meaning}"


def _record(model: type[BaseModel]) -> str:
    written = inspect.get_annotations(model)
    rows = [
        (code(field.alias or name), code(_plain(written[name])))
        for name, field in model.model_fields.items()
    ]
    meaning = from_docstring(inspect.getdoc(model) or "")
    return f"## {model.__name__}\n\n{meaning}\n\n{table(('Field', 'Type'), rows)}"


def _plain(annotation: str) -> str:
    for pattern, plain in _TYPES.items():
        annotation = re.sub(pattern, plain, annotation)
    return annotation


def _models(things: Iterable[object]) -> Iterator[type[BaseModel]]:
    for thing in things:
        if isinstance(thing, type) and issubclass(thing, BaseModel):
            yield thing


def _reachable(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yields a record and those of our records that are in it."""
    yield model
    for field in model.model_fields.values():
        for inner in _models([field.annotation, *_parts(field.annotation)]):
            if inner.__module__ == model.__module__:
                yield from _reachable(inner)


def _parts(annotation: object) -> Iterator[object]:
    for part in get_args(annotation):
        yield part
        yield from _parts(part)


def _operation(operation: Operation) -> str:
    fields = [(code(it.name), it.place, it.type, it.meaning) for it in operation.fields]
    parts = [f"## {operation.method} {operation.path}", operation.meaning]
    if fields:
        parts.append(table(("Name", "Place", "Type", "Meaning"), fields))
    parts.append(table(("Answer", "Meaning"), operation.answers))
    return "\n\n".join(parts)


def _metric(metric: Metric) -> tuple[str, str, str, str]:
    labels: tuple[str, ...] = getattr(metric, "_labelnames", ())
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return code(name), metric.type, ", ".join(map(code, labels)), metric.documentation
