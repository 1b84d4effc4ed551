"""Networks written and read again: minemap's own folders, those of format 1, and what transformers writes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.networks.files import load_networks, save_networks
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.pretrained import quiet
from minemap_assets.segmentation.networks.segformer import Segformer
from minemap_assets.segmentation.networks.shapes import NetworkShape

from .conftest import SMALL_SEGFORMER, SMALL_SHAPES, SMALL_UNET, margins, seeded, shaken

THEIRS: dict[str, Any] = {
    "hidden_sizes": [8, 16, 16, 24],
    "num_attention_heads": [1, 2, 2, 3],
    "depths": [1, 2, 1, 1],
    "decoder_hidden_size": 16,
    "num_channels": 4,
    "num_labels": 2,
}


def by_transformers(
    folder: Path, dtype: torch.dtype = torch.float32, **changes: Any
) -> SegformerForSemanticSegmentation:
    """A segmentation model that transformers itself made and wrote."""
    torch.manual_seed(0)
    model = SegformerForSemanticSegmentation(SegformerConfig(**(THEIRS | changes))).eval()
    torch.nn.init.normal_(next(model.decode_head.classifier.parameters()), std=1.0)
    shaken(model)
    with quiet():
        model.to(dtype).save_pretrained(folder)
    return model.float()


def margin_of(model: SegformerForSemanticSegmentation, inputs: torch.Tensor) -> torch.Tensor:
    """The difference of both classes' logits at the input's size, as transformers would be used by hand."""
    with torch.inference_mode():
        logits = model(pixel_values=inputs).logits
        fine = torch.nn.functional.interpolate(logits, size=inputs.shape[-2:], mode="bilinear", align_corners=False)
    return fine[:, 1] - fine[:, 0]


def by_format_1(folder: Path) -> SegformerForSemanticSegmentation:
    """What minemap wrote before there were other networks."""
    torch.manual_seed(0)
    model = SegformerForSemanticSegmentation(SegformerConfig(**THEIRS)).eval()
    model.config.to_json_file(folder / "config.json", use_diff=True)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "weights.safetensors")
    return model


def rewritten(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(facts | changes))


@pytest.mark.parametrize("shape", SMALL_SHAPES)
def test_members_are_read_as_they_were_written(shape: NetworkShape, tmp_path: Path) -> None:
    networks = [seeded(shape, seed=seed) for seed in range(3)]
    save_networks(networks, tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["config.json", *(f"weights-{member}.safetensors" for member in range(3))]
    before = torch.get_rng_state()
    found = load_networks(tmp_path, 4)
    assert torch.equal(torch.get_rng_state(), before)
    inputs = torch.randn(1, 4, 40, 48)
    assert [n.shape for n in found] == [shape] * 3
    assert not any(n.training for n in found)
    for one, other in zip(networks, found, strict=True):
        assert torch.equal(margins(one, inputs), margins(other, inputs))
        assert all(p.requires_grad for p in other.parameters())


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_SEGFORMER])
def test_the_same_networks_are_the_same_bytes(shape: NetworkShape, tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        save_networks([seeded(shape)], tmp_path / place)
    save_networks(load_networks(tmp_path / "two"), tmp_path / "two")
    for name in ("config.json", "weights-0.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_segformers_weights_lie_under_the_names_of_transformers_own_files(tmp_path: Path) -> None:
    network = seeded(SMALL_SEGFORMER)
    assert isinstance(network, Segformer)
    save_networks([network], tmp_path)
    with quiet():
        network.inner.save_pretrained(tmp_path / "theirs")
    assert (
        load_file(tmp_path / "weights-0.safetensors").keys() == load_file(tmp_path / "theirs/model.safetensors").keys()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_checkpoint_of_transformers_gives_its_logits(dtype: torch.dtype, tmp_path: Path) -> None:
    theirs = by_transformers(tmp_path, dtype)
    (found,) = load_networks(tmp_path, 4)
    inputs = torch.randn(2, 4, 65, 96)
    expected = margin_of(theirs, inputs)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(margins(found, inputs), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(margins(found.folded(), inputs), expected, atol=1e-5, rtol=0)


def test_a_checkpoint_may_have_its_weights_in_another_file(tmp_path: Path) -> None:
    theirs = by_transformers(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "weights.safetensors")
    inputs = torch.randn(1, 4, 64, 64)
    torch.testing.assert_close(
        margins(load_networks(tmp_path)[0], inputs), margin_of(theirs, inputs), atol=1e-5, rtol=0
    )


def test_what_was_read_from_transformers_is_written_as_minemaps_own(tmp_path: Path) -> None:
    by_transformers(tmp_path)
    (found,) = load_networks(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    save_networks([found], own)
    inputs = torch.randn(1, 4, 64, 64)
    assert torch.equal(margins(load_networks(own)[0], inputs), margins(found, inputs))


def test_a_model_of_format_1_is_still_read(tmp_path: Path) -> None:
    theirs = by_format_1(tmp_path)
    inputs = torch.randn(1, 4, 64, 64)
    (found,) = load_networks(tmp_path, 4)
    torch.testing.assert_close(margins(found, inputs), margin_of(theirs, inputs), atol=1e-5, rtol=0)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_networks([seeded(SMALL_SEGFORMER)], tmp_path)
    load_networks(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_channels": 3}, "reads 3 bands, and 4 are needed$"),
        ({"num_labels": 150}, "has 150 classes; minemap needs two: 0 is other, 1 is mine$"),
        ({"id2label": {0: "mine", 1: "background"}}, "class 0 of .* is 'mine'; minemap needs the mine as class 1$"),
        ({"sr_ratios": [4, 4, 2, 1]}, r"has sr_ratios \[4, 4, 2, 1\]; minemap's have \[8, 4, 2, 1\]$"),
        ({"hidden_act": "relu"}, "has hidden_act relu; minemap's have gelu$"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    by_transformers(tmp_path, **changes)
    with pytest.raises(BadInputError, match=sentence) as caught:
        load_networks(tmp_path, 4)
    assert "\n" not in str(caught.value)


UNFIT = "lacking, damaged, or do not fit config.json; train, import or promote the model again$"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: rewritten(f, hidden_sizes=[8, 16, 16, 48]), UNFIT),
        (lambda f: rewritten(f, depths=[1, 2, 2, 1]), UNFIT),
        (lambda f: rewritten(f, num_channels=3), UNFIT),
        (lambda f: rewritten(f, depths="all"), "describes no SegFormer$"),
        (lambda f: rewritten(f, hidden_sizes=[8, 16, 16]), "describes no SegFormer$"),
        (lambda f: rewritten(f, model_type="bert"), "a model of the type 'bert'; minemap reads SegFormers"),
        (lambda f: (f / "model.safetensors").unlink(), UNFIT),
        (lambda f: (f / "model.safetensors").write_bytes(b"\0" * 100), UNFIT),
        (lambda f: (f / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), "describes no network"),
        (lambda f: (f / "config.json").unlink(), "holds no model: it has no config.json$"),
    ],
    ids=[
        "width",
        "depth",
        "bands",
        "text for numbers",
        "three stages",
        "another model",
        "no weights",
        "zeros for weights",
        "half a config",
        "a list",
        "no config",
    ],
)
def test_a_damaged_checkpoint_of_transformers_is_one_sentence(
    damage: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    by_transformers(tmp_path)
    damage(tmp_path)
    with pytest.raises(BadInputError, match=sentence) as caught:
        load_networks(tmp_path, 4)
    assert "\n" not in str(caught.value)


def weights_of(other: MineNetwork) -> Callable[[Path], object]:
    def put(folder: Path) -> None:
        beside = folder.parent / "beside"
        beside.mkdir()
        save_networks([other], beside)
        shutil.copy(beside / "weights-0.safetensors", folder / "weights-1.safetensors")

    return put


def cut(folder: Path) -> None:
    path = folder / "weights-1.safetensors"
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_SEGFORMER])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut, UNFIT),
        (weights_of(seeded(SMALL_UNET.model_copy(update={"widths": (4, 6, 9)}))), UNFIT),
        (weights_of(seeded(SMALL_SEGFORMER.model_copy(update={"decoder_width": 24}))), UNFIT),
        (lambda f: (f / "weights-1.safetensors").unlink(), "lacks weights-1.safetensors; train"),
        (lambda f: rewritten(f, members=0), "lacks weights-0.safetensors; train"),
        (lambda f: rewritten(f, members=10**9), "lacks weights-2.safetensors; train"),
        (lambda f: rewritten(f, members="two"), "describes no network"),
        (lambda f: rewritten(f, bands=0), "describes no network"),
        (lambda f: rewritten(f, bands=5), UNFIT),
        (lambda f: rewritten(f, network={"architecture": "vgg"}), "describes no network"),
        (lambda f: rewritten(f, network={"architecture": "unet", "widths": [-1, 2]}), "describes no network"),
    ],
    ids=[
        "cut off",
        "another U-Net",
        "another SegFormer",
        "no file",
        "no member",
        "too many members",
        "text for members",
        "no bands",
        "other bands",
        "another network",
        "a width below zero",
    ],
)
def test_a_damaged_model_folder_is_one_sentence(
    shape: NetworkShape, damage: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_networks([seeded(shape), seeded(shape, seed=1)], folder)
    damage(folder)
    with pytest.raises(BadInputError, match=sentence) as caught:
        load_networks(folder)
    assert "\n" not in str(caught.value)


def test_networks_of_other_bands_are_refused(tmp_path: Path) -> None:
    save_networks([seeded(SMALL_UNET, bands=3)], tmp_path)
    with pytest.raises(BadInputError, match=r"reads 3 bands, and 4 are needed$"):
        load_networks(tmp_path, 4)
