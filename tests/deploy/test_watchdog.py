"""The watchdog of an instance as a process, with a fake clock and a fake `shutdown`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMER = "curation-watchdog.timer"
WATCHDOG = ROOT / "deploy" / "instance" / "watchdog.sh"
BOOT = 1_795_340_000  # epoch seconds
TTL_S = 900
MAX_S = 43_200


@dataclass
class Box:
    """An instance: its clock, its uptime, its files, and a `shutdown` that is only written down.

    Attributes:
        folder: Where all of it is.
        uptime_s: Seconds since the boot.
        clock_is_off_by_s: How far the clock has been put forward.
    """

    folder: Path
    uptime_s: float = 1.0
    clock_is_off_by_s: int = 0
    settings: str = f"LEASE_TTL_S={TTL_S}\nMAX_UPTIME_S={MAX_S}\n"
    shutdown: str = "exit 0"

    @property
    def run(self) -> Path:
        """What is /run/curation on a real one."""
        return self.folder / "run"

    def lease(self, text: object) -> None:
        """Writes the lease, as the pipeline does by SSM."""
        self.run.mkdir(exist_ok=True)
        (self.run / "lease").write_text(f"{text}\n")

    def program(self, name: str, text: str) -> None:
        """Puts a program in the place of the machine's own."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def do(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the watchdog as a person would, and returns what it said."""
        clock = BOOT + int(self.uptime_s) + self.clock_is_off_by_s
        (self.folder / "uptime").write_text(f"{self.uptime_s:.2f} 0.00\n")
        (self.folder / "instance.env").write_text(self.settings)
        self.program("date", f'[ "$*" != +%s ] || echo {clock}')
        self.program("shutdown", f'echo "$@" >>{self.folder}/off; {self.shutdown}')
        return subprocess.run(
            [WATCHDOG, *arguments],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "CURATION_SETTINGS": str(self.folder / "instance.env"),
                "CURATION_RUN": str(self.run),
                "CURATION_UPTIME": str(self.folder / "uptime"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def looks(self, uptime_s: float) -> bool:
        """Lets the watchdog look at that time of the boot; whether it powers the instance off."""
        self.uptime_s = uptime_s
        before = self.shutdowns()
        self.do()
        return self.shutdowns() > before

    def shutdowns(self) -> int:
        """How often the instance was powered off, always in the same way."""
        off = self.folder / "off"
        calls = off.read_text().splitlines() if off.exists() else []
        assert set(calls) <= {"-h now"}
        return len(calls)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """An instance that has just booted: no lease, no folder for one."""
    return Box(tmp_path)


def test_look__without_a_lease(box: Box) -> None:
    """An instance that nobody has ever claimed stays on for as long as a lease, and no longer."""
    assert not box.looks(TTL_S - 1)
    assert box.looks(TTL_S)


def test_look__with_a_lease(box: Box) -> None:
    """A lease holds until it is over, and a renewed one until that is over."""
    box.lease(BOOT + 2000)
    early = box.looks(1999)
    box.lease(BOOT + 3000)
    renewed = [box.looks(at) for at in (2000, 2999)]

    assert (early, renewed) == (False, [False, False])
    assert box.looks(3000)


def test_look__at_a_lease_that_is_over_already(box: Box) -> None:
    """What comes too late holds nothing."""
    box.lease(BOOT + 1000)

    assert box.looks(1001)


def test_look__at_the_longest_uptime(box: Box) -> None:
    """However long lease and wishes are, the longest uptime is the longest."""
    box.lease(9_999_999_999)
    box.do("keep", "99999")

    assert not box.looks(MAX_S - 1)
    assert box.looks(MAX_S)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "12345678901", "1795349999.5", "0x6b", "$(reboot)", "\0" * 99],
)
def test_look__at_a_malformed_lease(text: str, box: Box) -> None:
    """A file that is no time counts as none."""
    box.lease(text)

    assert not box.looks(TTL_S - 1)
    assert box.looks(TTL_S)


def test_look__at_a_lease_that_was_spoilt(box: Box) -> None:
    """The last good lease still holds, until it is over."""
    box.lease(BOOT + 2000)
    box.looks(100)
    box.lease("179534")

    assert not box.looks(1999)
    assert box.looks(2000)


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_look__after_the_clock_has_jumped(jump_s: int, box: Box) -> None:
    """What counts is the time since the boot, not what the clock says later."""
    box.lease(BOOT + 2000)
    box.looks(100)
    box.clock_is_off_by_s = jump_s

    assert not box.looks(1999)
    assert box.looks(2000)


@pytest.mark.parametrize(
    "settings",
    ["", "LEASE_TTL_S=\nMAX_UPTIME_S=-1", "LEASE_TTL_S=15min\nMAX_UPTIME_S='", "exit 1\n}{ $((\n"],
)
def test_look__with_settings_that_cannot_be_read(settings: str, box: Box) -> None:
    """Then the defaults hold: fifteen minutes, and twelve hours."""
    box.settings = settings
    without_lease = [box.looks(899), box.looks(900)]
    box.lease(9_999_999_999)

    assert without_lease == [False, True]
    assert [box.looks(43_199), box.looks(43_200)] == [False, True]


