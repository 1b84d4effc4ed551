"""What an archive's index says: one feature an image, as GeoJSON in the manner of STAC."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import shapely
from pydantic import AfterValidator, Field, ValidationError, field_validator
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.addresses import check_href
from minemap_assets.imagery.files.cloud_rules import CloudRule, parse_rule
from minemap_assets.imagery.products import Product
from minemap_assets.imagery.seasons import Season
from minemap_assets.messages import explain
from minemap_assets.project.settings import StrictModel

_SHOWN = 120
"""Characters of somebody else's error."""

_FARTHEST = 360.0
"""Largest coordinate of a footprint, in degrees."""

_DIGITS = 7
"""Decimals of footprint coordinates in degrees: about a centimetre."""


MOST_DIGITS = 1e9
"""What turns numbers into reflectance is smaller than this, and not much nearer to 0 than one over it."""

Year = Annotated[int, Field(ge=1900, le=2200)]
Index = Annotated[int, Field(ge=1, le=65_536)]
Bytes = Annotated[int, Field(ge=0)]


def _factor(value: float) -> float:
    if not 1.0 / MOST_DIGITS <= abs(value) <= MOST_DIGITS:
        raise ValueError(f"{value:g} turns no number into reflectance")
    return value


class Asset(StrictModel):
    """One band of an image: where it lies and what its numbers mean (reflectance = number x scale + offset).

    `href` is relative to the archive's root, which it may not leave, or a whole web address; `index` counts bands from
    1. Besides `nodata` a 0 is no observation where numbers are amounts of light, unless `zero` says that it is a number
    like others. `bytes` is the size of the file, or of the ZIP archive that holds it, when it was indexed (None for a
    remote file).
    """

    band: str
    href: str
    index: Index = 1
    scale: Annotated[float, AfterValidator(_factor)]
    offset: float = Field(0.0, ge=-MOST_DIGITS, le=MOST_DIGITS)
    nodata: float | None = None
    zero: bool = False
    bytes: Bytes | None = None

    def missing(self, kind: Product) -> tuple[float, ...]:
        """The numbers that stand for no observation in an image of a product."""
        zero = () if self.zero or not kind.encoding.light else (0.0,)
        return zero if self.nodata is None else (*zero, self.nodata)


class CloudMask(StrictModel):
    """A cloud mask of an image: band `index` of a file, and the rule by which its numbers hide pixels (`CloudRule`)."""

    role: Literal["cloud-mask"] = "cloud-mask"
    href: str
    index: Index = 1
    rule: str
    bytes: Bytes | None = None

    @field_validator("rule")
    @classmethod
    def _is_a_rule(cls, value: str) -> str:
        return parse_rule(value).text

    @property
    def cloud_rule(self) -> CloudRule:
        """The rule, ready for use."""
        return parse_rule(self.rule)


class Image(StrictModel):
    """One image (a scene, or a tile of a mosaic) with first and last day, both included.

    Every one of its `clouds` hides pixels; without any, what the image shows counts as ground.
    A mosaic made for one season states its `year` and then belongs to that year only, whatever its days. `footprint`
    is WKT in EPSG:4326; `revision` changes with the files.
    """

    id: str
    product: str
    start: date
    end: date
    year: Year | None = None
    crs: str
    terms: str
    redistributable: bool
    processing_baseline: str = ""
    revision: str
    assets: tuple[Asset, ...]
    clouds: tuple[CloudMask, ...] = ()
    footprint: str

    @property
    def geometry(self) -> BaseGeometry:
        """The footprint in EPSG:4326."""
        return shapely.from_wkt(self.footprint)

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of its bands."""
        return tuple(asset.band for asset in self.assets)

    def within(self, season: Season) -> bool:
        """True where the image belongs to the season."""
        if self.year is not None:
            return self.year == season.year
        return self.start < season.end and self.end >= season.start


@dataclass(frozen=True)
class ArchiveIndex:
    """An archive by its name, the folder or URL prefix under which its files lie, and its images sorted by id."""

    name: str
    root: str
    images: tuple[Image, ...]


def write_features(images: Iterable[Image]) -> bytes:
    """A GeoJSON FeatureCollection, sorted by id: the same images give the same bytes."""
    features = []
    for image in sorted(images, key=lambda i: i.id):
        properties = image.model_dump(mode="json", exclude={"id", "footprint", "assets", "clouds"})
        outline = shapely.set_precision(image.geometry, 10.0**-_DIGITS)
        features.append(
            {
                "type": "Feature",
                "id": image.id,
                "geometry": json.loads(shapely.to_geojson(outline)),
                "properties": properties,
                "assets": [asset.model_dump(mode="json") for asset in (*image.assets, *image.clouds)],
            }
        )
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1, sort_keys=True)
    return text.encode() + b"\n"


def read_index(name: str, root: str, data: bytes) -> ArchiveIndex:
    """The index of an archive from GeoJSON bytes. Raises `BadInputError` where they are no such index."""
    where = f"the index of the archive {name}"
    try:
        images = [_image(feature, root, number) for number, feature in enumerate(json.loads(data)["features"], start=1)]
    except BadInputError as error:
        raise BadInputError(f"{where} cannot be used ({error}); index the archive again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, shapely.errors.GEOSException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInputError(f"{where} cannot be read ({reason[:_SHOWN]}); index the archive again") from error
    return ArchiveIndex(name, root, tuple(sorted(images, key=lambda i: i.id)))


def _image(feature: Any, root: str, number: int) -> Image:
    """Raises `BadInputError`, or what comes of a feature that is none."""
    outline = shapely.from_geojson(json.dumps(feature["geometry"]))
    if outline is None or outline.is_empty:
        raise BadInputError(f"feature {number} has no outline")
    if not all(abs(value) <= _FARTHEST for value in outline.bounds):
        raise BadInputError(f"feature {number} lies nowhere on Earth")
    try:
        image = Image.model_validate(
            {
                **feature["properties"],
                "id": feature["id"],
                "assets": [asset for asset in feature["assets"] if not _is_mask(asset)],
                "clouds": [asset for asset in feature["assets"] if _is_mask(asset)],
                "footprint": shapely.to_wkt(outline, rounding_precision=_DIGITS),
            }
        )
    except ValidationError as error:
        raise BadInputError(f"feature {number}: {explain(error, Image)}") from error
    for href in (*(asset.href for asset in image.assets), *(mask.href for mask in image.clouds)):
        check_href(root, href)
    return image


def _is_mask(asset: Any) -> bool:
    return "role" in asset
