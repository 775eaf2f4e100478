"""The documents keep their form, and what they point to exists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ADR_HEADINGS = ["Problem", "Decision", "Rules that follow", "What we gave up", "How we know"]
ADR_LINES = range(10, 41)  # not counting blank lines
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def test_links__lead_somewhere(checkout: Path, files: Sequence[Path]) -> None:
    """Every relative link of every Markdown file has a target."""
    broken = [
        f"{path}: {target}"
        for path in files
        if path.suffix == ".md"
        for target in dead_links(checkout / path)
    ]

    assert "\n".join(broken) == ""


def test_dead_links__finds_what_does_not_exist(tmp_path: Path) -> None:
    """Only relative targets are looked up, without their anchors."""
    document = tmp_path / "document.md"
    document.write_text(
        "[a](document.md#there) ![b](gone.png) [c](https://example.com) [d](#here)",
        encoding="utf-8",
    )

    assert dead_links(document) == ["gone.png"]


def test_paths__that_are_named_exist(
    checkout: Path, files: Sequence[Path], packages: tuple[str, ...]
) -> None:
    """A file of ours that a document names is there."""
    roots = "|".join((*packages, "tests", "docs", "deploy"))
    gone = [
        f"{path}: {name}"
        for path in files
        if path.suffix == ".md"
        for name in re.findall(rf"`((?:{roots})/[\w./-]+)`", (checkout / path).read_text("utf-8"))
        if not (checkout / name).exists()
    ]

    assert "\n".join(gone) == ""


def test_adrs__have_the_form(checkout: Path) -> None:
    """A decision record is short, and has a title and the five parts in order."""
    faults = [
        f"{path.name}: {fault}"
        for path in sorted((checkout / "docs/adr").glob("*.md"))
        for fault in adr_faults(path)
    ]

    assert "\n".join(faults) == ""


def test_adrs__have_a_number_each(checkout: Path) -> None:
    """No two decisions share a number."""
    numbers = [path.name[:4] for path in sorted((checkout / "docs/adr").glob("*.md"))]

    assert len(numbers) == len(set(numbers)) > 0


def test_adrs__that_are_cited_exist(checkout: Path, files: Sequence[Path]) -> None:
    """A comment that names a decision record names one that is there."""
    cited = {
        number
        for path in files
        if path.suffix in {".py", ".toml", ".md", ".yml", ".sh"}
        for number in re.findall(
            r"\badr/(\d{4})", (checkout / path).read_text(encoding="utf-8"), re.IGNORECASE
        )
    }

    assert cited - {path.name[:4] for path in (checkout / "docs/adr").glob("*.md")} == set()


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("1-lease.md", "", "name"),
        ("0001-lease.md", "A lease", "title"),
        ("0001-lease.md", "# A lease\n## Decision\n## Problem", "headings"),
        ("0001-lease.md", "# A lease" + "\nword" * 50, "length"),
    ],
)
def test_adr_faults__names_the_fault(name: str, content: str, fault: str, tmp_path: Path) -> None:
    """Each departure from the form is found."""
    (tmp_path / name).write_text(content, encoding="utf-8")

    assert any(found.startswith(fault) for found in adr_faults(tmp_path / name))


def test_changelog__has_a_place_for_the_next_change(checkout: Path) -> None:
    """The first section of the changelog is the unreleased one, in Keep a Changelog's words."""
    headings = re.findall(
        r"^##+ (.+)$", (checkout / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    kinds = {"Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"}

    assert headings[0] == "[Unreleased]"
    assert {heading for heading in headings if not heading.startswith("[")} <= kinds


def dead_links(document: Path) -> list[str]:
    """Returns the relative link targets of a Markdown file that do not exist."""
    targets = [
        match["target"].partition("#")[0]
        for match in LINK.finditer(document.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", match["target"])
    ]
    return [target for target in targets if not (document.parent / target).exists()]


def adr_faults(path: Path) -> list[str]:
    """Returns what is wrong with the form of a decision record."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    headings = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    checks = {
        "name is not NNNN-title.md": re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name),
        "title is not the first line": lines and re.match(r"# \S", lines[0]),
        f"headings are {headings}, not {ADR_HEADINGS}": headings == ADR_HEADINGS,
        f"length is {len(lines)} lines": len(lines) in ADR_LINES,
    }
    return [fault for fault, fine in checks.items() if not fine]
