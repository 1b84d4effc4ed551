"""Shapes of patch networks, as files and settings write them down. Light to import.

Both published architectures of Amazon Mining Watch are shapes of one network: groups of convolutions with a pooling
layer after each, then dense layers (mining-detector, commit bbbcb2d; model_config of its .h5 files).
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from minemap_assets.project.settings import StrictModel

Pixels = Annotated[int, Field(ge=8, le=512)]
Bands = Annotated[int, Field(ge=1, le=256)]


class Group(StrictModel):
    """Convolutions of 3 x 3 pixels with ReLU, and the pooling after them."""

    filters: int = Field(ge=1, le=1024)
    convolutions: int = Field(ge=1, le=16)
    pool: int = Field(ge=1, le=8)


class PatchShape(StrictModel):
    """What a published network looks like. `normalised`: a batch norm follows each ReLU. With two `outputs` the network
    weighs "mine" (the second) against "other".
    """

    kind: Literal["published"] = "published"
    pixels: Pixels
    bands: Bands
    groups: tuple[Group, ...] = Field(min_length=1)
    dense: tuple[Annotated[int, Field(ge=1, le=4096)], ...]
    outputs: Literal[1, 2] = 1
    normalised: bool = False
    dropout: float = Field(0.3, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _something_left(self) -> "PatchShape":
        if not self.deepest:
            raise ValueError(f"nothing is left of {self.pixels} pixels after {len(self.groups)} poolings")
        return self

    @property
    def deepest(self) -> int:
        """Pixels on a side after the last pooling."""
        side = self.pixels
        for group in self.groups:
            side //= group.pool
        return side


class EncoderShape(StrictModel):
    """A network of our own: the first `levels` of an encoder, over the patch enlarged `enlarge` times, the mean and the
    largest of each feature, one dense layer. `mean` and `spread` are those of the bands' physical numbers.
    """

    kind: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    pixels: Pixels
    bands: Bands
    levels: int = Field(4, ge=1, le=5)
    enlarge: int = Field(2, ge=1, le=4)
    dropout: float = Field(0.2, ge=0.0, lt=1.0)
    mean: tuple[float, ...]
    spread: tuple[Annotated[float, Field(gt=0.0)], ...]


NetworkShape = PatchShape | EncoderShape

ANY_SHAPE: TypeAdapter[NetworkShape] = TypeAdapter(Annotated[NetworkShape, Field(discriminator="kind")])
"""Reads a shape of either kind."""

PIXELS = 48
SMALL = tuple(Group(filters=32, convolutions=3, pool=pool) for pool in (2, 2, 3))
LARGE = tuple(Group(filters=filters, convolutions=3, pool=2) for filters in (32, 64, 128))
DENSE = (64, 64, 32)


def published_2024(bands: int = 12) -> PatchShape:
    """The members of v3.2 to v3.7, and v4.21 with 13 bands."""
    return PatchShape(pixels=PIXELS, bands=bands, groups=SMALL, dense=DENSE)


def published_2026(bands: int = 13) -> PatchShape:
    """The wider network with batch norms."""
    return PatchShape(pixels=PIXELS, bands=bands, groups=LARGE, dense=DENSE, normalised=True)
