"""Any ONNX file that maps a picture to numbers can be the embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from curation.engine.embedders.model_file import ModelFileEmbedder
from curation.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SIDE = 8
CHANNELS_FIRST = (1, 3, SIDE, SIDE)
CHANNELS_LAST = (1, SIDE, SIDE, 3)


def write_model(
    path: Path,
    shape: Sequence[int | str],
    *,
    kind: int = TensorProto.FLOAT,
    metadata: Mapping[str, str] | None = None,
    inputs: int = 1,
) -> Path:
    """Writes a model that gives back the picture it is fed, as decimals."""
    names = [f"in{number}" for number in range(inputs)]
    graph = helper.make_graph(
        [helper.make_node("Cast", names[:1], ["out"], to=TensorProto.FLOAT)],
        "echo",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name in names],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    path.write_bytes(model.SerializeToString())
    return path


def unit(values: Any) -> Any:  # noqa: ANN401  # arrays of any shape
    """Returns an array at length 1."""
    return np.asarray(values) / np.linalg.norm(values)


@pytest.fixture
def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A picture in which red, green and blue differ."""
    return np.full((SIDE, SIDE, 3), (250, 100, 20), np.uint8)


def test_embed__feeds_imagenets_statistics(tmp_path: Path, picture: Any) -> None:  # noqa: ANN401  # an array
    """A model with decimals gets (value / 255 - mean) / std, channels first, and D = channels."""
    embedder = ModelFileEmbedder(write_model(tmp_path / "x.onnx", CHANNELS_FIRST), device="cpu")

    embedding = embedder.embed(picture)

    fed = (np.array([250, 100, 20]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert (embedder.size, embedder.n_features) == (SIDE, 3)
    assert embedding == pytest.approx(unit(fed), abs=1e-5)


def test_embed__feeds_what_the_metadata_says(tmp_path: Path, picture: Any) -> None:  # noqa: ANN401  # an array
    """Mean, deviation and side come from the model where it has them."""
    metadata = {"mean": "0, 0, 0", "std": "1, 2, 4", "size": str(SIDE)}
    path = write_model(tmp_path / "x.onnx", (1, 3, "h", "w"), metadata=metadata)

    embedding = ModelFileEmbedder(path, device="cpu").embed(picture)

    assert embedding == pytest.approx(unit([250, 50, 5]), abs=1e-5)


def test_embed__feeds_bytes_as_they_are(tmp_path: Path, picture: Any) -> None:  # noqa: ANN401  # an array
    """A model with bytes does its own preprocessing."""
    path = write_model(tmp_path / "x.onnx", CHANNELS_LAST, kind=TensorProto.UINT8)
    embedder = ModelFileEmbedder(path, device="cpu")

    # The first axis counts as D, and of the rest the mean is taken.
    assert embedder.n_features == SIDE
    assert embedder.embed(picture) == pytest.approx(unit(np.ones(SIDE)), abs=1e-5)


def test_identity__follows_the_content(tmp_path: Path) -> None:
    """Another model under the same name is another identity."""
    path = tmp_path / "x.onnx"
    first = ModelFileEmbedder(write_model(path, CHANNELS_FIRST), device="cpu").identity
    same = ModelFileEmbedder(path, device="cpu").identity
    other = ModelFileEmbedder(write_model(path, CHANNELS_LAST), device="cpu").identity

    assert first == same
    assert first != other
    assert first.startswith("x/")


@pytest.mark.parametrize(
    ("shape", "arguments", "reason"),
    [
        ((1, SIDE, SIDE, 4), {}, "one picture of bytes or float32 must be its input"),
        ((1, SIDE), {}, "one picture of bytes or float32 must be its input"),
        (CHANNELS_FIRST, {"kind": TensorProto.INT64}, "not in0 tensor\\(int64\\)"),
        (CHANNELS_FIRST, {"inputs": 2}, "not in0 .*, in1"),
        ((1, 3, 8, 16), {}, "its pictures have sides"),
        ((1, 3, "h", "w"), {"metadata": {"size": "9999"}}, "its pictures have sides"),
        (CHANNELS_FIRST, {"metadata": {"mean": "0.5"}}, "'mean' is '0.5', not three numbers"),
        (CHANNELS_FIRST, {"metadata": {"std": "1,0,1"}}, "'std' is '1,0,1', not three numbers"),
        ((2, 3, SIDE, SIDE), {}, "a picture of 8 pixels a side fails"),
    ],
)
def test_model_file__that_does_not_fit(
    shape: tuple[int | str, ...], arguments: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """A model that cannot be fed one picture is refused at the start, with what is wrong."""
    path = write_model(tmp_path / "x.onnx", shape, **arguments)

    with pytest.raises(OperatorError, match=reason) as caught:
        ModelFileEmbedder(path, device="cpu")

    assert caught.value.code == "config:engine-embedder"


def test_model_file__that_is_no_model(tmp_path: Path) -> None:
    """A missing file and one that is something else are named."""
    text = tmp_path / "text.onnx"
    text.write_text("not a network", encoding="utf-8")

    for path, reason in ((tmp_path / "none.onnx", "No such file"), (text, "text.onnx")):
        with pytest.raises(OperatorError, match=reason):
            ModelFileEmbedder(path, device="cpu")
