"""What is in the repository may be published, builds, and is explained where it deviates."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tokenize
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# What must never be published, and how to recognise it.
UNPUBLISHABLE = {
    "path of one machine": r"(?<![\w.])(/(root|work|Users|home/(?!ubuntu/))\b|[A-Z]:\\\\?Users)",
    "registry host": r"(pypi|pythonhosted|npmjs|debian)\.org|--(extra-)?index-url|--find-(links)",
    "AWS key": r"\b(AKIA|ASIA)(?!\w*EXAMPLE)[0-9A-Z]{16}\b",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "signed URL": r"X-Amz-Signature=[0-9a-f]{8}",
    "access token": r"\b(gh[pousr]_|github_pat_|pypi-|xox[bp]-)\w{20}",
    "Lightly token": r"\btoken=[0-9a-f]{24}",
}
# A deviation from a checker names what it deviates from and why.
SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)")
EXPLAINED = re.compile(
    r"# (noqa: [A-Z]+\d+(, [A-Z]+\d+)*|type: ignore\[[a-z, -]+\]|pragma: no cover)  # \w.*"
)


@pytest.mark.parametrize("kind", UNPUBLISHABLE)
def test_files__can_be_published(kind: str, checkout: Path, files: Sequence[Path]) -> None:
    """No file names a machine, a package registry or a secret."""
    found = [
        f"{path}: {match.group()}"
        for path in files
        for match in re.finditer(UNPUBLISHABLE[kind], text(checkout / path))
    ]

    assert "\n".join(found) == ""


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("path of one machine", "cd /" + "root/project"),
        ("path of one machine", "data = '/" + "home/me/clip.mp4'"),
        ("path of one machine", "C:" + "\\Users\\me"),
        ("registry host", "https://" + "pypi." + "org/simple"),
        ("registry host", "pip install --extra-" + "index-url x"),
        ("AWS key", "AKIA" + "Z" * 16),
        ("private key", "-----BEGIN RSA " + "PRIVATE KEY-----"),
        ("signed URL", "?X-Amz-" + "Signature=0123456789abcdef"),
        ("access token", "ghp_" + "a" * 36),
        ("Lightly token", "?token=" + "0" * 24),
    ],
)
def test_unpublishable__is_recognised(kind: str, line: str) -> None:
    """The patterns find what they are named after."""
    assert re.search(UNPUBLISHABLE[kind], line)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("path of one machine", "SCRIPT_PATH=/home/ubuntu/run.sh"),
        ("path of one machine", "https://example.com/work/clip.mp4"),
        ("AWS key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ],
)
def test_unpublishable__leaves_the_harmless_alone(kind: str, line: str) -> None:
    """Defaults, links and AWS's own example key are no findings."""
    assert not re.search(UNPUBLISHABLE[kind], line)


def test_suppressions__carry_a_reason(modules: Sequence[Path]) -> None:
    """Whoever silences a checker says which rule, and why, in the same line."""
    found = [
        f"{path}: {comment}"
        for path in modules
        for comment in comments(text(path))
        if not is_explained(comment)
    ]

    assert "\n".join(found) == ""


@pytest.mark.parametrize(
    ("comment", "explained"),
    [
        ("# noqa", False),
        ("# noqa: S101", False),
        ("# noqa: S101  # a test asserts", True),
        ("# type: ignore[misc]", False),
        ("# type: ignore[misc]  # the library has no types", True),
        ("# any other comment", True),
    ],
)
def test_is_explained__wants_rule_and_reason(comment: str, *, explained: bool) -> None:
    """A suppression without its rule or its reason is refused."""
    assert is_explained(comment) is explained


def test_wheel__holds_every_file_of_the_packages(
    checkout: Path, files: Sequence[Path], packages: tuple[str, ...], tmp_path: Path
) -> None:
    """What is installed is what is in the checkout: modules, scripts and templates alike."""
    for path in files:
        (tmp_path / "copy" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout / path, tmp_path / "copy" / path)

    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", tmp_path, tmp_path / "copy"], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(path)
        for path in files
        if path.parts[0] in packages or (path.suffix == ".py" and len(path.parts) == 1)
    }
    assert expected == {name for name in packed if ".dist-info/" not in name}


def test_instances__are_never_created_or_terminated(
    checkout: Path, package_modules: Sequence[Path]
) -> None:
    """No code that talks to AWS knows a call that makes or destroys an instance."""
    ruled_out = re.compile(r"(run|terminate)_?instances", re.IGNORECASE)

    found = [
        str(path)
        for path in package_modules
        if path.relative_to(checkout).parts[0] != "sandbox" and ruled_out.search(text(path))
    ]

    assert "\n".join(found) == ""


def text(path: Path) -> str:
    """Returns the content of a text file; of another one nothing."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def comments(source: str) -> Iterator[str]:
    """Yields the comments of a Python source."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def is_explained(comment: str) -> bool:
    """Returns whether the comment suppresses nothing, or says what and why."""
    return not SUPPRESSION.search(comment) or bool(EXPLAINED.fullmatch(comment))