@pytest.mark.parametrize("written", ["60.5", "'61'", 'export LEASE_TTL_S="061" # a minute'])
def test_look__with_settings_as_people_write_them(written: str, box: Box) -> None:
    """Fractions are rounded up; quotes, comments and `export` are allowed; the last one counts."""
    line = written if "=" in written else f"LEASE_TTL_S={written}"
    box.settings = f"LEASE_TTL_S=5\n#LEASE_TTL_S=7\n{line}\n"

    assert not box.looks(60.9)
    assert box.looks(61.0)


def test_look__when_the_shutdown_fails(box: Box) -> None:
    """It is said and tried again at each look, until it works."""
    box.shutdown = "exit 1"
    first, second = box.looks(TTL_S), box.looks(TTL_S + 60)
    said = box.do()
    box.shutdown = "exit 0"

    assert (first, second) == (True, True)
    assert said.returncode == 1
    assert "tried again" in said.stderr
    assert box.looks(TTL_S + 120)


def test_look__without_files_it_could_use(box: Box) -> None:
    """A folder that cannot be written, and a clock that fails, do not keep it from its work."""
    box.run.write_text("a file in the place of the folder")
    early = box.looks(TTL_S - 1)

    assert not early
    assert box.looks(TTL_S)


def test_look__that_cannot_note_the_lease(box: Box) -> None:
    """Then it asks the clock at each look, and does all else."""
    box.lease(BOOT + 2000)
    box.program("mv", "exit 1")
    early = box.looks(1999)

    assert not early
    assert box.looks(2000)


def test_look__without_a_clock_of_the_boot(box: Box) -> None:
    """What cannot tell the time does not stay on for ever."""
    box.do()
    (box.folder / "uptime").unlink()
    box.folder.joinpath("uptime").mkdir()
    environment = {
        "PATH": f"{box.folder / 'bin'}:{os.environ['PATH']}",
        "CURATION_RUN": str(box.run),
        "CURATION_UPTIME": str(box.folder / "uptime"),
    }
    subprocess.run([WATCHDOG], env=environment, capture_output=True, timeout=30, check=False)

    assert box.shutdowns() == 1


def test_keep__leaves_the_instance_on(box: Box) -> None:
    """A person at the instance keeps it for a while; a lease that is renewed takes nothing away."""
    box.uptime_s = 600
    said = box.do("keep", "90")
    box.lease(BOOT + 1200)

    assert said.returncode == 0
    assert "(5400 s from now)" in said.stdout
    assert not box.looks(600 + 5400 - 1)
    assert box.looks(600 + 5400)


@pytest.mark.parametrize("arguments", [("keep",), ("keep", "1h"), ("keep", "-5"), ("stay",)])
def test_usage__is_shown(arguments: tuple[str, ...], box: Box) -> None:
    """What is no command changes nothing and shows the usage."""
    said = box.do(*arguments)

    assert said.returncode == 64
    assert said.stderr.startswith("Usage: curation-watchdog")
    assert box.shutdowns() == 0


def test_install__arms_the_timer(tmp_path: Path) -> None:
    """The files are where systemd looks for them, and the timer is on, now and at each boot."""
    stand_ins = Path(__file__).parent / "stand_ins"
    path = f"{stand_ins}:{os.environ['PATH']}"
    said = subprocess.run(
        [ROOT / "deploy" / "instance" / "install.sh"],
        env={"PATH": path, "STAND_IN": str(tmp_path), "DESTDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    units = tmp_path / "etc" / "systemd" / "system"
    timer = (units / "curation-watchdog.timer").read_text()
    service = (units / "curation-watchdog.service").read_text()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert (tmp_path / "usr/local/sbin/curation-watchdog").read_text() == WATCHDOG.read_text()
    assert "OnBootSec=60\nOnUnitActiveSec=60\n" in timer
    assert "WantedBy=timers.target" in timer
    assert "ExecStart=/usr/local/sbin/curation-watchdog\n" in service
    assert calls[0] == "systemctl daemon-reload"
    assert calls[1] == "systemctl enable --now curation-watchdog.timer"
    assert said.stdout.startswith("On until ")


@pytest.mark.parametrize("script", ["run.sh", "engine.sh"])
@pytest.mark.parametrize("is_armed", [True, False])
def test_launch__says_when_nothing_watches(script: str, *, is_armed: bool, box: Box) -> None:
    """A worker on an instance without a watchdog is started all the same, with a loud warning."""
    box.program("systemctl", f'[ "$*" = "is-active --quiet {TIMER}" ] && exit {int(not is_armed)}')
    (box.folder / "instance.env").write_text("")

    said = subprocess.run(
        ["bash", ROOT / "deploy" / "instance" / script],
        env={
            "PATH": f"{box.folder / 'bin'}:{os.environ['PATH']}",
            "CURATION_SETTINGS": str(box.folder / "instance.env"),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ("WARNING: the watchdog is not armed." in said.stderr) is not is_armed
    assert "Set it in" in said.stderr  # it went on, to the settings that are missing here
