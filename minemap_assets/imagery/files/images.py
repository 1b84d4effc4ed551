"""What an archive's index says: one feature an image, as GeoJSON in the manner of STAC."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import shapely
from pydantic import ValidationError, field_validator
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.cloud_rules import CloudRule, parse_rule
from minemap_assets.imagery.seasons import Season
from minemap_assets.project.settings import StrictModel

_DIGITS = 7
"""Decimals of footprint coordinates in degrees: about a centimetre."""


class Asset(StrictModel):
    """One band of an image: where it lies and what its numbers mean (reflectance = number x scale + offset).

    `href` is relative to the archive's root, or a whole URL; `index` counts bands from 1; without `nodata` a pixel that
    is 0 in all bands is not observed; `bytes` is the file's size when it was indexed (None for a remote file).
    """

    band: str
    href: str
    index: int = 1
    scale: float
    offset: float = 0.0
    nodata: float | None = None
    bytes: int | None = None


class CloudMask(StrictModel):
    """A cloud mask of an image: band `index` of a file, and the rule by which its numbers hide pixels (`CloudRule`)."""

    role: Literal["cloud-mask"] = "cloud-mask"
    href: str
    index: int = 1
    rule: str
    bytes: int | None = None

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
    year: int | None = None
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
    try:
        features: Sequence[Any] = json.loads(data)["features"]
        images = [
            Image.model_validate(
                {
                    **feature["properties"],
                    "id": feature["id"],
                    "assets": [asset for asset in feature["assets"] if not _is_mask(asset)],
                    "clouds": [asset for asset in feature["assets"] if _is_mask(asset)],
                    "footprint": shapely.to_wkt(
                        shapely.from_geojson(json.dumps(feature["geometry"])), rounding_precision=_DIGITS
                    ),
                }
            )
            for feature in features
        ]
    except (ValueError, KeyError, TypeError, ValidationError, shapely.errors.GEOSException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInputError(
            f"the index of the archive {name} cannot be read ({reason}); index the archive again"
        ) from error
    return ArchiveIndex(name, root, tuple(sorted(images, key=lambda i: i.id)))


def _is_mask(asset: Any) -> bool:
    return "role" in asset
