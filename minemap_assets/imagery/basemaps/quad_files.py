"""Files of a basemap: are they whole and in their place, which band is which, and how clear are they."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from shapely.geometry import Polygon

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.imagery.basemaps.clarity import Clarity, clarity_of_pixels
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quads import CRS, QuadId
from minemap_assets.imagery.files.band_names import NOT_USED, QUAD_ORDER
from minemap_assets.imagery.files.images import Asset, CloudMask, Image
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.files.scene_names import common_band
from minemap_assets.imagery.files.tiff_structure import check_whole
from minemap_assets.imagery.products import HIGHEST, SCALE

if TYPE_CHECKING:
    import rasterio.io

UDM2_RULE = "*_udm2*!=1"
"""Of a usable data mask the first band says what is clear: 1 is, all other numbers hide (Planet's UDM2)."""

_VISIBLE = ("blue", "green", "red")
_ROWS = 512


class NoMaskError(PermanentError):
    """What came for a usable data mask is none."""


@dataclass(frozen=True)
class Shown:
    """What a file shows: its name for people, the mosaic, its product and outline (EPSG:4326), and its mask if any."""

    id: str
    mosaic: Mosaic
    product: str
    outline: Polygon
    mask: Path | None = None


def band_order(source: "rasterio.io.DatasetReader", stated: Sequence[str] | None) -> tuple[str, ...]:
    """Common names of a quad's bands without its validity, `-` for one that is not used: what a person stated, else
    what the file's own descriptions say.

    One band without a name is the one that is missing, and a file that names nothing has the documented order, whatever
    its colours are called. One band more than are named is the validity. Raises `PermanentError` where that does not
    work out.
    """
    count = len(QUAD_ORDER) if stated is None else len(stated)
    if stated is not None:
        names: list[str | None] = list(stated)
    else:
        names = [common_band(text or "") for text in source.descriptions[:count]]
        missing = [band for band in QUAD_ORDER if band not in names]
        if names.count(None) == len(missing) == 1:
            names[names.index(None)] = missing[0]
        elif not any(names):
            names = list(QUAD_ORDER)
    known = tuple(name for name in names if name is not None)
    used = sorted(name for name in known if name != NOT_USED)
    if source.count not in (count, count + 1) or len(known) != count or used != sorted(QUAD_ORDER):
        raise PermanentError(
            f"a quad of this mosaic has {source.count} bands called {', '.join(n or '?' for n in names)} where "
            f"{', '.join(QUAD_ORDER)} are needed, with or without validity behind them; state their order as bands "
            f'under [sources.planet_basemaps], with "{NOT_USED}" for each one that is not to be used'
        )
    return known


def check_quad(path: Path, mosaic: Mosaic, quad: QuadId, bands: Sequence[str] | None) -> Clarity:
    """Read every pixel of a quad; returns its clarity.

    Raises `BadInputError` where the file is cut off, damaged or lies elsewhere, and `PermanentError` where it is whole
    but not what this source reads.
    """
    check_whole(path)
    found = Clarity(0, 0)
    with opened(str(path)) as source:
        _check_place(source, mosaic, quad)
        check_reflectance(source, mosaic)
        order = band_order(source, bands)
        for top in range(0, source.height, _ROWS):
            rows = (top, min(top + _ROWS, source.height))
            found = found + clarity_of(source.read(window=(rows, (0, source.width))), order)
    return found


def check_reflectance(source: "rasterio.io.DatasetReader", mosaic: Mosaic) -> None:
    """Raises `PermanentError` for an open file that holds other numbers than reflectance."""
    if set(source.dtypes) != {"uint16"}:
        raise PermanentError(
            f"the pixels of {mosaic.name} are {source.dtypes[0]} numbers, not uint16 reflectance; name a normalised "
            "analytic mosaic under [sources.planet_basemaps]"
        )


def clarity_of(pixels: npt.NDArray[np.uint16], order: Sequence[str]) -> Clarity:
    """Clarity of a file's pixels (band, row, column), whose bands have that order, with or without validity behind."""
    places = [order.index(band) for band in QUAD_ORDER]
    known = pixels[places]
    valid = np.logical_and.reduce((known > 0) & (known <= HIGHEST * SCALE))
    if pixels.shape[0] > len(order):
        valid = valid & (pixels[-1] > 0)
    blue, green, red = (pixels[order.index(band)] for band in _VISIBLE)
    return clarity_of_pixels(blue, green, red, valid)


def check_mask(path: Path, mosaic: Mosaic, quad: QuadId) -> None:
    """Read every pixel of a quad's usable data mask.

    Raises `NoMaskError` where the file is whole but none, and `BadInputError` where it is cut off, damaged or lies
    elsewhere.
    """
    check_whole(path)
    with opened(str(path)) as source:
        if set(source.dtypes) != {"uint8"}:
            raise NoMaskError(
                f"for the usable data mask of {mosaic.name} came a file of {source.dtypes[0]} numbers, which is none"
            )
        _check_place(source, mosaic, quad)
        for top in range(0, source.height, _ROWS):
            source.read(window=((top, min(top + _ROWS, source.height)), (0, source.width)))


def describe(path: Path, shown: Shown, bands: Sequence[str] | None) -> Image:
    """A quad, or a part of one, as an image that `archive` reads, so that both sources give the same pixels.

    Its mask, if any, lies in the same folder.
    """
    with opened(str(path)) as source:
        order = band_order(source, bands)
        declared, scale = source.nodata, float(source.scales[0])
        crs = str(source.crs)
    assets = tuple(
        Asset(
            band=band,
            href=path.name,
            index=index,
            scale=scale if scale != 1.0 else 1.0 / SCALE,
            nodata=None if declared is None or not math.isfinite(declared) else float(declared),
            bytes=path.stat().st_size,
        )
        for index, band in enumerate(order, 1)
        if band != NOT_USED
    )
    mask = shown.mask
    return Image(
        id=shown.id,
        product=shown.product,
        start=shown.mosaic.start,
        end=shown.mosaic.end,
        crs=crs,
        terms="",
        redistributable=False,
        revision="",
        assets=assets,
        clouds=() if mask is None else (CloudMask(href=mask.name, rule=UDM2_RULE, bytes=mask.stat().st_size),),
        footprint=shown.outline.wkt,
    )


def _check_place(source: "rasterio.io.DatasetReader", mosaic: Mosaic, quad: QuadId) -> None:
    expected = mosaic.quads.box(quad).bounds
    pixel = max(abs(source.transform.a), abs(source.transform.e))
    if str(source.crs) != CRS or not np.allclose(source.bounds, expected, rtol=0.0, atol=pixel):
        raise BadInputError(f"the file is not quad {quad} of {mosaic.name}: it lies elsewhere")
