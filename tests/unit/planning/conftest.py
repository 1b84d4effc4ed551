"""Images as archives index them."""

from collections.abc import Sequence
from datetime import date

import shapely

from minemap_assets.imagery.files.images import Asset, Image

RGB = ("blue", "green", "red")
RGBN = (*RGB, "nir")


def image(
    start: str,
    product: str = "sentinel-2-l1c",
    bands: Sequence[str] = RGBN,
    *,
    end: str = "",
    year: int | None = None,
    side: float = 1.0,
) -> Image:
    """An image of some days, or of one, `side` degrees wide; `year` is the one that it states."""
    return Image(
        id=f"{product}-{start}",
        product=product,
        start=date.fromisoformat(start),
        end=date.fromisoformat(end or start),
        year=year,
        crs="EPSG:32630",
        terms="",
        redistributable=False,
        revision="1",
        assets=tuple(Asset(band=band, href="a.tif", scale=1e-4) for band in bands),
        footprint=shapely.box(0, 0, side, side).wkt,
    )
