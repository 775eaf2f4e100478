"""What the engine accepts of a video: pixels and frames, checked before they cost anything."""

from __future__ import annotations

from curation.errors import RequestError

# 8K film, upright or not. JPEG itself ends at 65,500 pixels a side.
MAX_SIDE_PIXELS = 16_384
MAX_PIXELS = 8_192 * 4_320
# 2.3 hours at 30 frames a second. An embedding takes 0.9 KiB, or 2.5 KiB of a network with 1280.
MAX_FRAMES = 250_000
# Full HD of this size takes one core some two hours, of the six that a run has.
MAX_TOTAL_PIXELS = 10**12


def check_limits(width: int, height: int, n_frames: int, *, name: str) -> None:
    """Refuses a video that would take more time or memory than any real one.

    Raises:
        RequestError: If a picture is too large or there are too many of them.
    """
    pixels = width * height
    n_accepted = min(MAX_FRAMES, MAX_TOTAL_PIXELS // max(pixels, 1))
    if not pixels:
        # FFmpeg keeps a size that is beyond the limit it was given to itself.
        raise _beyond(name, f"frames without a size, or of more than {MAX_PIXELS:,} pixels")
    if max(width, height) > MAX_SIDE_PIXELS or pixels > MAX_PIXELS:
        limit = f"at most {MAX_PIXELS:,} pixels, {MAX_SIDE_PIXELS:,} a side, are accepted"
    elif n_frames > n_accepted:
        limit = f"at most {n_accepted:,} of these are accepted"
    else:
        return
    raise _beyond(
        name, f"frames of {width} x {height} pixels, {n_frames:,} or more of them; {limit}"
    )


def _beyond(name: str, what: str) -> RequestError:
    message = f"{name!r} has {what}. Send a smaller video, or cut it into pieces."
    return RequestError(message, code="source:beyond-limits")
