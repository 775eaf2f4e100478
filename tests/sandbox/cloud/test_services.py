"""What an instance of the stand-in starts by itself."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tests.support.cloud import OTHER_INSTANCE_ID, cloud_server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def has_text(path: Path, text: str) -> bool:
    """Whether a file is there and has this text."""
    return path.exists() and path.read_text() == text


def test_boot_script__runs_once_a_boot_on_each_instance(tmp_path: Path) -> None:
    """It is there before the agent, in an empty /run, and ends with the instance."""
    script = tmp_path / "boot.sh"
    script.write_text(
        f'ls "$CURATION_RUN" | wc -l >>{tmp_path}/"$SANDBOX_INSTANCE_ID"\n'
        'touch "$CURATION_RUN/left"\n'
        "while sleep 0.1; do :; done\n"
    )
    with cloud_server(tmp_path / "cloud", boot_script=script) as cloud:
        for n_boots in (1, 2):
            cloud.boot()
            log = tmp_path / cloud.instance_id
            wait_until(functools.partial(has_text, log, "0\n" * n_boots))
            cloud.hand("stop")
            cloud.wait_for("stopped")

    assert not (tmp_path / OTHER_INSTANCE_ID).exists()


def test_boot_script__can_power_the_instance_off(tmp_path: Path) -> None:
    """`shutdown` from inside ends in a stopped instance, with no call of EC2."""
    script = tmp_path / "boot.sh"
    script.write_text("sleep 0.2\nshutdown -h now\n")
    with cloud_server(tmp_path / "cloud", boot_script=script) as cloud:
        cloud.hand("start")

        wait_until(lambda: cloud.calls("power-off"))
        cloud.wait_for("stopped")

        assert cloud.calls("StopInstances") == []
