"""Shapes: what a network looks like, as settings and model folders write it down. Light to import.

Table 6 of the SegFormer paper (Xie et al. 2021) gives the widths and depths of B0 to B5.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from minemap_assets.errors import BadInputError
from minemap_assets.project.settings import StrictModel

Variant = Literal["tiny", "b0", "b1", "b2", "b3", "b4", "b5"]
Architecture = Literal["unet", "segformer"]
Encoder = Literal["plain", "efficientnet-lite0"]

Width = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[int, Field(ge=1, le=256)]
Heads = Annotated[int, Field(ge=1, le=256)]
Stride = Annotated[int, Field(ge=1, le=8)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]

REDUCTIONS = (8, 4, 2, 1)
"""Stride of the keys and values of attention in each of a SegFormer's stages."""

LITE0_CHANNELS = (16, 24, 40, 112, 320)
"""Channels that EfficientNet-Lite0 has at the strides 2, 4, 8, 16 and 32."""

_LITE0_WEIGHTS = (2_000, 19_000, 92_000, 820_000, 3_370_000)
"""About how many weights it has up to there."""


class UNetShape(StrictModel):
    """A U-Net (Ronneberger et al. 2015) with batch norm, whose stem may be strided.

    `widths` are channels a level, from the finest. `stem` is the stride before the first level. `detail` is the number
    of channels that go round the stem at the input's own resolution to the last layer, 0 = none: outlines are then as
    coarse as the stem's stride. `dropout` is the share of channels left out in the deeper half.

    `encoder` is what goes down: `plain` blocks, or the body of `efficientnet-lite0`, whose levels lie at the strides 2
    to 32. `widths` are then the decoder's alone, and `dropout` is that behind the deepest level.
    """

    architecture: Literal["unet"] = "unet"
    encoder: Encoder = "plain"
    widths: tuple[Width, ...] = Field((16, 32, 64, 96, 128), min_length=2, max_length=8)
    stem: Stride = 2
    detail: int = Field(8, ge=0, le=1024)
    dropout: Share = 0.1

    @model_validator(mode="after")
    def _consistent(self) -> "UNetShape":
        if self.encoder != "plain" and (len(self.widths) > len(LITE0_CHANNELS) or self.stem != 2):
            raise ValueError(
                f"the encoder {self.encoder} has {len(LITE0_CHANNELS)} levels behind a stem of 2: widths cannot have "
                f"{len(self.widths)} levels and stem be {self.stem}"
            )
        return self

    @property
    def parameters(self) -> int:
        """About how many weights: two 3 x 3 kernels a block, a block a level on the way down and one on the way up."""
        widths, skips = self.widths, self.widths
        if self.encoder == "plain":
            down = sum(9 * (a * b + b * b) for a, b in zip((widths[0], *widths), widths, strict=False))
        else:
            skips = LITE0_CHANNELS[: len(widths)]
            down = _LITE0_WEIGHTS[len(widths) - 1] + skips[-1] * widths[-1]
        up = sum(9 * ((s + b) * a + a * a) for s, a, b in zip(skips, widths, widths[1:], strict=False))
        return down + up + 9 * self.detail * (widths[0] + self.detail)


class SegformerShape(StrictModel):
    """A SegFormer of four stages, with `hidden_sizes` channels, `depths` blocks and `heads` of attention each.

    `strides` are those of the patch embeddings: margins come at the input's size divided by `strides[0]`, and are
    enlarged. `decoder_width` is the number of channels of the decoder. While it trains, `drop_path` is the share of
    blocks that are left out, and `dropout` that of the channels before the last layer.
    """

    architecture: Literal["segformer"] = "segformer"
    hidden_sizes: tuple[Width, Width, Width, Width] = (16, 32, 64, 128)
    depths: tuple[Depth, Depth, Depth, Depth] = (1, 1, 1, 1)
    heads: tuple[Heads, Heads, Heads, Heads] = (1, 2, 4, 8)
    strides: tuple[Stride, Stride, Stride, Stride] = (4, 2, 2, 2)
    decoder_width: int = Field(64, ge=8, le=4096)
    drop_path: Share = 0.1
    dropout: Share = 0.1

    @model_validator(mode="after")
    def _consistent(self) -> "SegformerShape":
        if any(size % heads for size, heads in zip(self.hidden_sizes, self.heads, strict=True)):
            raise ValueError(f"each of hidden_sizes {self.hidden_sizes} must be a multiple of its heads {self.heads}")
        return self

    @property
    def parameters(self) -> int:
        """About how many weights: in each block twelve times the stage's width squared, and the kernel that makes keys
        and values fewer.
        """
        stages = zip(self.hidden_sizes, self.depths, REDUCTIONS, strict=True)
        blocks = sum(depth * width * (width * (12 + (r * r if r > 1 else 0)) + 60) for width, depth, r in stages)
        joints = sum(9 * a * b for a, b in zip(self.hidden_sizes, self.hidden_sizes[1:], strict=False))
        return blocks + joints + self.decoder_width * (sum(self.hidden_sizes) + 4 * self.decoder_width)


NetworkShape = UNetShape | SegformerShape

ANY_SHAPE: TypeAdapter[NetworkShape] = TypeAdapter(Annotated[NetworkShape, Field(discriminator="architecture")])
"""Reads a shape of either kind."""

_WIDE, _NARROW = (64, 128, 320, 512), (32, 64, 160, 256)
_HEADS = (1, 2, 5, 8)

SEGFORMERS: dict[Variant, SegformerShape] = {
    "tiny": SegformerShape(drop_path=0.0),
    "b0": SegformerShape(hidden_sizes=_NARROW, depths=(2, 2, 2, 2), heads=_HEADS, decoder_width=256),
    "b1": SegformerShape(hidden_sizes=_WIDE, depths=(2, 2, 2, 2), heads=_HEADS, decoder_width=256),
    "b2": SegformerShape(hidden_sizes=_WIDE, depths=(3, 4, 6, 3), heads=_HEADS, decoder_width=768),
    "b3": SegformerShape(hidden_sizes=_WIDE, depths=(3, 4, 18, 3), heads=_HEADS, decoder_width=768),
    "b4": SegformerShape(hidden_sizes=_WIDE, depths=(3, 8, 27, 3), heads=_HEADS, decoder_width=768),
    "b5": SegformerShape(hidden_sizes=_WIDE, depths=(3, 6, 40, 3), heads=_HEADS, decoder_width=768),
}
"""The published sizes, and one for small machines; decoders are as wide as in the original."""

_FREE = frozenset({"decoder_width", "drop_path", "dropout"})
"""Fields of a shape that say nothing of the encoder's weights."""


def check_encoder(wanted: NetworkShape, found: NetworkShape, place: str) -> None:
    """Raise `BadInputError` where the weights of `place` are those of another encoder, with the settings that fit."""
    if wanted.architecture != found.architecture:
        raise BadInputError(
            f"the network of {place} is a {found.architecture}; set architecture to {found.architecture!r}"
        )
    ours, theirs = (shape.model_dump(exclude=set(_FREE)) for shape in (wanted, found))
    apart = [name for name in theirs if theirs[name] != ours[name]]
    if apart:
        size = next((v for v, shape in SEGFORMERS.items() if shape.model_dump(exclude=set(_FREE)) == theirs), None)
        advice = f"variant to {size!r}" if size else " and ".join(f"{n} to {_toml(theirs[n])}" for n in apart)
        raise BadInputError(
            f"the network of {place} has {apart[0]} {_toml(theirs[apart[0]])}, and this one {_toml(ours[apart[0]])}; "
            f"set {advice}"
        )


def _toml(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
