"""Raster masks as polygons: labels that people drew on images become a polygon set like any other.

Whether a mask lies on its image is checked in `imagery/sources/archive/label_pairs.py`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from minemap_assets.errors import BadInputError
from minemap_assets.geo.raster_files import alone, open_raster
from minemap_assets.geo.vector import WGS84
from minemap_assets.geo.vector_files import check_degrees
from minemap_assets.lake.manifests import Missing
from minemap_assets.reference.polygon_sets import text_of

MOST_PIXELS = 2**28
"""A mask is outlined in one go, so a larger one has to be cut."""

_NUMBER = re.compile(r"(\d+)(?!.*\d)")


@dataclass(frozen=True, eq=False)
class MaskPolygons:
    """Polygons [polygon_id, group, geometry] in EPSG:4326, and the masks that could not be used."""

    frame: gpd.GeoDataFrame
    refused: tuple[Missing, ...]
    empty: int
    """Masks without any foreground."""


class _RefusedError(Exception):
    """A mask that cannot be used; the text says why."""


def polygons_from_masks(
    folder: Path,
    pattern: str = "mask_*.tif",
    *,
    groups: Path | None = None,
    group_key: str = "i",
    group_column: str = "g",
    value: int = 1,
    images: Path | None = None,
) -> MaskPolygons:
    """Outline the pixels equal to `value` in every mask that matches `pattern`, 4-connected, along pixel edges.

    The last number in a mask's file name finds its row in the table `groups` (column `group_key`, its group in
    `group_column`) and its picture in the folder `images`, whose size must be the mask's. Masks of one group may
    overlap: each keeps its polygons. Raises `BadInputError` where nothing matches.
    """
    masks = sorted(folder.glob(pattern), key=lambda p: (_number(p) if _number(p) is not None else -1, p.name))
    if not masks:
        raise BadInputError(f"{folder} holds no file that matches {pattern}; check the folder and the pattern")
    group_of = None if groups is None else _groups(groups, group_key, group_column)
    pictures = None if images is None else _by_number(images)
    rows: list[gpd.GeoDataFrame] = []
    refused: list[Missing] = []
    empty = 0
    for mask in masks:
        try:
            group = _group(mask, group_of)
            _check_picture(mask, pictures)
            outlines = _outlines(mask, value)
        except _RefusedError as error:
            refused.append(Missing(item=mask.name, reason=str(error)))
            continue
        empty += outlines.empty
        outlines.insert(0, "polygon_id", [f"{mask.stem}-{n + 1}" for n in range(len(outlines))])
        outlines.insert(1, "group", group)
        rows.append(outlines)
    columns = ["polygon_id", "group", "geometry"]
    filled = [r for r in rows if not r.empty]
    nothing = gpd.GeoDataFrame(columns=columns, geometry=[], crs=WGS84)
    frame = pd.concat(filled, ignore_index=True) if filled else nothing
    return MaskPolygons(gpd.GeoDataFrame(frame[columns], geometry="geometry", crs=WGS84), tuple(refused), empty)


def _outlines(mask: Path, value: int) -> gpd.GeoDataFrame:
    with _opened(mask) as source:
        if source.crs is None:
            raise _RefusedError(f"{mask.name} does not say where on Earth it lies; give it a CRS")
        if source.width * source.height > MOST_PIXELS:
            raise _RefusedError(
                f"{mask.name} has {source.height:,} x {source.width:,} pixels (rows x columns), too many to outline at "
                "once; cut it into several masks"
            )
        foreground = source.read(1) == value
        transform, crs = source.transform, source.crs
        shapes = rasterio.features.shapes(
            foreground.astype(np.uint8), mask=foreground, connectivity=4, transform=transform
        )
        polygons = [shapely.geometry.shape(outline) for outline, _ in shapes]
        frame = gpd.GeoDataFrame(geometry=polygons, crs=crs.to_wkt()).to_crs(WGS84)
        if polygons:
            check_degrees(frame.total_bounds, mask.name)
        return frame


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """A raster open for reading. Raises `_RefusedError` where that fails, or anything inside."""
    try:
        with alone(), open_raster(str(path.absolute())) as source:
            yield source
    except RasterioError as error:
        reason = " ".join(str(error).split())
        raise _RefusedError(f"{path.name} cannot be read as a raster ({reason})") from error
    except BadInputError as error:
        raise _RefusedError(str(error)) from error
    except (ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError, shapely.errors.ShapelyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _RefusedError(f"{path.name} says of itself what cannot be ({reason}); make it again") from error


def _check_picture(mask: Path, pictures: Mapping[int, Path] | None) -> None:
    if pictures is None:
        return
    picture = pictures.get(number) if (number := _number(mask)) is not None else None
    if picture is None:
        raise _RefusedError(f"{mask.name} has no image of the same number; add the image or remove the mask")
    with _opened(picture) as image, _opened(mask) as labels:
        if image.shape != labels.shape:
            raise _RefusedError(
                f"{picture.name} has {image.height} x {image.width} pixels (rows x columns), its mask "
                f"{mask.name} {labels.height} x {labels.width}; replace the one that is wrong"
            )


def _group(mask: Path, group_of: Mapping[int, str] | None) -> str:
    if group_of is None:
        return ""
    number = _number(mask)
    group = group_of.get(number) if number is not None else None
    if group is None:
        raise _RefusedError(f"{mask.name} has no row in the table of groups; add one")
    return group


def _groups(path: Path, key: str, column: str) -> dict[int, str]:
    if not path.is_file():
        raise BadInputError(f"{path} does not exist; give the table of groups")
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"{path} cannot be read as a table ({reason}); give a text table with a header") from error
    absent = [c for c in (key, column) if c not in table.columns]
    if absent:
        raise BadInputError(f"{path} has no column {', '.join(absent)}; it has {', '.join(map(str, table.columns))}")
    try:
        return {int(number): text_of(group) for number, group in zip(table[key], table[column], strict=True)}
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInputError(f"{path} has something else than whole numbers in its column {key}; correct it") from error


def _by_number(folder: Path) -> dict[int, Path]:
    found = sorted((p for p in folder.iterdir() if p.is_file()), reverse=True) if folder.is_dir() else []
    if not found:
        raise BadInputError(f"{folder} holds no images; check the folder")
    return {number: path for path in found if (number := _number(path)) is not None}


def _number(path: Path) -> int | None:
    match = _NUMBER.search(path.stem)
    return int(match[1]) if match else None
