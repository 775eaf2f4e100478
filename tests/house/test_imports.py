"""Imports go one way, and the contracts that say so can fail."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# For each contract: a file, and the import that must not be in it.
INTRUSIONS = {
    "pipeline -> workers -> curation, never back": ("curation/errors.py", "pipeline.canvas"),
    "the sandbox imports nothing of ours, and only the pipeline starts it": (
        "sandbox/__init__.py",
        "curation.states",
    ),
    "workers and curation do not know the sandbox": ("workers/base.py", "sandbox"),
    "no Celery inside curation": ("curation/states.py", "celery"),
    "steps know ports, never a concrete adapter": (
        "curation/steps/ingest.py",
        "curation.adapters.storage.s3",
    ),
    "vendor SDKs only in adapters": ("pipeline/client.py", "boto3"),
    "decoders and networks only in the engine": ("curation/ledger/runs.py", "av"),
    "worker modules do not import each other": ("workers/ingest.py", "workers.compute"),
}


def test_modules__do_not_import_in_circles(checkout: Path, package_modules: Sequence[Path]) -> None:
    """No module imports another that, through however many, imports it."""
    assert " -> ".join(circle(import_graph(checkout, package_modules))) == ""


def test_circle__finds_one(tmp_path: Path) -> None:
    """A circle is named module by module; an import for types or inside a function is none."""
    write(tmp_path / "a.py", "import b")
    write(tmp_path / "b.py", "try:\n    from c import name\nexcept ImportError: ...")
    write(tmp_path / "c.py", "if TYPE_CHECKING:\n    import d\nelse:\n    import a")
    write(tmp_path / "d.py", "import a\ndef lazy():\n    import b")

    graph = import_graph(tmp_path, sorted(tmp_path.glob("*.py")))

    assert graph == {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert sorted(set(circle(graph))) == ["a", "b", "c"]


def test_intrusions__cover_every_contract(checkout: Path) -> None:
    """A new import contract comes with an import that breaks it."""
    config = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))

    names = [contract["name"] for contract in config["tool"]["importlinter"]["contracts"]]

    assert sorted(INTRUSIONS) == sorted(names)


def test_worker_modules__are_all_kept_apart(checkout: Path) -> None:
    """A new queue's module is under the contract that keeps worker modules from each other."""
    config = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (apart,) = (item["modules"] for item in contracts if item["type"] == "independence")

    with_tasks = {
        f"workers.{path.stem}"
        for path in (checkout / "workers").glob("*.py")
        if "@shared_task" in path.read_text(encoding="utf-8")
    }

    assert with_tasks == set(apart)


@pytest.fixture
def copy(checkout: Path, packages: tuple[str, ...], tmp_path: Path) -> Path:
    """A copy of the packages with their contracts, to do harm to."""
    for package in packages:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(checkout / package, tmp_path / package, ignore=ignore)
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts__are_kept(copy: Path) -> None:
    """As it is, the copy keeps every contract, so that what breaks one below is the import."""
    result = lint(copy)

    assert result.stdout.count(" KEPT") == len(INTRUSIONS)
    assert result.returncode == 0


@pytest.mark.parametrize("contract", INTRUSIONS)
def test_contract__breaks_on_a_forbidden_import(contract: str, copy: Path) -> None:
    """One import in the wrong place turns the contract red that forbids it."""
    path, target = INTRUSIONS[contract]
    with (copy / path).open("a", encoding="utf-8") as module:
        module.write(f"\nimport {target}\n")

    result = lint(copy)

    assert f"{contract} BROKEN" in result.stdout
    assert result.returncode != 0


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter on the packages under `root`, not on the installed ones."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-logo", "--no-cache"],
        cwd=root,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
        text=True,
    )


def import_graph(root: Path, paths: Sequence[Path]) -> dict[str, set[str]]:
    """Returns which modules each module imports when it is loaded, among those given."""
    trees = {_name(root, path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    return {
        name: {
            target
            for node in _loaded(tree)
            for candidate in _targets(node)
            if (target := _nearest(candidate, trees)) not in (None, name)
        }
        for name, tree in trees.items()
    }


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Returns the modules of one import circle in order, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def write(path: Path, text: str) -> None:
    """Writes a small source file."""
    path.write_text(text, encoding="utf-8")


def _name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _loaded(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    # What runs when the module is loaded: no function bodies, no imports for types only.
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield node
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for statement in node.orelse:
            yield from _loaded(statement)
    elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for child in ast.iter_child_nodes(node):
            yield from _loaded(child)


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for alias in node.names:
        yield alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"


def _nearest(name: str, modules: Mapping[str, object]) -> str | None:
    # `from a.b import c` may mean the module a.b.c or a name in a.b.
    return next((part for part in (name, name.rpartition(".")[0]) if part in modules), None)
