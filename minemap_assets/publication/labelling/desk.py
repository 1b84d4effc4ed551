"""The desk at which a person outlines mines: sites with an image of the year that the model learns from, and what was
drawn on them.

A page draws in pixels of a site's image; here they become degrees and back. Labels describe the reference year, so that
outlines are drawn on its image alone; the other years are there to be compared with.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from affine import Affine

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.reader import ImagerySet, SiteImage, open_imagery
from minemap_assets.imagery.rules import reference_year_of, training_products
from minemap_assets.project.project import Project
from minemap_assets.publication.labelling.answers import LONGEST_NOTE
from minemap_assets.publication.labelling.outlined_sites import (
    Outline,
    add_outline,
    corners_of,
    outline_of,
    read_outlines,
    register_outlines,
    remove_outline,
)
from minemap_assets.publication.site_images import as_webp, common_stretch, natural_colour
from minemap_assets.sites.assets import GROUND_TRUTH, SITES

SIDE = 2048
"""Pixels on the longer side of a picture, at most."""

_QUALITY = 92


@dataclass(frozen=True, eq=False)
class Place:
    """A site to outline on: the year whose image is drawn on, and whether ground truth meets its window already."""

    region: str
    site_id: str
    year: int
    labelled: bool


@dataclass(eq=False)
class Desk:
    """One person's outlines, on the sites of some regions; saved ones are registered under a licence."""

    project: Project
    regions: Sequence[str]
    author: str
    licence: str
    _kept: LoadingCache[tuple[str, str], dict[int, SiteImage]] = field(default_factory=lambda: LoadingCache(4))
    _writing: Any = field(default_factory=threading.Lock)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Sites that have an image of their region's reference year, those without any ground truth first."""
        found = [place for slug in self.regions for place in self._places(slug)]
        return tuple(sorted(found, key=lambda one: (one.labelled, one.region, one.site_id)))

    def _places(self, slug: str) -> list[Place]:
        year = reference_year_of(self.project, self.project.region(slug))
        made, images = self.project.lake.find(SITES.ref((slug,))), self._images(slug, year)
        if made is None or images is None:
            return []
        sites = read_geoparquet(made.file("sites.parquet"))
        shown = sites[sites["site_id"].isin(images.site_ids)]
        met = shapely.STRtree(self._labels(slug)).query(shown.geometry.to_numpy(), predicate="intersects")[0]
        labelled = np.isin(np.arange(len(shown)), met)
        return [Place(slug, str(site), year, bool(has)) for site, has in zip(shown["site_id"], labelled, strict=True)]

    def _labels(self, slug: str) -> Any:
        """Ground truth of a region as it was made last (EPSG:4326)."""
        made = self.project.lake.find(GROUND_TRUTH.ref((slug,)))
        if made is None:
            return np.zeros(0, dtype=object)
        frame: gpd.GeoDataFrame = read_geoparquet(made.file("ground_truth.parquet"))
        return frame[frame["layer"] == "labels"].geometry.to_numpy()

    def _images(self, slug: str, year: int) -> ImagerySet | None:
        """Images of a year; those of the reference year may have been fetched for training alone."""
        lake = self.project.lake
        refs = [COMPOSITES.ref((slug, str(year)))]
        if year == reference_year_of(self.project, self.project.region(slug)):
            refs += [REFERENCE_COMPOSITES.ref((product, slug)) for product in training_products(self.project)]
        made = next((one for ref in refs if (one := lake.find(ref)) is not None), None)
        return None if made is None else open_imagery(made)

    def state(self) -> dict[str, Any]:
        """What the page begins with."""
        drawn = read_outlines(self.project.lake.store)
        counts = {one.site_id: 0 for one in drawn}
        for one in drawn:
            counts[one.site_id] += 1
        return {
            "author": self.author,
            "places": [
                {
                    "region": one.region,
                    "site": one.site_id,
                    "year": one.year,
                    "labelled": one.labelled,
                    "outlines": counts.get(one.site_id, 0),
                }
                for one in self.places
            ],
        }

    def site(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """A site: size of its image in pixels, its years, what was outlined there, and ground truth that is known."""
        place = self._place(words)
        images = self.images_of(place)
        image = images[place.year]
        rows, columns = image.clear_count.shape
        drawn = [one for one in read_outlines(self.project.lake.store) if one.site_id == place.site_id]
        own = shapely.union_all([one.polygon for one in drawn])
        near = [shape for shape in self._labels(place.region) if not shapely.intersects(shape, own)]
        rings = [pixels_of(image, ring) for ring in corners_of(near)]
        return {
            "width": columns,
            "height": rows,
            "metres": abs(image.grid.affine.a),
            "year": place.year,
            "years": sorted(images),
            "outlines": [
                {
                    "id": one.outline_id,
                    "author": one.author,
                    "date": one.date,
                    "note": one.note,
                    "ring": pixels_of(image, np.array(one.ring)).tolist(),
                }
                for one in drawn
            ],
            "known": [ring.tolist() for ring in rings if _meets(ring, columns, rows)],
        }

    def picture(self, region: str, site: str, year: int) -> bytes:
        """A site's image as WebP. Raises `NotFoundError` where there is none."""
        images = self.images_of(self._place({"region": region, "site": site}))
        if year not in images:
            raise NotFoundError(f"there is no image of {site} in {year}; reload the page")
        stretch = common_stretch([one for one in images.values() if one.bands == images[year].bands])
        return as_webp(natural_colour(images[year], stretch, SIDE), _QUALITY)

    def save(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Store an outline and register it; it is ground truth once this returns. Raises `BadInputError`."""
        place, note = self._place(words), words.get("note", "")
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise BadInputError(f"a note has at most {LONGEST_NOTE} characters; write it shorter")
        image = self.images_of(place)[place.year]
        outline = outline_of(
            _degrees(image, _ring(words.get("ring"))),
            region=place.region,
            site_id=place.site_id,
            year=place.year,
            author=self.author,
            date=datetime.now(UTC).date().isoformat(),
            note=" ".join(note.split()),
        )
        with self._writing:
            add_outline(self.project.lake.store, outline)
            self._registered(outline)
        return {"stored": True, "id": outline.outline_id}

    def remove(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Take an outline back, from the ground truth too. Raises `NotFoundError` where there is none of that id."""
        with self._writing:
            gone = remove_outline(self.project.lake.store, str(words.get("id", "")))
            if gone is None:
                raise NotFoundError("there is no such outline any more; reload the page")
            self._registered(gone)
        return {"stored": True}

    def _registered(self, outline: Outline) -> None:
        register_outlines(self.project.lake.store, outline.year, self.licence)

    def _place(self, words: Mapping[str, Any]) -> Place:
        wanted = (words.get("region"), words.get("site"))
        found = next((one for one in self.places if (one.region, one.site_id) == wanted), None)
        if found is None:
            raise NotFoundError(f"there is no site {wanted[1]!r} to outline on in {wanted[0]!r}; reload the page")
        return found

    def images_of(self, place: Place) -> dict[int, SiteImage]:
        """Images of a site by year."""
        return self._kept.get((place.region, place.site_id), lambda: self._load(place))

    def _load(self, place: Place) -> dict[int, SiteImage]:
        """Images of every year, all of the same window."""
        found = {}
        with self.project.lake.store.using():
            for year in sorted({*self.project.years(), place.year}):
                images = self._images(place.region, year)
                if images is not None and place.site_id in images:
                    found[year] = images.read(place.site_id)
        return found


def _ring(given: object) -> np.ndarray[Any, Any]:
    """Corners (n, 2) in pixels (column, row). Raises `BadInputError` for anything else."""
    try:
        ring = np.array(given, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise BadInputError("an outline is a list of corners; reload the page") from error
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise BadInputError("an outline is a list of corners; reload the page")
    return ring


def _degrees(image: SiteImage, ring: np.ndarray[Any, Any]) -> list[tuple[float, float]]:
    """Corners in degrees. Raises `BadInputError` where one lies outside of the image."""
    rows, columns = image.clear_count.shape
    if (ring < 0.0).any() or (ring > [columns, rows]).any():
        raise BadInputError("a corner lies outside of the image, where nothing is to be seen; move it inside")
    x, y = _applied(image.grid.affine, ring).T
    east, north = pyproj.Transformer.from_crs(str(image.grid.crs), 4326, always_xy=True).transform(x, y)
    return list(zip(map(float, east), map(float, north), strict=True))


def pixels_of(image: SiteImage, ring: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Corners in degrees (n, 2) as pixels (column, row) of an image."""
    x, y = pyproj.Transformer.from_crs(4326, str(image.grid.crs), always_xy=True).transform(ring[:, 0], ring[:, 1])
    return np.round(_applied(~image.grid.affine, np.column_stack([x, y])), 2)


def _applied(transform: Affine, places: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Places (n, 2) in other coordinates."""
    x, y = places.T
    return np.column_stack(
        [transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f]
    )


def _meets(ring: np.ndarray[Any, Any], columns: int, rows: int) -> bool:
    """Whether a ring's bounds meet an image."""
    low, high = ring.min(0), ring.max(0)
    return bool((high >= 0.0).all() and (low <= [columns, rows]).all())
