"""The weights are converted once; whatever happens to the cache, a whole network comes out."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from curation.engine.cache import load_network
from curation.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

# Prints the checksum of the network from the user's cache folder.
LOAD = (
    "import hashlib; from curation.engine.cache import load_network; "
    "print(hashlib.sha256(load_network(None)).hexdigest())"
)


def test_load_network__is_read_from_the_cache(cache_dir: Path, network: bytes) -> None:
    """A second start finds the file of the first and leaves it alone."""
    (file,) = cache_dir.iterdir()
    before = file.stat()

    assert load_network(cache_dir) == network
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_load_network__mends_a_damaged_cache(
    damage: str, cache_dir: Path, network: bytes, tmp_path: Path
) -> None:
    """A file that is not whole is made anew."""
    (whole,) = cache_dir.iterdir()
    content = whole.read_bytes()
    damaged = {
        "truncated": content[:-1],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "emptied": b"",
    }
    file = tmp_path / whole.name
    file.write_bytes(damaged[damage])

    assert load_network(tmp_path) == network
    assert file.read_bytes() == content


def test_load_network__may_be_done_by_several_at_once(tmp_path: Path, network: bytes) -> None:
    """Processes that start together on an empty cache all get the network and leave one file."""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", LOAD], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]

    printed = {process.communicate()[0].decode().strip() for process in processes}

    assert printed == {hashlib.sha256(network).hexdigest()}
    assert len(list((tmp_path / "video-curation").iterdir())) == 1


def test_load_network__names_the_setting_when_it_cannot_write(tmp_path: Path) -> None:
    """A cache folder that cannot be used is the operator's to mend."""
    (tmp_path / "taken").write_text("a file, not a folder", encoding="utf-8")

    with pytest.raises(OperatorError) as caught:
        load_network(tmp_path / "taken" / "cache")

    assert caught.value.code == "config:engine-cache"
    assert "ENGINE_CACHE_DIR" in caught.value.message
