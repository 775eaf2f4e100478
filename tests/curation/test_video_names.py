"""Names that are safe wherever they go."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.video_names import SUFFIX_OF, VIDEO_SUFFIXES, object_uri, safe_name

MIMES = st.sampled_from([*SUFFIX_OF, "video/unheard-of"])


@given(name=st.text(), mime=MIMES)
def test_safe_name__is_safe_whatever_it_is_made_of(name: str, mime: str) -> None:
    """A name is short, of the safe alphabet, begins with no dot or dash and ends like a video."""
    safe = safe_name(name, mime)

    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}\.[A-Za-z0-9]{2,4}", safe)
    assert "." + safe.rpartition(".")[2].lower() in VIDEO_SUFFIXES
    assert safe_name(name, mime) == safe


@given(
    name=st.from_regex(
        r"[A-Za-z0-9]([A-Za-z0-9._-]{0,50}[A-Za-z0-9])?\.(mp4|MOV|mkv)", fullmatch=True
    )
)
def test_safe_name__leaves_a_safe_name_alone(name: str) -> None:
    """A name that is safe already stays what it is, so that people find it again."""
    assert safe_name(name, "video/mp4") == name


@pytest.mark.parametrize(
    ("name", "mime", "safe"),
    [
        ("my clip.mp4", "video/mp4", "my_clip.mp4"),
        ("../../etc/passwd", "video/mp4", "etc_passwd.mp4"),
        ("..\\..\\clip.MP4", "video/mp4", "clip.MP4"),
        (".mp4", "video/mp4", "mp4.mp4"),
        ("", "video/webm", "video.webm"),
        ("\u52d5\u753b.mkv", "video/x-matroska", "video.mkv"),
        ("download.php", "video/quicktime", "download.php.mov"),
        ("clip.mp4\0.exe", "video/mp4", "clip.mp4_.exe.mp4"),
        ("caf\u00e9 \udce9.mp4", "video/mp4", "caf.mp4"),
        ("a" * 300 + ".mp4", "video/mp4", "a" * 100 + ".mp4"),
    ],
)
def test_safe_name__of_bad_names(name: str, mime: str, safe: str) -> None:
    """What cannot stay becomes an underscore; the ending stays, or the content decides it."""
    assert safe_name(name, mime) == safe


def test_object_uri__lies_in_the_run_s_own_folder() -> None:
    """No two runs share a key, whatever their videos are called."""
    assert object_uri("s3://in/raw/", "run-1", "a.mp4") == "s3://in/raw/run-1/a.mp4"
