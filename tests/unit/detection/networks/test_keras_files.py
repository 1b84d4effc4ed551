"""Published weights: the scores that TensorFlow gave on real scenes, and files that hold something else."""

import json
import os
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_weights import random_network, write_ensemble, write_sequential
from minemap_assets.detection.networks.keras_files import read_keras
from minemap_assets.detection.networks.patch_networks import PatchNetwork
from minemap_assets.detection.networks.shapes import Group, PatchShape, published_2024, published_2026
from minemap_assets.detection.scoring import PatchScorer
from minemap_assets.errors import BadInputError

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B08", "B09", "B11", "B12")
"""The order of the published ensemble."""

SCENES = {
    "beihai_2016-12-09": "beihai/imgs_1",
    "beihai_2018-03-09": "beihai/imgs_2",
    "brasilia_1": "brasilia/imgs_1",
}


def data() -> Path:
    """The folder of real data."""
    if "MINEMAP_TEST_DATA" not in os.environ:
        pytest.skip("MINEMAP_TEST_DATA names no folder of real data")
    return Path(os.environ["MINEMAP_TEST_DATA"])


def published(name: str) -> Path:
    """A file of published weights by a part of its name."""
    (found,) = (data() / "earth-genome-detector" / "models").glob(f"*{name}*.h5")
    return found


def scene(folder: Path) -> np.ndarray:
    """Reflectance (band, row, column) on the 10 m grid, coarser bands by the nearest pixel."""
    files = {band: next(folder.glob(f"*_{band}.tif")) for band in BANDS}
    with rasterio.open(files["B04"]) as finest:
        (height, width), there = finest.shape, finest.transform
    eastings, northings = there.c + (np.arange(width) + 0.5) * there.a, there.f + (np.arange(height) + 0.5) * there.e
    layers = []
    for band in BANDS:
        with rasterio.open(files[band]) as source:
            pixels, own = source.read(1), source.transform
        columns = np.clip((eastings - own.c) / own.a, 0, pixels.shape[1] - 1).astype(int)
        rows = np.clip((northings - own.f) / own.e, 0, pixels.shape[0] - 1).astype(int)
        layers.append(pixels[np.ix_(rows, columns)])
    return np.clip(np.stack(layers).astype(np.float32) / 10_000, 0.0, 1.0)


def scores_and_golden(name: str, *, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ours and the published detector's (patch, member); patch after patch, or with what they share computed once."""
    golden = np.load(data() / "earth-genome-detector" / "golden" / f"scores_v3.2-3.7ensemble_{name}.npz")
    rows, columns = golden["row"].astype(np.int64), golden["col"].astype(np.int64)
    pixels = scene(data() / "oscd-sentinel2-l1c" / SCENES[name])[:, : rows.max() + 48, : columns.max() + 48]
    networks = read_keras(published("ensemble"))
    if shared:
        return PatchScorer(networks, "cpu").scores(pixels, rows, columns), golden["scores"]
    patches = np.stack([pixels[:, r : r + 48, c : c + 48] for r, c in zip(rows, columns, strict=True)])
    with torch.inference_mode():
        members = [torch.cat([one(part) for part in torch.from_numpy(patches).split(64)]) for one in networks]
    return torch.stack(members, 1).sigmoid().numpy(), golden["scores"]


@pytest.mark.parametrize("name", SCENES)
def test_every_member_scores_real_scenes_as_the_published_detector_does(name: str) -> None:
    ours, theirs = scores_and_golden(name, shared=True)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-5


def test_patch_after_patch_scores_are_the_same_too() -> None:
    ours, theirs = scores_and_golden("brasilia_1", shared=False)
    assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "pixels", "bands", "parameters"), [("v4.21", 48, 13, 116_865), ("v2.6_rgb", 44, 3, 113_954)]
)
def test_other_published_networks_are_read_and_run(name: str, pixels: int, bands: int, parameters: int) -> None:
    (network,) = read_keras(published(name))
    assert (network.shape.pixels, network.shape.bands) == (pixels, bands)
    assert sum(one.numel() for one in network.parameters()) == parameters
    with torch.inference_mode():
        scores = network(torch.full((2, bands, pixels, pixels), 0.1))
    assert scores.shape == (2,)
    assert scores.isfinite().all()


@pytest.mark.parametrize(("shape", "parameters"), [(published_2024(), 116_577), (published_2026(), 787_585)])
def test_networks_have_the_published_number_of_parameters(shape: object, parameters: int) -> None:
    network = PatchNetwork(shape)  # type: ignore[arg-type]
    kept = (*network.parameters(), *(one for name, one in network.named_buffers() if "num_batches" not in name))
    assert sum(one.numel() for one in kept) == parameters  # Keras counts the means and spreads of batch norms as well


shapes = st.builds(
    PatchShape,
    pixels=st.integers(16, 24),
    bands=st.integers(1, 5),
    groups=st.lists(
        st.builds(Group, filters=st.integers(1, 6), convolutions=st.integers(1, 2), pool=st.integers(2, 3)),
        min_size=1,
        max_size=2,
    ).map(tuple),
    dense=st.lists(st.integers(1, 8), max_size=2).map(tuple),
    outputs=st.sampled_from([1, 2]),
    normalised=st.booleans(),
)


@settings(max_examples=20, deadline=None)
@given(shapes, st.integers(1, 3), st.integers(0, 2**31))
def test_any_such_network_comes_back_as_it_was(shape: PatchShape, members: int, seed: int) -> None:
    networks = [random_network(shape, seed + number) for number in range(members)]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "weights.h5"
        if members == 1:
            write_sequential(networks[0], path)
        else:
            write_ensemble(networks, path)
        found = read_keras(path)
    patches = torch.rand(2, shape.bands, shape.pixels, shape.pixels)
    with torch.inference_mode():
        for ours, theirs in zip(found, networks, strict=True):
            assert ours.shape == theirs.shape.model_copy(update={"dropout": ours.shape.dropout})
            assert torch.equal(ours(patches), theirs(patches))


def keras_file(path: Path, layers: list[dict[str, object]]) -> Path:
    """A file in Keras' form, with these layers and no weights."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        file.create_group("model_weights")
    return path


def layer(kind: str, **config: object) -> dict[str, object]:
    """One layer of such a file."""
    return {"class_name": kind, "config": {"name": kind.lower(), **config}}


INPUT = layer("InputLayer", batch_input_shape=[None, 48, 48, 12])
CONVOLUTION = layer("Conv2D", kernel_size=[3, 3], padding="same", activation="relu", filters=8)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([INPUT, layer("LSTM")], "a layer of LSTM"),
        ([INPUT, layer("Conv2D", kernel_size=[5, 5])], r"convolutions of \[5, 5\]"),
        ([INPUT, CONVOLUTION, layer("Flatten")], "no pooling follows"),
        ([layer("InputLayer", batch_input_shape=[None, 48, 40, 12])], "48 x 40 pixels"),
    ],
)
def test_another_architecture_is_refused_in_one_sentence(tmp_path: Path, layers: list[object], says: str) -> None:
    with pytest.raises(BadInputError, match=f"another architecture .*{says}"):
        read_keras(keras_file(tmp_path / "other.h5", layers))  # type: ignore[arg-type]


def test_a_file_that_is_none_of_keras_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "some.h5"
    path.write_bytes(b"no weights")
    with pytest.raises(BadInputError, match="holds no network that Keras saved"):
        read_keras(path)
