"""What the metadata of a Sentinel-2 product says: level, baseline, day, what its numbers mean, and its files.

Source: Sentinel-2 Products Specification Document, user products of Level-1C and Level-2A, in the compact naming since
December 2016 and the one before.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO
from xml.etree.ElementTree import Element

import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.plain_xml import read_xml, texts
from minemap_assets.imagery.products import SENTINEL2_BANDS

METADATA_NAME = re.compile(r"MTD_MSIL(?:1C|2A)\.xml|S2[A-D]_[A-Z]{4}_MTD_SAFL(?:1C|2A)\w*\.xml")
"""The name of a product's metadata file, new and old."""

OFFSET_SINCE = "04.00"
"""Processing baseline from which numbers carry an offset, -1000 so far, which the metadata states."""

_TOOLBOX = "99.99"
"""The baseline of what people made themselves with Sen2Cor, old and new."""

_PRODUCTS = {"1C": "sentinel-2-l1c", "2A": "sentinel-2-l2a"}
_LEVEL = re.compile(r"Level-(1C|2A)p?")
_BASELINE = re.compile(r"\d\d\.\d\d")
_PHYSICAL = re.compile(r"B(\d{1,2})(A?)")
_SCALES = {"1C": ("QUANTIFICATION_VALUE",), "2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")}
_OFFSETS = {"1C": "RADIO_ADD_OFFSET", "2A": "BOA_ADD_OFFSET"}
_FILES = ("IMAGE_FILE", "IMAGE_ID", "IMAGE_FILE_2A", "IMAGE_ID_2A")
_BY_NUMBER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands by the numbers that the metadata gives them."""


@dataclass(frozen=True, eq=False)
class SafeMetadata:
    """A product's metadata.

    Reflectance is (number + offset) / `quantification`; `offsets` are by the mission's names of bands, such as `B02`.
    `files` are those that the product should have, by granule, as the metadata names them: without extension, and in
    the old naming without their folder. `footprint` (EPSG:4326) is roughly where there are pixels, None where the
    metadata does not say it soundly.
    """

    product: str
    baseline: str
    day: date
    quantification: float
    offsets: Mapping[str, float]
    files: Mapping[str, tuple[str, ...]]
    footprint: BaseGeometry | None


def read_metadata(handle: BinaryIO, name: str) -> SafeMetadata:
    """What a product's metadata file says. Raises `BadInputError`, with the file's name, where that is too little."""
    root = read_xml(handle, name)
    level = _LEVEL.fullmatch(_one(root, "PROCESSING_LEVEL", name))
    if level is None:
        raise BadInputError(f"{name} is of neither Level-1C nor Level-2A; other levels are not read")
    baseline = _one(root, "PROCESSING_BASELINE", name)
    if not _BASELINE.fullmatch(baseline):
        raise BadInputError(f"{name} says no processing baseline, such as 05.09; fetch it again")
    begun = next(iter(texts(root, "DATATAKE_SENSING_START")), "") or _one(root, "PRODUCT_START_TIME", name)
    try:
        day = date.fromisoformat(begun[:10])
    except ValueError as error:
        raise BadInputError(f"{name} says no day on which its images were taken; fetch it again") from error
    return SafeMetadata(
        product=_PRODUCTS[level[1]],
        baseline=baseline,
        day=day,
        quantification=_quantification(root, level[1], name),
        offsets=_offsets(root, level[1], baseline, name),
        files={
            granule.get("granuleIdentifier", ""): tuple(text for tag in _FILES for text in texts(granule, tag))
            for granule in _granules(root)
        },
        footprint=_footprint(root),
    )


def _granules(root: Element) -> Iterator[Element]:
    for tag in ("Granule", "Granules"):
        yield from root.iter(tag)


def _one(root: Element, tag: str, name: str) -> str:
    text = next(iter(texts(root, tag)), "")
    if not text:
        raise BadInputError(f"{name} has no {tag}, so it is no metadata of a Sentinel-2 product; fetch it again")
    return text


def _quantification(root: Element, level: str, name: str) -> float:
    for tag in _SCALES[level]:
        for text in texts(root, tag):
            value = _number(text, tag, name)
            if not 1.0 <= value <= 1e6:
                raise BadInputError(f"{name} states {tag} {text}, which makes no reflectance; fetch it again")
            return value
    raise BadInputError(f"{name} has no {_SCALES[level][0]}; fetch it again")


def _offsets(root: Element, level: str, baseline: str, name: str) -> Mapping[str, float]:
    """The offset of each band; 0 for all of them in a product from before there were any."""
    stated = list(root.iter(_OFFSETS[level]))
    if not stated:
        if OFFSET_SINCE <= baseline < _TOOLBOX:
            raise BadInputError(f"{name} is of baseline {baseline} and states no {_OFFSETS[level]}; fetch it again")
        return dict.fromkeys(SENTINEL2_BANDS, 0.0)
    numbers = {element.get("bandId", ""): _band(element.get("physicalBand", "")) for element in _spectra(root)}
    known = numbers or {str(number): band for number, band in enumerate(_BY_NUMBER)}
    offsets = {}
    for element in stated:
        band = known.get(element.get("band_id", ""))
        if band is not None:
            offsets[band] = _number((element.text or "").strip(), _OFFSETS[level], name)
    return offsets


def _spectra(root: Element) -> Iterator[Element]:
    return root.iter("Spectral_Information")


def _band(physical: str) -> str:
    """`B02` for `B2`."""
    match = _PHYSICAL.fullmatch(physical)
    return "" if match is None else f"B{match[1]}A" if match[2] else f"B{int(match[1]):02d}"


def _number(text: str, tag: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInputError(f"{name} has {text!r} for {tag}, which is no number; fetch it again")
    return value


def _footprint(root: Element) -> BaseGeometry | None:
    """The outline, written as latitudes and longitudes in turn."""
    for text in texts(root, "EXT_POS_LIST"):
        try:
            numbers = [float(word) for word in text.split()]
            outline = shapely.Polygon([(x, y) for y, x in zip(numbers[::2], numbers[1::2], strict=True)])
        except (ValueError, shapely.errors.ShapelyError):
            return None
        return outline if outline.is_valid and not outline.is_empty else None
    return None
