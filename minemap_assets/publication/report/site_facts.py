"""What is known of single sites: areas by year, images, mines, and pictures of the ground with what is mapped on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.pictures import nice_length
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.reader import SiteImage
from minemap_assets.publication.image_archive import ImageArchive
from minemap_assets.publication.published import by_year
from minemap_assets.publication.site_images import Stretch, natural_colour, stretches_of
from minemap_assets.tables.assets import POLYGON_TABLE

if TYPE_CHECKING:
    import geopandas as gpd

SIDE = 420
"""Pixels of the longer side of a picture."""

UNSEEN = (156, 163, 175)
"""Ground that was not observed."""

OUTLINE, CASING = (255, 214, 10), (17, 24, 39)
"""A light line in a dark one is seen on any ground, and in grey."""

_BAR_SHARE = 0.3

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SitePicture:
    """A site in a year: (row, column, 3), what the image looks like, and whether its terms forbid showing it: the
    picture is then None.
    """

    year: int
    product: str
    picture: Picture | None


class SiteFacts:
    """Looks into the images and polygons of all years, each opened once."""

    def __init__(self, context: InputContext, restricted_pictures: bool) -> None:
        self._archive = ImageArchive(context)
        self._restricted = restricted_pictures
        self._outlines: dict[int, tuple[gpd.GeoDataFrame, dict[str, list[int]]]] = {}
        self._tables = {year: part.file("polygons.parquet") for year, part in by_year(context, POLYGON_TABLE).items()}

    def images(self, region: str, site_id: str) -> dict[int, Mapping[str, Any]]:
        """The row of the image index for each year of a site that has an image."""
        years = self._archive.years_of(region, site_id)
        return {year: self._archive.entry(region, site_id, year) for year in years}

    def polygons(self, site_id: str, year: int) -> "gpd.GeoDataFrame":
        """What is mapped on a site in a year."""
        path = self._tables.get(year)
        if path is None:
            return pd.DataFrame(columns=["area_km2", "mean_probability", "geometry"])
        if year not in self._outlines:
            frame = read_geoparquet(path)
            self._outlines[year] = frame, _rows_by_site(frame)
        frame, rows = self._outlines[year]
        return frame.iloc[rows.get(site_id, [])]

    def pictures(self, region: str, site_id: str, years: tuple[int, ...]) -> tuple[SitePicture, ...]:
        """The ground in some years with what is mapped on it, one stretch for each product."""
        rows = self.images(region, site_id)
        chosen = [year for year in years if year in rows]
        free = [year for year in chosen if self._restricted or bool(rows[year]["redistributable"])]
        images = {year: self._archive.read(region, site_id, year) for year in free}
        stretches = stretches_of(images.values())
        found = []
        for year in chosen:
            product = str(rows[year]["product"])
            image = images.get(year)
            drawn = None if image is None else self._drawn(image, stretches[image.bands], site_id, year)
            found.append(SitePicture(year, product, drawn))
        return tuple(found)

    def _drawn(self, image: SiteImage, stretch: Stretch, site_id: str, year: int) -> Picture:
        from PIL import Image, ImageDraw

        seen = natural_colour(image, stretch, SIDE)
        ground = np.where(seen[..., 3:] > 0, seen[..., :3], np.array(UNSEEN, np.uint8))
        picture = Image.fromarray(ground.astype(np.uint8))
        scale = SIDE / max(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(picture)
        frame = self.polygons(site_id, year)
        if len(frame):
            left, bottom, right, top = image.grid.boundingbox
            step = np.array([size[0] / (right - left), size[1] / (bottom - top)])
            metric = frame.to_crs(str(image.grid.crs)).geometry
            rings = [shapely.get_coordinates(r) for shape in metric for r in shapely.get_rings(shape)]
            lines = [[(float(x), float(y)) for x, y in (ring - (left, top)) * step] for ring in rings]
            for colour, width in ((CASING, 5), (OUTLINE, 2)):
                for line in lines:
                    draw.line(line, fill=colour, width=width, joint="curve")
        _scale_bar(draw, size, float(image.grid.boundingbox[2] - image.grid.boundingbox[0]))
        return np.asarray(picture)


def _rows_by_site(frame: "gpd.GeoDataFrame") -> dict[str, list[int]]:
    """Places of the rows that are made of each site's pixels."""
    found: dict[str, list[int]] = {}
    for place, ids in enumerate(frame["site_ids"]):
        for site_id in ids:
            found.setdefault(str(site_id), []).append(place)
    return found


def _scale_bar(draw: Any, size: tuple[int, int], metres: float) -> None:
    from PIL import ImageFont

    length = nice_length(metres * _BAR_SHARE)
    left, bottom = 12, size[1] - 14
    right = left + round(length / metres * size[0])
    for colour, width in ((CASING, 7), ((255, 255, 255), 3)):
        draw.line([(left, bottom), (right, bottom)], fill=colour, width=width)
    told = f"{length // 1000} km" if length >= 1000 else f"{length} m"
    font = ImageFont.load_default(16)
    draw.text((left, bottom - 24), told, fill=(255, 255, 255), font=font, stroke_width=2, stroke_fill=CASING)
