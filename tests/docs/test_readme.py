"""What the README tells people to type is typed here."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.world import World
from tests.support.media import shipped_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>.*?) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL
)
_SANDBOX = "run in the sandbox"

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Block:
    """A piece of code in the README: its mark says whether it is run here."""

    mark: str
    language: str
    code: str


def blocks() -> list[Block]:
    """All pieces of code, in order."""
    found = _BLOCK.finditer(README.read_text(encoding="utf-8"))
    return [Block(match["mark"] or "", match["language"], match["code"]) for match in found]


RUN = [block for block in blocks() if block.mark.startswith(_SANDBOX)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as the README has it: a video, and an open sandbox beside it."""
    place = tmp_path_factory.mktemp("readme")
    shutil.copy(shipped_clip("bikes.mp4"), place / "my-video.mp4")
    with World(place / "my-sandbox"):
        yield place


def test_blocks__each_says_whether_it_is_run() -> None:
    """No command is in the README that is neither run here nor says where it is."""
    unmarked = [
        block.code for block in blocks() if not block.mark.startswith((_SANDBOX, "shown: "))
    ]

    assert unmarked == []
    assert len(RUN) == 4


def command_of(block: Block) -> list[str]:
    """What carries a block out, inside the sandbox."""
    if block.language == "python":
        return ["my-sandbox/enter", "python", "-c", block.code]
    if block.code.startswith("my-sandbox/enter"):
        return ["bash", "-e", "-c", block.code]
    return ["my-sandbox/enter", "bash", "-e", "-c", block.code]


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.code.split("\n")[0][:40])
def test_block__does_what_it_says(folder: Path, block: Block) -> None:
    """Every command in the README works as it stands there."""
    done = subprocess.run(
        command_of(block), cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )

    assert done.returncode == 0, done.stderr
    if block.language == "python":
        assert done.stdout == "completed 25 of 250 frames\n"
