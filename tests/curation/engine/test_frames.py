from __future__ import annotations

import io

import numpy as np
import pytest

from curation.engine.frames import Frames


def some_frames(n: int, *, first: int = 0) -> Frames:
    """N frames whose every value is another."""
    dice = np.random.default_rng(first)
    return Frames(
        timestamps_s=(first + np.arange(n)) / 25,
        embeddings=dice.normal(size=(n, 8)).astype(np.float16),
        is_key=dice.random(n) < 0.3,
        is_corrupt=dice.random(n) < 0.3,
        n_errors=dice.integers(0, 3, n, np.int32),
        sharpness=dice.random(n, np.float32),
        luminance=dice.random(n, np.float32),
        thumbnails=[b"picture %d" % i if i % 2 else b"" for i in range(first, first + n)],
    )


def assert_equal(expected: Frames, actual: Frames) -> None:
    """Every value, type and shape is the same."""
    assert list(expected.thumbnails) == list(actual.thumbnails)
    for name in vars(expected):
        if name != "thumbnails":
            np.testing.assert_array_equal(getattr(expected, name), getattr(actual, name))
            assert getattr(expected, name).dtype == getattr(actual, name).dtype


@pytest.mark.parametrize("n", [0, 1, 7])
def test_to_npz__comes_back(n: int) -> None:
    """A file of frames gives back the same frames, also when there are none."""
    frames = some_frames(n)

    assert_equal(frames, Frames.from_npz(frames.to_npz()))


def test_to_npz__is_the_same_each_time() -> None:
    """The same frames make the same file, so that two engines' files can be compared."""
    assert some_frames(5).to_npz() == some_frames(5).to_npz()


def test_from_npz__refuses_what_is_no_such_file() -> None:
    """Text, half a file, and a file that would run code when read."""
    pickled = io.BytesIO()
    np.savez(pickled, timestamps_s=np.array([object()], object))

    for content in (b"", b"text", some_frames(5).to_npz()[:400], pickled.getvalue()):
        with pytest.raises(ValueError):  # noqa: PT011  # numpy's own text differs by case
            Frames.from_npz(content)


def test_concatenate__keeps_order_and_types() -> None:
    """Parts become one, in their order; an empty part adds nothing."""
    parts = [some_frames(3), some_frames(0, first=3), some_frames(4, first=3)]

    frames = Frames.concatenate(iter(parts))

    assert len(frames) == 7
    assert frames.timestamps_s.tolist() == [i / 25 for i in range(7)]
    for part, start in zip(parts, (0, 3, 3), strict=True):
        rows = slice(start, start + len(part))
        assert frames.thumbnails[rows] == part.thumbnails
        np.testing.assert_array_equal(part.embeddings, frames.embeddings[rows])
        np.testing.assert_array_equal(part.n_errors, frames.n_errors[rows])
    assert frames.embeddings.dtype == np.float16
