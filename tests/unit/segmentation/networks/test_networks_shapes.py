"""Shapes: what a network looks like, and how many weights it has."""

import pytest
import torch
from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.networks.files import build
from minemap_assets.segmentation.networks.shapes import (
    ANY_SHAPE,
    SEGFORMERS,
    NetworkShape,
    SegformerShape,
    UNetShape,
    check_encoder,
)

LITE = UNetShape(encoder="efficientnet-lite0")
UNETS = [
    UNetShape(),
    UNetShape(widths=(8, 16)),
    UNetShape(widths=(24, 48, 96, 128, 160), stem=4, detail=0),
    UNetShape(stem=1, detail=64),
    UNetShape(widths=(16,) * 8),
    UNetShape(widths=(128, 8, 8), stem=3),
    LITE,
    UNetShape(encoder="efficientnet-lite0", widths=(64, 64)),
    UNetShape(encoder="efficientnet-lite0", widths=(8, 8, 8, 8), detail=0),
]
PUBLISHED = {"b0": 3.7, "b1": 13.7, "b2": 27.4, "b3": 47.2, "b4": 64.0, "b5": 84.6}
"""Millions of weights with the decoders of the original (Xie et al. 2021, table 1: 3.8 to 84.7)."""


@pytest.mark.parametrize(
    "shape",
    [*SEGFORMERS.values(), *UNETS, SegformerShape(hidden_sizes=(8, 8, 16, 16), heads=(1, 1, 2, 2), decoder_width=16)],
)
def test_the_estimate_of_weights_is_within_a_fifth(shape: NetworkShape) -> None:
    with torch.device("meta"):
        network = build(shape, 4)
    assert shape.parameters == pytest.approx(sum(p.numel() for p in network.parameters()), rel=0.2)


def test_the_published_sizes_are_those_of_the_paper() -> None:
    for variant, millions in PUBLISHED.items():
        with torch.device("meta"):
            network = build(SEGFORMERS[variant], 3)  # type: ignore[index]
        assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("shape", [UNetShape(), LITE, SegformerShape()])
def test_shapes_are_written_and_read(shape: NetworkShape) -> None:
    assert ANY_SHAPE.validate_python(shape.model_dump(mode="json")) == shape


@pytest.mark.parametrize(
    ("kind", "facts", "sentence"),
    [
        (UNetShape, {"encoder": "efficientnet-lite0", "widths": (8,) * 6}, "has 5 levels behind a stem of 2"),
        (UNetShape, {"encoder": "efficientnet-lite0", "stem": 4}, "has 5 levels behind a stem of 2"),
        (SegformerShape, {"hidden_sizes": (16, 32, 64, 100)}, "must be a multiple of its heads"),
    ],
)
def test_what_does_not_go_together_is_refused(kind: type, facts: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        kind.model_validate(facts)


@pytest.mark.parametrize(
    ("wanted", "found", "sentence"),
    [
        (SEGFORMERS["b0"], SEGFORMERS["b5"], r"has hidden_sizes \[64, 128, 320, 512\], .* set variant to 'b5'$"),
        (
            SEGFORMERS["b0"],
            SegformerShape(hidden_sizes=(32, 64, 160, 256), heads=(1, 2, 5, 8), depths=(2, 2, 2, 3)),
            r"set depths to \[2, 2, 2, 3\]$",
        ),
        (UNetShape(), SEGFORMERS["b0"], "is a segformer; set architecture to 'segformer'$"),
        (UNetShape(), UNetShape(detail=4, widths=(4, 8)), r"set widths to \[4, 8\] and detail to 4$"),
    ],
)
def test_another_encoder_is_refused_with_the_settings_that_fit(
    wanted: NetworkShape, found: NetworkShape, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        check_encoder(wanted, found, "x")


def test_the_decoder_and_what_is_left_out_are_no_part_of_the_encoder() -> None:
    check_encoder(SEGFORMERS["b0"], SEGFORMERS["b0"].model_copy(update={"decoder_width": 8, "drop_path": 0.0}), "x")
    check_encoder(UNetShape(), UNetShape(dropout=0.0), "x")
