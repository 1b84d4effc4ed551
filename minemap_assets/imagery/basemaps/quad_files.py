"""One quad file: is it whole and in its place, which band is which, and how clear is it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.imagery.basemaps.clarity import Clarity, clarity_of_pixels
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quads import CRS, QuadId
from minemap_assets.imagery.files.band_names import QUAD_ORDER
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.files.inspection import Numbers, inspect
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.files.scene_names import common_band
from minemap_assets.imagery.files.tiff_structure import check_whole
from minemap_assets.imagery.products import HIGHEST, SCALE, Product

if TYPE_CHECKING:
    import rasterio.io

_VISIBLE = ("blue", "green", "red")
_ROWS = 512


def band_order(source: "rasterio.io.DatasetReader", stated: Sequence[str] | None) -> tuple[str, ...]:
    """Common names of a quad's bands, alpha left out: what a person stated, else what the file says.

    One band without a name is the one that is missing, and a file that names nothing has the documented order, whatever
    its colours are called. Raises `PermanentError` where that does not work out.
    """
    from rasterio.enums import ColorInterp

    alpha = ColorInterp.alpha in source.colorinterp and source.count > len(QUAD_ORDER)
    count = source.count - int(alpha)
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
    if len(known) != count or sorted(known) != sorted(QUAD_ORDER):
        raise PermanentError(
            f"a quad of this mosaic has {count} bands called {', '.join(n or '?' for n in names)} where "
            f"{', '.join(QUAD_ORDER)} are needed; state their order as bands under [sources.planet_basemaps]"
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
        if source.dtypes[0] != "uint16":
            raise PermanentError(
                f"the quads of {mosaic.name} hold {source.dtypes[0]} numbers, not uint16 reflectance; name a mosaic of "
                "normalised analytic quads under [sources.planet_basemaps]"
            )
        order = band_order(source, bands)
        places = [order.index(band) for band in _VISIBLE]
        for top in range(0, source.height, _ROWS):
            rows = (top, min(top + _ROWS, source.height))
            pixels = source.read(window=(rows, (0, source.width)))
            known = pixels[: len(order)]
            valid = (known > 0).any(axis=0) & (known <= HIGHEST * SCALE).all(axis=0)
            if pixels.shape[0] > len(order):
                valid &= pixels[-1] > 0
            blue, green, red = (pixels[place] for place in places)
            found = found + clarity_of_pixels(blue, green, red, valid)
    return found


def describe_quad(path: Path, kind: Product, mosaic: Mosaic, quad: QuadId, bands: Sequence[str] | None) -> Image:
    """A quad as an image that `archive_files` reads, so that both sources give the same pixels."""
    with opened(str(path)) as source:
        order = band_order(source, bands)
    facts = inspect(str(path.parent), path.name, kind, order, Numbers(scale=None, offset=0.0, nodata=None))
    return Image(
        id=f"{mosaic.name}/{quad}",
        product=kind.name,
        start=mosaic.start,
        end=mosaic.end,
        crs=facts.crs,
        terms="",
        redistributable=False,
        revision=facts.revision,
        assets=facts.assets,
        footprint=facts.footprint.wkt,
    )


def _check_place(source: "rasterio.io.DatasetReader", mosaic: Mosaic, quad: QuadId) -> None:
    expected = mosaic.quads.box(quad).bounds
    pixel = max(abs(source.transform.a), abs(source.transform.e))
    if str(source.crs) != CRS or not np.allclose(source.bounds, expected, rtol=0.0, atol=pixel):
        raise BadInputError(f"the file is not quad {quad} of {mosaic.name}: it lies elsewhere")
